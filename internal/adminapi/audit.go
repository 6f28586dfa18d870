package adminapi

import (
	"net/http"
	"strconv"
	"time"

	"b3scale"
)

// usualAudit is how many entries a list has that asks for no other number: the
// audit grows for ever.
const usualAudit = 1000

// AuditList lists changes, the newest first.
func (s *Server) AuditList(w http.ResponseWriter, r *http.Request, params AuditListParams) {
	query, err := auditQuery(params)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if params.Limit == nil {
		params.Limit = new(usualAudit)
	}
	// In its own order nobody needs what is behind the page, only to count it.
	wanted := maxLimit
	if params.Order == nil {
		wanted = min(maxLimit, max(0, *params.Limit)+max(0, orZero(params.Offset)))
	}
	var found []AuditEntry
	count := 0
	err = s.Store.Audit(r.Context(), query, func(e b3scale.AuditEntry) {
		if count++; count <= wanted {
			found = append(found, auditEntryOf(e))
		}
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	found, err = page(w, found, paging{params.Limit, params.Offset, params.Order}, auditOrders)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(count))
	s.send(w, r, http.StatusOK, found)
}

func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func auditQuery(params AuditListParams) (b3scale.AuditQuery, error) {
	query := b3scale.AuditQuery{
		Kind:     text(params.Kind),
		ObjectID: text(params.ObjectID),
		Subject:  text(params.Subject),
		Since:    microsOf(params.Since),
		Until:    microsOf(params.Until),
		Limit:    maxLimit,
	}
	if before := text(params.Before); before != "" {
		query.BeforeID = entryNumber(before)
		if query.BeforeID == 0 {
			return query, fieldErrors{"before": {"should be the id of an entry"}}
		}
	}
	return query, nil
}

// microsOf is 0 for no time at all, and never for a time.
func microsOf(t *time.Time) b3scale.Micros {
	switch {
	case t == nil:
		return 0
	case t.UnixMicro() == 0:
		return 1
	}
	return b3scale.MicrosOf(*t)
}

var auditOrders = ordering[AuditEntry]{
	"id":          by(func(e AuditEntry) int64 { return entryNumber(e.ID) }),
	"at":          func(a, b AuditEntry) int { return a.At.Compare(b.At) },
	"subject":     by(func(e AuditEntry) string { return e.Subject }),
	"address":     by(func(e AuditEntry) string { return e.Address }),
	"request_id":  by(func(e AuditEntry) string { return e.RequestID }),
	"action":      by(func(e AuditEntry) string { return e.Action }),
	"object.kind": by(func(e AuditEntry) string { return e.Object.Kind }),
	"object.id":   by(func(e AuditEntry) string { return e.Object.ID }),
	"object.name": by(func(e AuditEntry) string { return e.Object.Name }),
}

// entryNumber is 0 for what is no id of an entry.
func entryNumber(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return 0
	}
	return n
}

func auditEntryOf(e b3scale.AuditEntry) AuditEntry {
	return AuditEntry{
		ID:        strconv.FormatInt(e.ID, 10),
		At:        moment(e.At),
		Subject:   e.Actor.Subject,
		Address:   e.Actor.Address,
		RequestID: e.Actor.RequestID,
		Action:    e.Action,
		Object:    AuditObject{Kind: e.Object.Kind, ID: e.Object.ID, Name: e.Object.Name},
		Before:    e.Before,
		After:     e.After,
	}
}
