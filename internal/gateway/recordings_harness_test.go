package gateway_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/gateway"
)

// The recordings of every recordingsHarness, the newest first.
const (
	staffID   = "6066b1df8ad619edbe8b020318d1e394da0504f7-1767229200456" // unpublished
	roomID    = "b2453a49d9a6ceb38bd2a07d436fe35f9bb59d28-1767227400789" // a breakout room of physics
	physicsID = "332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600123"
	deletedID = "332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600000"
	foreignID = "332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600999" // of the second frontend

	node1  = "https://node1.bbb.example.org"
	thumbs = node1 + "/presentation/" + physicsID + "/presentation/d11ce424081d27fe82877ed86056b9eb7a0f224c-1767225601623/thumbnails/thumb-"
)

// shelf is a library without files, over the real store.
type shelf struct {
	store b3scale.Recordings
	fail  error                      // what comes of everything
	more  func() []b3scale.Recording // found besides
	found func(ctx context.Context)  // before the search ends
}

var _ gateway.Recordings = (*shelf)(nil)

func (s *shelf) Find(ctx context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (int, error) {
	total, err := s.store.Recordings(ctx, q, yield)
	if s.more != nil {
		for _, r := range s.more() {
			yield(r)
			total++
		}
	}
	if s.found != nil {
		s.found(ctx)
	}
	return total, errors.Join(err, s.fail)
}

func (s *shelf) Update(ctx context.Context, frontendID string, ids []string, edit func(*b3scale.Recording) error) error {
	if s.fail != nil {
		return s.fail
	}
	return s.store.EditRecordings(ctx, frontendID, ids, edit)
}

func (s *shelf) Publish(ctx context.Context, frontendID string, ids []string, published bool) error {
	return s.work(ctx, frontendID, b3scale.RecordingOp{Kind: b3scale.RecordingPublish, IDs: ids}, func(rows []b3scale.Recording) (put []b3scale.Recording, gone []string) {
		for i := range rows {
			rows[i].SetPublished(published)
		}
		return rows, nil
	})
}

func (s *shelf) Delete(ctx context.Context, frontendID string, ids []string) error {
	return s.work(ctx, frontendID, b3scale.RecordingOp{Kind: b3scale.RecordingDelete, IDs: ids}, func([]b3scale.Recording) ([]b3scale.Recording, []string) {
		return nil, ids
	})
}

func (s *shelf) work(ctx context.Context, frontendID string, op b3scale.RecordingOp, do func([]b3scale.Recording) ([]b3scale.Recording, []string)) error {
	if s.fail != nil {
		return s.fail
	}
	op, err := s.store.BeginRecordingOp(ctx, op, time.Minute)
	if err != nil {
		return err
	}
	_, err = s.store.CommitRecordingOp(ctx, op, func(now []b3scale.Recording) ([]b3scale.Recording, []string, error) {
		foreign := func(r b3scale.Recording) bool { return r.FrontendID != frontendID }
		if len(now) != len(op.IDs) || slices.ContainsFunc(now, foreign) {
			return nil, nil, b3scale.Errorf(b3scale.NotFound, "not all are there")
		}
		put, gone := do(now)
		return put, gone, nil
	})
	_, finished := s.store.FinishRecordingOp(ctx, op)
	return errors.Join(err, finished)
}

func (s *spyStore) EditRecordings(ctx context.Context, frontendID string, ids []string, edit func(*b3scale.Recording) error) error {
	s.note("EditRecordings")
	return s.Store.EditRecordings(ctx, frontendID, ids, edit)
}

func (s *spyStore) CommitRecordingOp(ctx context.Context, op b3scale.RecordingOp,
	settle func(now []b3scale.Recording) (put []b3scale.Recording, gone []string, err error),
) (bool, error) {
	s.note("CommitRecordingOp")
	return s.Store.CommitRecordingOp(ctx, op, settle)
}

// newRecordingsHarness has a library with the recordings of above.
func newRecordingsHarness(t testing.TB, opts gateway.Options) (*harness, *shelf) {
	t.Helper()
	s := &shelf{}
	opts.Recordings = s
	h := newHarness(t, setup{gateway: opts, nodes: noNodes})
	s.store = h.store
	h.put(h.one, physics(), room(), staff(), deleted())
	h.put(h.two, foreign())
	return h, s
}

// put stores recordings of a frontend.
func (h *harness) put(f b3scale.Frontend, all ...b3scale.Recording) {
	h.Helper()
	var ids []string
	for i := range all {
		all[i].FrontendID = f.ID
		ids = append(ids, all[i].ID)
	}
	op, err := h.store.BeginRecordingOp(h.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: ids}, time.Minute)
	if err != nil {
		h.Fatal(err)
	}
	_, err = h.store.CommitRecordingOp(h.Context(), op, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) { return all, nil, nil })
	if _, finished := h.store.FinishRecordingOp(h.Context(), op); err != nil || finished != nil {
		h.Fatal(err, finished)
	}
	h.store.takeWrites()
}

