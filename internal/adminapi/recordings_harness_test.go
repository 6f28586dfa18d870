package adminapi

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"b3scale"
	"b3scale/internal/recordings"
)

// shelf is the real library on a directory of its own. It can be told to fail.
type shelf struct {
	*recordings.Library
	dir  string
	fail func(method string) error // nil: it does not
}

var _ Recordings = (*shelf)(nil)

func newShelf(h *harness) *shelf {
	h.Helper()
	s := &shelf{dir: h.TempDir()}
	for _, tree := range []string{"published", "unpublished", "inbox"} {
		if err := os.Mkdir(filepath.Join(s.dir, tree), 0o755); err != nil {
			h.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, tree, ".b3scale-tree"), nil, 0o600); err != nil { // rows come from the tests themselves
			h.Fatal(err)
		}
	}
	return s
}

func (s *shelf) options() recordings.Options {
	return recordings.Options{
		Published: filepath.Join(s.dir, "published"), Unpublished: filepath.Join(s.dir, "unpublished"), Inbox: filepath.Join(s.dir, "inbox"),
		FilesWait: time.Millisecond, Patience: time.Millisecond,
	}
}

func (s *shelf) failure(method string) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(method)
}

func (s *shelf) Find(ctx context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (int, error) {
	if err := s.failure("Find"); err != nil {
		return 0, err
	}
	return s.Library.Find(ctx, q, yield)
}

func (s *shelf) Import(ctx context.Context, document []byte, o b3scale.RecordingOverride) (b3scale.Recording, error) {
	if err := s.failure("Import"); err != nil {
		return b3scale.Recording{}, err
	}
	return s.Library.Import(ctx, document, o)
}

func (s *shelf) Delete(ctx context.Context, frontendID string, ids []string) error {
	if err := s.failure("Delete"); err != nil {
		return err
	}
	return s.Library.Delete(ctx, frontendID, ids)
}

func (s *shelf) Check(ctx context.Context, repair bool, yield func(b3scale.RecordingDifference)) error {
	if err := s.failure("Check"); err != nil {
		return err
	}
	return s.Library.Check(ctx, repair, yield)
}

// stored puts a recording without files into the store.
func (h *harness) stored(r b3scale.Recording) b3scale.Recording {
	h.Helper()
	if r.InternalMeetingID == "" {
		r.InternalMeetingID = r.ID
	}
	op, err := h.store.BeginRecordingOp(h.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: []string{r.ID}}, time.Minute)
	if err != nil {
		h.Fatal(err)
	}
	_, err = h.store.CommitRecordingOp(h.Context(), op, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) {
		return []b3scale.Recording{r}, nil, nil
	})
	if err != nil {
		h.Fatal(err)
	}
	if _, err := h.store.FinishRecordingOp(h.Context(), op); err != nil {
		h.Fatal(err)
	}
	return r
}

// files puts files of a format into a tree.
func (h *harness) files(tree, format, id string) {
	h.Helper()
	dir := filepath.Join(h.shelf.dir, tree, format, id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte(id), 0o600); err != nil {
		h.Fatal(err)
	}
}

// treeOf is where the files of a format are, "" for nowhere.
func (h *harness) treeOf(format, id string) string {
	h.Helper()
	where := ""
	for _, tree := range []string{"published", "unpublished", "inbox"} {
		if _, err := os.Stat(filepath.Join(h.shelf.dir, tree, format, id, "file")); err == nil {
			where += tree
		}
	}
	return where
}

// metadataOf is what a node writes about one format of a recording.
func metadataOf(id, format, key, meeting string) string {
	return fmt.Sprintf(`<?xml version="1.0"?><recording><id>%s</id><state>published</state><published>true</published>
	<start_time>1767225600123</start_time><end_time>1767229500123</end_time><participants>3</participants>
	<meeting id="%s" externalId="%s" name="Physics" breakout="false"/>
	<meta><meetingId>%[3]s</meetingId><meetingName>Physics</meetingName><b3s-frontend>%[4]s</b3s-frontend></meta>
	<playback><format>%s</format><link>https://node.example.org/%[5]s/%[1]s/</link><processing_time>4882</processing_time><duration>150000</duration></playback>
	</recording>`, id, id, b3scale.EncodeMeetingID(key, meeting), key, format)
}

func (a *answer) recordings() (all []Recording) {
	a.h.Helper()
	a.into(&all)
	return all
}

func (a *answer) recording() (r Recording) {
	a.h.Helper()
	a.into(&r)
	return r
}

// noted are the actions on recordings with what they changed, the newest
// first.
func (h *harness) noted(id string) (all []string) {
	h.Helper()
	var entries []AuditEntry
	h.ask(admin, "GET /audit?kind=recording&object_id="+id, "").into(&entries)
	for _, e := range entries {
		before, err := json.Marshal(e.Before)
		if err != nil {
			h.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %s %s", e.Action, e.Object.Name, before, e.After))
	}
	return all
}
