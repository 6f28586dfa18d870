package recordings

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"b3scale"
)

// idLength is that of an op's id, see b3scale.NewID.
const idLength = 36

// leftOver judges a directory of ours. That of work under way is none.
func (c *check) leftOver(ctx context.Context, left leftOver) error {
	rest, aside := strings.CutPrefix(left.name, asidePrefix)
	if !aside {
		rest = strings.TrimPrefix(left.name, incomingPrefix)
	}
	d := b3scale.RecordingDifference{Kind: b3scale.FilesLeftOver, Format: left.format, Path: filepath.Join(left.tree.base, left.format, left.name)}
	if len(rest) <= idLength || rest[idLength] != '-' || !IsID(rest[idLength+1:]) {
		d.Detail = "with an unknown name"
		c.tell(d, b3scale.Errorf(b3scale.Conflict, "nobody knows what it is: remove it by hand"))
		return nil
	}
	opID, id := rest[:idLength], rest[idLength+1:]
	d.RecordingID = id
	now, err := c.l.store.RecordingOps(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(now, func(o b3scale.RecordingOp) bool { return o.ID == opID || slices.Contains(o.IDs, id) }) {
		return nil
	}
	if there, err := isThere(d.Path); err == nil && !there {
		return nil // it has gone meanwhile
	}
	d.Detail = "by work that is not known any more"
	if !c.repair {
		c.tell(d, nil)
		return nil
	}
	c.tell(d, c.l.sweep(ctx, left, opID, id))
	return ctx.Err()
}

// sweep removes what is left over, unless it is all that there is of files that
// have a row: then it brings them back.
func (l *Library) sweep(ctx context.Context, left leftOver, opID, id string) error {
	booked := b3scale.RecordingOp{Kind: b3scale.RecordingRepair, IDs: []string{id}}
	return l.work(ctx, booked, func(ctx context.Context, o *op) error {
		var row b3scale.Recording
		if _, err := l.store.Recordings(ctx, b3scale.RecordingQuery{IDs: o.IDs}, func(r b3scale.Recording) { row = r }); err != nil {
			return err
		}
		f := files{l: l, op: o, format: left.format, id: id}
		has := slices.ContainsFunc(row.Formats, func(g b3scale.RecordingFormat) bool { return g.Type == left.format })
		path := filepath.Join(left.tree.base, left.format, left.name)
		if has && path == left.tree.aside(opID, left.format, id) {
			where, err := f.places()
			if err != nil {
				return err
			}
			if len(where) == 0 {
				return f.move(ctx, path, l.home(row.Published))
			}
			if equal, err := same(ctx, path, f.live(where[0])); err != nil || !equal {
				return cmp.Or(err, error(b3scale.Errorf(b3scale.Conflict, "it differs from what is played now: look at both, and remove one by hand")))
			}
		}
		return o.remove(path)
	})
}
