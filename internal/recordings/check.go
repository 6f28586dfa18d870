package recordings

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"b3scale"
)

// Check compares rows and files both ways, and calls yield with everything in
// which they do not agree. Recordings that are being worked on are left out.
// With repair it also makes them agree, as far as it is clear how.
func (l *Library) Check(ctx context.Context, repair bool, yield func(b3scale.RecordingDifference)) error {
	if repair && l.opts.Observe {
		return errObserving
	}
	if err := l.mounted(ctx); err != nil {
		return err
	}
	c := check{l: l, repair: repair, yield: yield, busy: map[string]bool{}}
	if err := c.ops(ctx); err != nil {
		return err
	}
	found, err := l.walk()
	if err != nil {
		return err
	}
	suspects, err := c.suspects(ctx, found)
	if err != nil {
		return err
	}
	for _, left := range found.ours {
		if err := c.leftOver(ctx, left); err != nil {
			return err
		}
	}
	for _, s := range suspects {
		if err := c.judge(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

type check struct {
	l      *Library
	repair bool
	yield  func(b3scale.RecordingDifference)
	busy   map[string]bool // recordings with work under way
	opIDs  []string        // of that work
}

// ops tells what broke off. What is under way is not for us.
func (c *check) ops(ctx context.Context) error {
	begun, err := c.l.store.RecordingOps(ctx)
	if err != nil {
		return err
	}
	for _, o := range begun {
		var problem error
		if o.Lapsed && c.repair {
			problem = c.l.repairOps(ctx, o.IDs)
		}
		if o.Lapsed {
			d := b3scale.RecordingDifference{Kind: b3scale.OpUnfinished, Detail: string(o.Kind) + " broke off"}
			for _, id := range o.IDs {
				d.RecordingID = id
				c.tell(d, problem)
			}
		}
		if !o.Lapsed || !c.repair || problem != nil {
			c.opIDs = append(c.opIDs, o.ID)
			for _, id := range o.IDs {
				c.busy[id] = true
			}
		}
	}
	return nil
}

func (c *check) tell(d b3scale.RecordingDifference, problem error) {
	d.Repaired = c.repair && problem == nil
	if c.repair && problem != nil {
		d.Error = problem.Error()
		if e, ok := errors.AsType[*b3scale.Error](problem); ok {
			d.Error = e.Message
		}
	}
	c.yield(d)
}

// suspect is one format of one recording that did not look right.
type suspect struct{ id, format string }

// found is what is in the trees.
type found struct {
	places map[suspect][]tree
	ours   []leftOver
}

// leftOver is a directory of ours.
type leftOver struct {
	tree   tree
	format string
	name   string
}

// walk looks at the names of all recordings' directories, not into them.
func (l *Library) walk() (found, error) {
	all := found{places: map[suspect][]tree{}}
	for _, t := range l.trees {
		formats, err := os.ReadDir(t.base)
		if err != nil {
			return all, b3scale.Errorf(b3scale.Unavailable, "the %s tree cannot be read", t.name).Because(err)
		}
		for _, format := range formats {
			if !IsID(format.Name()) || !format.IsDir() {
				continue
			}
			entries, err := os.ReadDir(filepath.Join(t.base, format.Name()))
			if err != nil {
				return all, b3scale.Errorf(b3scale.Unavailable, "%s in the %s tree cannot be read", format.Name(), t.name).Because(err)
			}
			for _, entry := range entries {
				switch name := entry.Name(); {
				case strings.HasPrefix(name, ourPrefix):
					all.ours = append(all.ours, leftOver{t, format.Name(), name})
				case IsID(name):
					s := suspect{name, format.Name()}
					all.places[s] = append(all.places[s], t)
				}
			}
		}
	}
	return all, nil
}

// formatDirs are the names of all formats that have a directory in any tree.
func (l *Library) formatDirs() ([]string, error) {
	var names []string
	for _, t := range l.trees {
		entries, err := os.ReadDir(t.base)
		if err != nil {
			return nil, b3scale.Errorf(b3scale.Unavailable, "the %s tree cannot be read", t.name).Because(err)
		}
		for _, entry := range entries {
			if IsID(entry.Name()) && entry.IsDir() {
				names = append(names, entry.Name())
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names))), nil
}

// suspects are those that do not agree as far as one look at rows and files
// tells. Both may have changed meanwhile.
func (c *check) suspects(ctx context.Context, all found) ([]suspect, error) {
	var some []suspect
	_, err := c.l.store.Recordings(ctx, b3scale.RecordingQuery{}, func(r b3scale.Recording) {
		for _, f := range r.Formats {
			s := suspect{r.ID, f.Type}
			if where := all.places[s]; len(where) != 1 || where[0] != c.l.home(r.Published) {
				some = append(some, s)
			}
			delete(all.places, s)
		}
	})
	if err != nil {
		return nil, err
	}
	for s := range all.places {
		some = append(some, s)
	}
	slices.SortFunc(some, func(a, b suspect) int {
		return strings.Compare(a.id+"/"+a.format, b.id+"/"+b.format)
	})
	return some, nil
}

// judge looks once more, now that it is about one format only.
func (c *check) judge(ctx context.Context, s suspect) error {
	d, differ, err := c.compare(ctx, s)
	if err != nil || !differ {
		return err
	}
	if !c.repair {
		c.tell(d, nil)
		return nil
	}
	problem := c.mend(ctx, s, d)
	if problem == nil && d.Kind != b3scale.FilesUnknown {
		if still, differ, err := c.compare(ctx, s); err != nil {
			return err
		} else if differ {
			problem = b3scale.Errorf(b3scale.Conflict, "nobody knows what is right: %s", still.Detail)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.tell(d, problem)
	return nil
}

// compare tells in what row and files differ, unless somebody is at work.
func (c *check) compare(ctx context.Context, s suspect) (d b3scale.RecordingDifference, differ bool, err error) {
	if busy, err := c.isBusy(ctx, s.id); busy || err != nil {
		return d, false, err
	}
	row, err := c.l.store.Recording(ctx, s.id)
	if err != nil && b3scale.CodeOf(err) != b3scale.NotFound {
		return d, false, err
	}
	has := slices.ContainsFunc(row.Formats, func(f b3scale.RecordingFormat) bool { return f.Type == s.format })
	d = b3scale.RecordingDifference{RecordingID: s.id, Format: s.format}
	f := files{l: c.l, format: s.format, id: s.id}
	where, err := f.places()
	if err != nil {
		d.Kind, d.Detail = b3scale.FilesUnreadable, err.Error()
		return d, true, nil
	}
	if len(where) > 0 {
		d.Path = f.live(where[0])
	}
	home := c.l.home(row.Published)
	switch {
	case !has && len(where) == 0:
		return d, false, nil
	case !has:
		d.Kind, d.Detail = b3scale.FilesUnknown, "in the "+where[0].name+" tree, not imported"
	case len(where) == 0:
		d.Kind, d.Detail = b3scale.FilesMissing, "not in any tree"
	case len(where) > 1:
		d.Kind, d.Detail = b3scale.FilesTwice, "in the "+where[0].name+" and in the "+where[1].name+" tree"
	case where[0] != home:
		d.Kind, d.Detail = b3scale.FilesMisplaced, "in the "+where[0].name+" instead of the "+home.name+" tree"
	default:
		return d, false, nil
	}
	return d, true, nil
}

func (c *check) isBusy(ctx context.Context, id string) (bool, error) {
	if c.busy[id] {
		return true, nil
	}
	now, err := c.l.store.RecordingOps(ctx)
	return slices.ContainsFunc(now, func(o b3scale.RecordingOp) bool { return slices.Contains(o.IDs, id) }), err
}

// mend repairs what is clear.
func (c *check) mend(ctx context.Context, s suspect, d b3scale.RecordingDifference) error {
	switch d.Kind {
	case b3scale.FilesMisplaced, b3scale.FilesTwice:
		booked := b3scale.RecordingOp{Kind: b3scale.RecordingRepair, IDs: []string{s.id}}
		return c.l.work(ctx, booked, func(context.Context, *op) error { return nil })
	case b3scale.FilesUnknown:
		return c.takeIn(ctx, s)
	default:
		return b3scale.Errorf(b3scale.Conflict, "%s", d.Detail)
	}
}

// takeIn imports files that nobody imported. What was or may have been imported
// before comes back unpublished: nobody knows any more who may see it.
func (c *check) takeIn(ctx context.Context, s suspect) error {
	f := files{l: c.l, format: s.format, id: s.id}
	where, err := f.places()
	if err != nil || len(where) == 0 {
		return err
	}
	if changed, err := lastChange(f.live(where[0])); err != nil || time.Since(changed) < c.l.opts.Quiet {
		return b3scale.Errorf(b3scale.Conflict, "it has changed since %s ago and may still be arriving: check again later", c.l.opts.Quiet).Because(err)
	}
	document, err := readMetadata(f.live(where[0]))
	if err != nil {
		return b3scale.Errorf(b3scale.NotFound, "it has no metadata.xml that could be read: import it with one, or remove it").Because(err)
	}
	r, err := ParseMetadata(document)
	switch {
	case err != nil:
		return err
	case r.ID != s.id || r.Formats[0].Type != s.format:
		return b3scale.Errorf(b3scale.Conflict, "its metadata.xml is of another recording or format")
	}
	if _, err := c.l.claim(&r, b3scale.RecordingOverride{}); err != nil {
		return err
	}
	if where[0] == c.l.published || where[0] == c.l.unpublished {
		r.SetPublished(false)
	}
	_, err = c.l.take(ctx, r, b3scale.RecordingOverride{})
	return err
}

// lastChange is when anything in a directory was last written.
func lastChange(dir string) (last time.Time, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
		return err
	})
	return last, err
}

func readMetadata(dir string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Lstat("metadata.xml")
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxMetadata {
		return nil, errors.New("it is no file, or too large")
	}
	return root.ReadFile("metadata.xml")
}
