package adminapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"b3scale"
	"b3scale/internal/auth"
)

// recordingsAtOnce is how many are read from the store at a time, and are in
// memory.
const recordingsAtOnce = 1000

// streamRecordings sends what one query finds, as it is read. Nothing is held
// while a slow client reads.
func (s *Server) streamRecordings(w http.ResponseWriter, r *http.Request, search recordingSearch, params RecordingsListParams) error {
	q, left := search.queries[0], params.Limit
	q.Offset = orZero(params.Offset)
	reveal := who(r).Has(auth.Admin)
	out := newArray(w, r)
	for part := 0; ; part++ {
		q.Limit = recordingsAtOnce
		if left != nil {
			q.Limit = min(q.Limit, *left)
		}
		rows, total, err := s.rows(r.Context(), q)
		switch {
		case err != nil && part == 0:
			return err
		case err != nil: // it has begun: the client must not take this for the end
			s.Log.WarnContext(r.Context(), "list of recordings broken off", "error", err)
			panic(http.ErrAbortHandler)
		case part == 0:
			out.begin(total)
		}
		for i := range rows {
			if key, known := search.keys[rows[i].FrontendID]; known { // else it was added a moment ago
				out.add(recordingOf(&rows[i], key, reveal))
			}
		}
		if left != nil {
			*left -= len(rows)
		}
		if len(rows) < q.Limit || left != nil && *left == 0 || !out.send() {
			break
		}
		q = following(q, rows)
	}
	out.end()
	return nil
}

func (s *Server) rows(ctx context.Context, q b3scale.RecordingQuery) (rows []b3scale.Recording, total int, err error) {
	total, err = s.Recordings.Find(ctx, q, func(r b3scale.Recording) { rows = append(rows, r) })
	return rows, total, err
}

// following is the query of what comes after these rows. It begins where they
// end, so that what comes or goes meanwhile shifts nothing.
func following(q b3scale.RecordingQuery, rows []b3scale.Recording) b3scale.RecordingQuery {
	last := rows[len(rows)-1].StartMillis
	if rows[0].StartMillis == last || last < 0 {
		q.Offset += len(rows)
		return q
	}
	q.ToMillis, q.Offset = last+1, 0
	for i := len(rows) - 1; rows[i].StartMillis == last; i-- {
		q.Offset++
	}
	return q
}

// array is a JSON array that is sent in parts.
type array struct {
	w      http.ResponseWriter
	buffer bytes.Buffer
	pretty bool
	some   bool
}

func newArray(w http.ResponseWriter, r *http.Request) *array {
	return &array{w: w, pretty: r.URL.Query().Has("pretty")}
}

func (a *array) begin(total int) {
	h := a.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Total-Count", strconv.Itoa(total))
	a.w.WriteHeader(http.StatusOK)
	a.buffer.WriteByte('[')
}

func (a *array) add(value any) {
	if a.some {
		a.buffer.WriteByte(',')
	}
	a.some = true
	text, _ := json.Marshal(value) // texts, numbers and times always marshal
	if !a.pretty {
		a.buffer.Write(text)
		return
	}
	a.buffer.WriteString("\n  ")
	_ = json.Indent(&a.buffer, text, "  ", "  ")
}

// send reports whether somebody still listens.
func (a *array) send() bool {
	_, err := a.w.Write(a.buffer.Bytes())
	a.buffer.Reset()
	return err == nil
}

func (a *array) end() {
	if a.pretty && a.some {
		a.buffer.WriteByte('\n')
	}
	a.buffer.WriteString("]\n")
	a.send()
}

// sortRecordings sends what several queries find, or in an order that the store
// does not know. It looks at the newest of each only.
func (s *Server) sortRecordings(w http.ResponseWriter, r *http.Request, search recordingSearch, params RecordingsListParams) error {
	var found []Recording
	count, reveal := 0, who(r).Has(auth.Admin)
	for _, q := range search.queries {
		q.Limit = maxLimit
		rows, total, err := s.rows(r.Context(), q)
		if err != nil {
			return err
		}
		for i := range rows {
			if key, known := search.keys[rows[i].FrontendID]; known {
				found = append(found, recordingOf(&rows[i], key, reveal))
			}
		}
		count += total
	}
	found, err := page(w, found, paging{params.Limit, params.Offset, params.Order}, recordingOrders)
	if err != nil {
		return err
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(count))
	s.send(w, r, http.StatusOK, found)
	return nil
}

var recordingOrders = ordering[Recording]{
	"": func(a, b Recording) int {
		return cmp.Or(cmp.Compare(b.Recording.StartTime, a.Recording.StartTime), cmp.Compare(b.RecordID, a.RecordID))
	},
	"record_id":              by(func(r Recording) string { return r.RecordID }),
	"meeting_id":             by(func(r Recording) string { return r.MeetingID }),
	"internal_meeting_id":    by(func(r Recording) string { return r.InternalMeetingID }),
	"frontend_id":            by(func(r Recording) string { return r.FrontendID }),
	"recording.Name":         by(func(r Recording) string { return r.Recording.Name }),
	"recording.State":        by(func(r Recording) string { return r.Recording.State }),
	"recording.Published":    by(func(r Recording) int { return number(r.Recording.Published) }),
	"recording.StartTime":    by(func(r Recording) int64 { return r.Recording.StartTime }),
	"recording.EndTime":      by(func(r Recording) int64 { return r.Recording.EndTime }),
	"recording.Participants": by(func(r Recording) int { return r.Recording.Participants }),
	"created_at":             func(a, b Recording) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"updated_at":             func(a, b Recording) int { return a.UpdatedAt.Compare(b.UpdatedAt) },
	"synced_at":              func(a, b Recording) int { return a.SyncedAt.Compare(b.SyncedAt) },
}
