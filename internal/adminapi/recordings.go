package adminapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

// Recordings are those of all frontends, with their files.
// *recordings.Library is one.
type Recordings interface {
	Find(ctx context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (total int, err error)
	Recording(ctx context.Context, id string) (b3scale.Recording, error)
	Import(ctx context.Context, document []byte, o b3scale.RecordingOverride) (b3scale.Recording, error)
	Delete(ctx context.Context, frontendID string, ids []string) error
	SetVisibility(ctx context.Context, id string, v b3scale.RecordingVisibility) (b3scale.Recording, error)
	Move(ctx context.Context, id, frontendID string) (b3scale.Recording, error)
	Check(ctx context.Context, repair bool, yield func(b3scale.RecordingDifference)) error
}

// errNoRecordings is for all routes of recordings where none are kept. It is no
// matter of time: nobody should try again.
var errNoRecordings = b3scale.Errorf(b3scale.NotFound,
	"recordings are switched off: set B3SCALE_RECORDINGS_PUBLISHED_PATH and B3SCALE_RECORDINGS_UNPUBLISHED_PATH")

// withRecordings does what needs them.
func (s *Server) withRecordings(w http.ResponseWriter, r *http.Request, do func() error) {
	err := error(errNoRecordings)
	if s.Recordings != nil {
		err = do()
	}
	if err != nil {
		s.fail(w, r, err)
	}
}

// RecordingsList lists recordings, the newest first.
func (s *Server) RecordingsList(w http.ResponseWriter, r *http.Request, params RecordingsListParams) {
	s.withRecordings(w, r, func() error {
		search, err := s.recordingSearch(r, params)
		if err != nil {
			return err
		}
		if params.Order == nil && len(search.queries) == 1 {
			return s.streamRecordings(w, r, search, params)
		}
		return s.sortRecordings(w, r, search, params)
	})
}

// RecordingsRead shows one.
func (s *Server) RecordingsRead(w http.ResponseWriter, r *http.Request, id RecordingID) {
	s.withRecordings(w, r, func() error {
		keys, err := s.visibleKeys(r)
		if err != nil {
			return err
		}
		found, err := s.recording(r.Context(), id)
		if err != nil {
			return err
		}
		key, visible := keys[found.FrontendID]
		if !visible {
			return unknown("recording", id)
		}
		s.send(w, r, http.StatusOK, recordingOf(&found, key, who(r).Has(auth.Admin)))
		return nil
	})
}

// recording reads one, whosever it is.
func (s *Server) recording(ctx context.Context, id string) (b3scale.Recording, error) {
	if len(id) > maxRecordID || hasControls(id) {
		return b3scale.Recording{}, unknown("recording", id)
	}
	return s.Recordings.Recording(ctx, id)
}

const maxRecordID = 255

// visibleKeys are the keys of the frontends that who asks may see, by id.
func (s *Server) visibleKeys(r *http.Request) (map[string]string, error) {
	all, err := s.Store.Frontends(r.Context())
	if err != nil {
		return nil, err
	}
	keys := make(map[string]string, len(all))
	for i := range all {
		if seesFrontend(who(r), &all[i]) {
			keys[all[i].ID] = all[i].Key
		}
	}
	return keys, nil
}

// recordingSearch is what a list asks for.
type recordingSearch struct {
	queries []b3scale.RecordingQuery // what any of them finds; none: nothing
	keys    map[string]string        // of the frontends that may be seen, by id
}

func (s *Server) recordingSearch(r *http.Request, params RecordingsListParams) (recordingSearch, error) {
	keys, err := s.visibleKeys(r)
	if err != nil {
		return recordingSearch{}, err
	}
	search := recordingSearch{keys: keys}
	q, some, err := recordingQuery(params)
	if err != nil {
		return search, err
	}
	frontends := []string{""} // all
	if !who(r).HasAny(auth.Admin, auth.Read) {
		frontends = frontends[:0]
		for id := range keys {
			frontends = append(frontends, id)
		}
	}
	if id, key := text(params.FrontendID), text(params.FrontendKey); id != "" || key != "" {
		if id == "" {
			id = search.idOf(key)
		}
		if _, known := keys[id]; !known {
			return search, b3scale.Errorf(b3scale.NotFound, "no frontend with this id or key")
		}
		frontends = []string{id}
	}
	if key, plain, encoded := b3scale.DecodeMeetingID(text(params.MeetingID)); encoded {
		id := search.idOf(key)
		some = some && id != "" && (slices.Contains(frontends, "") || slices.Contains(frontends, id))
		frontends, q.MeetingIDs = []string{id}, []string{plain}
	}
	if !some {
		return search, nil
	}
	for _, id := range frontends {
		q.FrontendID = id
		search.queries = append(search.queries, q)
	}
	return search, nil
}

// idOf is the id of the frontend with a key; empty when there is none to be
// seen.
func (s recordingSearch) idOf(key string) string {
	for id, k := range s.keys {
		if k == key {
			return id
		}
	}
	return ""
}

// recordingQuery reads the filters that are not about frontends. some is false
// when nothing can match.
func recordingQuery(params RecordingsListParams) (q b3scale.RecordingQuery, some bool, err error) {
	wrong := paging{params.Limit, params.Offset, nil}.wrong()
	some = true
	for _, filter := range []struct {
		name, value string
		into        *[]string
	}{
		{"meeting_id", text(params.MeetingID), &q.MeetingIDs},
		{"record_id", text(params.RecordID), &q.IDPrefixes},
		{"state", text(params.State), &q.States},
	} {
		if hasControls(filter.value) {
			wrong.add(filter.name, "should have no control characters")
		}
		if filter.value != "" {
			*filter.into = []string{filter.value}
		}
	}
	for _, limit := range []struct {
		name string
		text *string
		into *int64
	}{{"from", params.From, &q.FromMillis}, {"to", params.To, &q.ToMillis}} {
		if limit.text == nil {
			continue
		}
		var ok bool
		if *limit.into, ok = millisOf(*limit.text); !ok {
			wrong.add(limit.name, "should be a time like 2026-01-06T10:00:00Z, or milliseconds since 1970")
		}
		some = some && (limit.into == &q.FromMillis || *limit.into > 0) // 0 would be no end
	}
	return q, some, wrong.err()
}

// millisOf reads a time: RFC 3339, or milliseconds since 1970.
func millisOf(text string) (int64, bool) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, n >= 0
	}
	at, err := time.Parse(time.RFC3339, text)
	return max(at.UnixMilli(), 0), err == nil
}
