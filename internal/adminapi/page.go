package adminapi

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxLimit bounds a page.
const maxLimit = 10000

// paging is what every list understands; unset, a list is whole and in its own
// order, as old clients expect it.
type paging struct {
	limit, offset *int
	order         *string
}

// wrong notes what cannot be a page.
func (p paging) wrong() fieldErrors {
	wrong := fieldErrors{}
	if p.limit != nil && (*p.limit < 1 || *p.limit > maxLimit) {
		wrong.add("limit", "should be between 1 and "+strconv.Itoa(maxLimit))
	}
	if p.offset != nil && *p.offset < 0 {
		wrong.add("offset", "should not be negative")
	}
	return wrong
}

// ordering are the comparisons by the field that a query names. That without a
// name decides where these do not; without one the list's own order does.
type ordering[T any] map[string]func(a, b T) int

// by compares one field.
func by[T any, F cmp.Ordered](field func(T) F) func(a, b T) int {
	return func(a, b T) int { return cmp.Compare(field(a), field(b)) }
}

// page orders a list, tells its length in a header and cuts a page out of it.
func page[T any](w http.ResponseWriter, items []T, p paging, orders ordering[T]) ([]T, error) {
	wrong := p.wrong()
	var compare []func(a, b T) int
	if p.order != nil && *p.order != "" {
		for name := range strings.SplitSeq(*p.order, ",") {
			field, down := strings.CutPrefix(strings.TrimSpace(name), "-")
			f := orders[field]
			switch {
			case f == nil || field == "":
				wrong.add("order", "unknown field "+strconv.Quote(field))
			case down:
				compare = append(compare, func(a, b T) int { return f(b, a) })
			default:
				compare = append(compare, f)
			}
		}
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	if usual := orders[""]; usual != nil {
		compare = append(compare, usual)
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(len(items)))
	slices.SortStableFunc(items, func(a, b T) int {
		for _, c := range compare {
			if n := c(a, b); n != 0 {
				return n
			}
		}
		return 0
	})
	if p.offset != nil {
		items = items[min(*p.offset, len(items)):]
	}
	if p.limit != nil {
		items = items[:min(*p.limit, len(items))]
	}
	if items == nil {
		items = []T{} // an array, never null
	}
	return items, nil
}
