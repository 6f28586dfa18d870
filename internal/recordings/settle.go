package recordings

import (
	"context"
	"fmt"
	"slices"

	"b3scale"
)

// settle moves the files of an op's recordings to where the rows say, from
// wherever the work has left them: forward when the rows were written, back
// when not. It may be done again.
func (l *Library) settle(ctx context.Context, o *op) error {
	rows := map[string]b3scale.Recording{}
	if _, err := l.store.Recordings(ctx, b3scale.RecordingQuery{IDs: o.IDs}, func(r b3scale.Recording) { rows[r.ID] = r }); err != nil {
		return err
	}
	touched := o.Formats
	if o.Kind == b3scale.RecordingDelete { // that may be any
		var err error
		if touched, err = l.formatDirs(); err != nil {
			return err
		}
	}
	for _, id := range o.IDs {
		row, exists := rows[id]
		formats := slices.Clone(touched)
		for _, f := range row.Formats {
			formats = append(formats, f.Type)
		}
		slices.Sort(formats)
		for _, format := range slices.Compact(formats) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			f := files{l: l, op: o, format: format, id: id}
			if err := f.settle(ctx, row, exists); err != nil {
				return fmt.Errorf("%s/%s: %w", format, id, err)
			}
		}
	}
	return nil
}

// files are those of one format of one recording, wherever they are.
type files struct {
	l          *Library
	op         *op
	format, id string
}

func (f files) live(t tree) string     { return t.live(f.format, f.id) }
func (f files) aside(t tree) string    { return t.aside(f.op.ID, f.format, f.id) }
func (f files) incoming(t tree) string { return t.incoming(f.op.ID, f.format, f.id) }

func (f files) settle(ctx context.Context, row b3scale.Recording, exists bool) error {
	for _, t := range f.l.trees {
		if err := f.op.remove(f.incoming(t)); err != nil {
			return err
		}
	}
	has := slices.ContainsFunc(row.Formats, func(g b3scale.RecordingFormat) bool { return g.Type == f.format })
	switch {
	case f.op.Kind == b3scale.RecordingDelete && !exists:
		return f.vanish(ctx)
	case f.op.Kind == b3scale.RecordingDelete:
		return f.reappear(ctx)
	case has:
		return f.gather(ctx, f.l.home(row.Published))
	case f.op.Kind == b3scale.RecordingImport:
		return f.gather(ctx, f.l.origin(f.op.Origin))
	default: // the work had nothing to do with them
		return nil
	}
}

// vanish removes what was put aside: the row is gone. What is live by now has
// come since.
func (f files) vanish(ctx context.Context) error {
	for _, t := range f.l.trees {
		f.op.step("remove")
		if err := f.op.remove(f.aside(t)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// withdraw puts the files of a tree aside, if there are any.
func (f files) withdraw(t tree) error {
	if there, err := isThere(f.live(t)); err != nil || !there {
		return err
	}
	f.op.touched = true
	f.op.step("withdraw")
	if _, err := f.op.rename(f.live(t), f.aside(t)); err != nil {
		return err
	}
	f.op.step("withdrawn")
	return nil
}

// reappear puts back what was put aside: the row is still there. When others
// have come meanwhile, what is not the same stays aside; a check tells.
func (f files) reappear(ctx context.Context) error {
	for _, t := range f.l.trees {
		aside, err := isThere(f.aside(t))
		if err != nil {
			return err
		}
		if !aside {
			continue
		}
		live, err := isThere(f.live(t))
		if err != nil {
			return err
		}
		if live {
			err = f.dropAside(ctx, t)
		} else {
			_, err = f.op.rename(f.aside(t), f.live(t))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropAside removes what was put aside in a tree when the same is live there.
func (f files) dropAside(ctx context.Context, t tree) error {
	equal, err := same(ctx, f.aside(t), f.live(t))
	if err != nil {
		return err
	}
	if !equal {
		f.l.log.WarnContext(ctx, "files that were put aside stay there: others have come in their place", "recording", f.id, "format", f.format, "tree", t.name)
		return nil
	}
	return f.op.remove(f.aside(t))
}

// gather makes home the only place of the files, and removes other copies of
// them. Others that are not the same stay: nobody knows which are right.
func (f files) gather(ctx context.Context, home tree) error {
	atHome, err := isThere(f.live(home))
	if err != nil {
		return err
	}
	if !atHome {
		from, err := f.best(home)
		if err != nil || from == "" {
			return err // or there are none at all: a check tells
		}
		if err := f.move(ctx, from, home); err != nil {
			return err
		}
	}
	for _, t := range f.l.trees {
		if t != home {
			if err := f.dropCopy(ctx, t, home); err != nil {
				return err
			}
		}
		if err := f.op.remove(f.aside(t)); err != nil {
			return err
		}
	}
	return nil
}

// best is the place to take the files from that are missing at home: what was
// put aside is complete, and not the last copy made of it.
func (f files) best(home tree) (string, error) {
	trees := append([]tree{home}, f.l.trees...)
	for _, place := range []func(tree) string{f.aside, f.live} {
		for _, t := range trees {
			if there, err := isThere(place(t)); err != nil || there {
				return place(t), err
			}
		}
	}
	return "", nil
}

// dropCopy removes the files of a tree when home has the same.
func (f files) dropCopy(ctx context.Context, t, home tree) error {
	there, err := isThere(f.live(t))
	if err != nil || !there {
		return err
	}
	equal, err := same(ctx, f.live(t), f.live(home))
	if err != nil {
		return err
	}
	if !equal {
		f.l.log.WarnContext(ctx, "the files of a recording are there twice and differ", "recording", f.id, "format", f.format, "kept", home.name, "also", t.name)
		return nil
	}
	return f.withdraw(t)
}

// move brings files to where none are. Across file systems they are copied
// first, and what is left is put aside: nobody serves it, and it can come back.
func (f files) move(ctx context.Context, from string, to tree) error {
	f.op.touched = true
	f.op.step("move")
	moved, err := f.op.rename(from, f.live(to))
	if err != nil {
		return err
	}
	if !moved {
		if err := f.copy(ctx, from, to); err != nil {
			return err
		}
	}
	f.op.step("moved")
	return nil
}

func (f files) copy(ctx context.Context, from string, to tree) error {
	if err := f.l.copyTree(ctx, from, f.incoming(to)); err != nil {
		return err
	}
	f.op.step("copied")
	if _, err := f.op.rename(f.incoming(to), f.live(to)); err != nil {
		return err
	}
	f.op.step("arrived")
	for _, t := range f.l.trees {
		if from == f.live(t) {
			return f.withdraw(t)
		}
	}
	return nil
}
