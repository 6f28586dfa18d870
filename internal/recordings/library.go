package recordings

import (
	"context"
	"log/slog"
	"time"

	"b3scale"
)

// Frontends knows who owns recordings. *cluster.Cluster is one.
type Frontends interface {
	Frontend(key string) *b3scale.Frontend
	FrontendByID(id string) *b3scale.Frontend
}

// Options have useful zero values, except for the paths.
type Options struct {
	Published   string // base of the published tree: below it <format>/<recording id>/
	Unpublished string // base of the unpublished tree
	Inbox       string // where new files appear; Published when empty
	// Original tells what the frontend may see of an address in the metadata; it
	// is empty if the address is ours and nothing can be told of it. nil: none
	// is ours.
	Original  func(frontendID, address string) (original string, ours bool)
	FilesWait time.Duration // how long an import waits for files that are not there yet; 5 s
	Patience  time.Duration // how long work waits for other work on the same recording; 10 s
	Lease     time.Duration // after it, work of a process that is gone is repaired; 1 min
	Step      func(string)  // hears the name of each step before it is done; for tests
	Done      func(kind b3scale.RecordingOpKind, err error)
}

// Library keeps the recordings of all frontends: rows in the store, files in
// the trees.
type Library struct {
	store     b3scale.Recordings
	frontends Frontends
	log       *slog.Logger
	opts      Options
}

// Find calls yield with the recordings that match, the newest first, and tells
// how many match without regard to the query's page.
func (l *Library) Find(ctx context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (total int, err error) {
	return l.store.Recordings(ctx, q, yield)
}

// Recording reads one. NotFound when there is none.
func (l *Library) Recording(ctx context.Context, id string) (b3scale.Recording, error) {
	return l.store.Recording(ctx, id)
}

// Update changes metadata, all or none of the recordings: NotFound when one of
// them is not there, or not the frontend's. Files stay where they are.
func (l *Library) Update(ctx context.Context, frontendID string, ids []string, edit func(*b3scale.Recording) error) error {
	return l.store.EditRecordings(ctx, frontendID, ids, edit)
}