// stored is a recording as it is now.
func (h *harness) stored(id string) b3scale.Recording {
	h.Helper()
	r, err := h.store.Recording(h.Context(), id)
	if err != nil {
		h.Fatal(err)
	}
	return r
}

func recording(id, meetingID, name string, start, end int64) b3scale.Recording {
	return b3scale.Recording{
		ID: id, InternalMeetingID: id, MeetingID: meetingID, Name: name, Published: true, State: "published", StartMillis: start, EndMillis: end,
		Metadata: map[string]string{"meetingId": meetingID, "meetingName": name, "isBreakout": "false"},
	}
}

func physics() b3scale.Recording {
	r := recording(physicsID, "phys-101-spring", "Physics & Chemistry 101", 1767225600123, 1767229500123)
	r.Participants, r.RawSize = 3, 184549376
	r.Metadata["bbb-origin"], r.Metadata["bbb-recording-name"] = "Moodle", "Week 1"
	r.Formats = []b3scale.RecordingFormat{{
		Type: "presentation", URL: node1 + "/playback/presentation/2.3/" + physicsID, ProcessingMillis: 48210, DurationMillis: 3725000, Size: 7340032,
		Preview: []b3scale.RecordingImage{
			{URL: thumbs + "1.png", Alt: "Welcome slide", Width: 176, Height: 136}, {URL: thumbs + "2.png", Width: 176, Height: 136},
		},
	}, {Type: "video", URL: node1 + "/playback/video/" + physicsID + "/", DurationMillis: 3725000, Size: 99614720}}
	return r
}

func room() b3scale.Recording {
	const external = "ba201b51551a548e1b727547cef34bf902c627d3-1767227400789"
	r := recording(roomID, external, "Physics & Chemistry 101 (Room 1)", 1767227400789, 1767228300789)
	r.Participants, r.RawSize, r.Breakout, r.Metadata["isBreakout"] = 1, 5242880, true, "true"
	r.BreakoutOf = &b3scale.RecordingParent{ParentID: physicsID, Sequence: 1}
	r.Formats = []b3scale.RecordingFormat{{
		Type: "presentation", URL: node1 + "/playback/presentation/2.3/" + roomID, ProcessingMillis: 5000, DurationMillis: 880000, Size: 524288,
	}}
	return r
}

func staff() b3scale.Recording {
	r := recording(staffID, "staff-room", "Staff Room", 1767229200456, 1767229320456)
	r.SetPublished(false)
	r.RawSize = 2097152
	r.Formats = []b3scale.RecordingFormat{{
		Type: "presentation", URL: node1 + "/playback/presentation/2.3/" + staffID, ProcessingMillis: 9100, DurationMillis: 59_999, Size: 1048576,
	}}
	return r
}

func deleted() b3scale.Recording {
	r := recording(deletedID, "phys-101-spring", "Physics", 1767225600000, 1767225700000)
	r.Published, r.State = false, "deleted"
	return r
}

func foreign() b3scale.Recording {
	r := recording(foreignID, "phys-101-spring", "of the other", 1767225600999, 1767225700000)
	r.Metadata["bbb-origin"] = "Moodle"
	return r
}

// listed are the ids in an answer of getRecordings, in order. nil if it has
// failed.
func (r reply) listed(t testing.TB) (ids []string) {
	t.Helper()
	if r.outcome(t) != "SUCCESS" {
		t.Errorf("got %v", r)
		return nil
	}
	for e := range r.root(t).Child("recordings").Children() {
		ids = append(ids, e.Child("recordID").Text())
	}
	if none := r.text(t, "messageKey") == "noRecordings"; none != (len(ids) == 0) {
		t.Errorf("%d recordings: got %v", len(ids), r)
	}
	return ids
}

// responseFixture is an answer of a node.
func responseFixture(t testing.TB, name string) string {
	t.Helper()
	dir := "../../bbb/testdata/responses"
	if strings.HasSuffix(name, ".json") {
		dir = "testdata/responses"
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shape is a document without what has no meaning: blanks, the order of
// attributes, of recordings and of metadata. Nodes escape names twice.
func shape(t testing.TB, document string) string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(document))
	var read func(name string) string
	read = func(name string) string {
		var children []string
		text := ""
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if start, ok := token.(xml.StartElement); ok {
				tag := start.Name.Local
				var attributes []string
				for _, a := range start.Attr {
					attributes = append(attributes, " "+a.Name.Local+"="+strconv.Quote(a.Value))
				}
				slices.Sort(attributes)
				children = append(children, tag+strings.Join(attributes, "")+"{"+read(tag)+"}")
				continue
			}
			if data, ok := token.(xml.CharData); ok {
				text += string(data)
			} else if _, ok := token.(xml.EndElement); ok {
				break
			}
		}
		if name == "recordings" || name == "metadata" {
			slices.Sort(children)
		}
		if text = strings.TrimSpace(text); name == "name" {
			text = strings.ReplaceAll(text, "&amp;", "&")
		}
		return text + strings.Join(children, "\n")
	}
	return read("")
}
