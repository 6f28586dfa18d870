package recordings

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"b3scale"
)

const (
	one = "332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600123"
	two = "6066b1df8ad619edbe8b020318d1e394da0504f7-1767229200456"
)

// job is one kind of work: what it starts from, and what it does.
type job struct {
	name  string
	setup func(s *site)
	do    func(s *site) func(ctx context.Context) error
}

var jobs = []job{
	{"import", func(s *site) { s.put(s.inbox, "presentation", one) }, importing("presentation")},
	{"import of a second format", func(s *site) {
		s.has(one, "presentation")
		s.put(s.inbox, "video", one)
	}, importing("video")},
	{"import into the unpublished tree", func(s *site) {
		s.has(one, "presentation")
		s.publish(one, false)
		s.put(s.inbox, "video", one)
	}, importing("video")},
	{"import from the unpublished tree", func(s *site) { s.put(s.unpublished, "video", one) }, importing("video")},
	{"check that repairs", func(s *site) { s.put(s.unpublished, "video", one) }, func(s *site) func(context.Context) error {
		return func(ctx context.Context) error { return s.Check(ctx, true, func(b3scale.RecordingDifference) {}) }
	}},
	{"publish", func(s *site) {
		s.has(one, "presentation", "video")
		s.has(two, "presentation")
		s.publish(one, false)
		s.publish(two, false)
	}, publishing(true)},
	{"unpublish", func(s *site) {
		s.has(one, "presentation", "video")
		s.has(two, "presentation")
	}, publishing(false)},
	{"delete", func(s *site) {
		s.has(one, "presentation", "video")
		s.has(two, "presentation")
		s.publish(two, false)
		s.put(s.inbox, "podcast", one)
	}, func(s *site) func(context.Context) error {
		return func(ctx context.Context) error { return s.Delete(ctx, s.frontends["a"].ID, []string{two, one}) }
	}},
}

func importing(format string) func(*site) func(context.Context) error {
	return func(s *site) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.Import(ctx, []byte(document(one, format)), b3scale.RecordingOverride{})
			return err
		}
	}
}

func publishing(published bool) func(*site) func(context.Context) error {
	return func(s *site) func(context.Context) error {
		return func(ctx context.Context) error {
			return s.Publish(ctx, s.frontends["a"].ID, []string{one, two}, published)
		}
	}
}

func (s *site) publish(id string, published bool) {
	s.t.Helper()
	if err := s.Publish(s.t.Context(), s.frontends["a"].ID, []string{id}, published); err != nil {
		s.t.Fatal(err)
	}
}

// state is all that counts: rows, without times, and files.
type state struct {
	Published map[string]bool
	Formats   map[string][]string
	Files     map[string]string
}

func (s *site) state() state {
	now := state{map[string]bool{}, map[string][]string{}, s.files()}
	for id, r := range s.rows() {
		now.Published[id] = r.Published
		for _, f := range r.Formats {
			now.Formats[id] = append(now.Formats[id], f.Type)
		}
	}
	return now
}

var inboxes = map[string]Options{"its own": {}, "published": {Inbox: "published"}, "unpublished": {Inbox: "unpublished"}}

// A process that dies at any step leaves what the next start turns into the
// state before the work or into that after it: rows and files.
func TestDeathAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, apart := range []bool{false, true} {
		for inbox := range inboxes {
			for _, j := range jobs {
				if inbox != "its own" && !strings.Contains(j.name, "import") && !strings.Contains(j.name, "check") {
					continue // it has nothing to do with the inbox
				}
				t.Run(fmt.Sprintf("%s, apart %v, inbox %s", j.name, apart, inbox), func(t *testing.T) {
					t.Parallel()
					wanted := newSiteWith(t, inbox)
					j.setup(wanted)
					if err := j.do(wanted)(t.Context()); err != nil {
						t.Fatal(err)
					}
					died := 0
					for at := 1; dies(t, j, apart, inbox, at, wanted.state()); at++ {
						died++
					}
					if died < 2 {
						t.Errorf("there were only %d steps to die at", died)
					}
				})
			}
		}
	}
}

// newSiteWith has its inbox there.
func newSiteWith(t *testing.T, inbox string) *site {
	s := newSite(t)
	s.reopen(inbox)
	return s
}

func (s *site) reopen(inbox string) {
	dir, opts := filepath.Dir(s.published.base), inboxes[inbox]
	if opts.Inbox != "" {
		opts.Inbox = filepath.Join(dir, opts.Inbox)
	}
	s.open(dir, opts)
}

// dies reports whether the work had that step.
func dies(t *testing.T, j job, apart bool, inbox string, at int, done state) bool {
	s := newSiteWith(t, inbox)
	s.apart = apart
	j.setup(s)
	before := s.state()
	died := s.crashes(at, j.do(s))
	steps := s.steps
	if died { // the next process may die as well, while it repairs
		s.crashes(1+at%5, func(ctx context.Context) error { return s.repaired(ctx) })
	}
	s.reopen(inbox)
	if err := s.repaired(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.agreeBut(before)
	after := s.state()
	if reflect.DeepEqual(after, before) {
		if !died {
			t.Fatal("the work did nothing")
		}
	}
	if err := j.do(s)(t.Context()); err != nil && (j.name != "delete" || b3scale.CodeOf(err) != b3scale.NotFound) {
		t.Fatalf("died at %v; then: %v", steps, err)
	}
	s.agree()
	if got := s.state(); !reflect.DeepEqual(got, done) {
		t.Fatalf("died at %v; done again, it is\n%v, want\n%v", steps, got, done)
	}
	if !reflect.DeepEqual(after, before) && !reflect.DeepEqual(after, done) {
		t.Fatalf("died at %v; repaired to\n%v, which is neither\n%v nor\n%v", steps, after, before, done)
	}
	return died
}

// repaired ends work whose owner is gone, as time would tell.
func (s *site) repaired(ctx context.Context) error {
	for _, o := range s.taps.had() {
		if _, err := s.db.RenewRecordingOp(ctx, o, 0); err != nil {
			return err
		}
	}
	return s.repairOps(ctx, nil)
}

// agreeBut is agree where files that were waiting to be imported may wait still.
func (s *site) agreeBut(before state) {
	s.t.Helper()
	for _, d := range s.differences(false) {
		waited := slices.ContainsFunc(s.trees, func(t tree) bool {
			_, there := before.Files[t.name+"/"+d.Format+"/"+d.RecordingID+"/empty"]
			return there && d.Path == t.live(d.Format, d.RecordingID)
		})
		if !waited || d.Kind != b3scale.FilesUnknown {
			s.t.Fatalf("rows and files do not agree: %+v", d)
		}
	}
}
