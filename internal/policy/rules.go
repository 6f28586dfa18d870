package policy

import (
	"slices"
	"strconv"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// rules rewrite the parameters of one call. Each member is stronger than those
// below it; what the client sent stands between caps and defaults.
type rules struct {
	blocked   []string
	overrides b3scale.Params
	caps      b3scale.Caps
	defaults  b3scale.Params
}

func (r rules) apply(params *bbb.Params) {
	params.DeleteFunc(isOurs)
	if len(r.blocked) > 0 {
		params.DeleteFunc(r.blocks)
	}
	for _, name := range settable(r, r.overrides) {
		set(params, name, r.overrides[name])
	}
	for _, name := range settable(r, r.defaults) {
		sent, found := find(params, name)
		switch {
		case name == disabledFeatures:
			if all := merged(sent, r.defaults[name]); all != "" || found {
				set(params, name, all)
			}
		case !found:
			params.Add(name, r.defaults[name])
		}
	}
	for _, name := range settable(r, r.caps) {
		if most := r.caps[name]; most > 0 && r.overrides[name] == "" {
			sent, _ := find(params, name)
			set(params, name, capped(sent, most))
		}
	}
}

// isOurs tells metadata that only we may set.
func isOurs(name string) bool { return strings.HasPrefix(bbb.CanonicalName(name), "meta_b3s-") }

// isFixed tells what no rule may touch.
func isFixed(name string) bool {
	return name == "" || name == "meetingID" || name == "checksum" || isOurs(name)
}

func (r rules) blocks(name string) bool {
	return !isFixed(name) && slices.ContainsFunc(r.blocked, func(blocked string) bool { return same(blocked, name) })
}

// settable are the names in one of the maps that it may set, always in the
// same order.
func settable[V comparable](r rules, values map[string]V) []string {
	var names []string
	var unset V
	for name, value := range values {
		if value != unset && !isFixed(name) && !r.blocks(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func same(a, b string) bool { return bbb.CanonicalName(a) == bbb.CanonicalName(b) }

// find returns the first value of a parameter in any spelling.
func find(params *bbb.Params, name string) (string, bool) {
	for found, value := range params.All() {
		if same(found, name) {
			return value, true
		}
	}
	return "", false
}

// set gives a parameter one value, and no other spelling remains.
func set(params *bbb.Params, name, value string) {
	params.DeleteFunc(func(found string) bool { return found != name && same(found, name) })
	params.Set(name, value)
}

// capped is value if it is a number from 1 to most. 0 and everything else
// stand for no limit on the nodes. They do not all trim numbers, so it is
// written plainly.
func capped(value string, most int) string {
	n, err := strconv.ParseInt(bbb.Clean(value), 10, 32)
	if err != nil || n < 1 || n > int64(most) {
		return strconv.Itoa(most)
	}
	return strconv.FormatInt(n, 10)
}

// disabledFeatures is a list to which its default is added.
const disabledFeatures = "disabledFeatures"

// merged joins lists, without what is empty or there already.
func merged(lists ...string) string {
	var all []string
	known := map[string]bool{"": true}
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if item = strings.TrimSpace(bbb.Clean(item)); !known[item] {
				known[item] = true
				all = append(all, item)
			}
		}
	}
	return strings.Join(all, ",")
}
