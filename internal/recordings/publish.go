package recordings

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"b3scale"
)

// Publish publishes recordings of a frontend or takes that back, all or none:
// NotFound when one of them is not there, or not the frontend's. An empty
// frontendID stands for all.
func (l *Library) Publish(ctx context.Context, frontendID string, ids []string, published bool) error {
	rows, err := l.owned(ctx, frontendID, ids)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(r b3scale.Recording) bool {
		return r.Published == published && (r.State == b3scale.StatePublished || r.State == b3scale.StateUnpublished)
	})
	if len(rows) == 0 {
		return nil
	}
	return l.publish(ctx, frontendID, idsOf(rows), published, func(r *b3scale.Recording) { r.SetPublished(published) })
}

// SetVisibility says who may see a recording, and moves its files accordingly.
func (l *Library) SetVisibility(ctx context.Context, id string, v b3scale.RecordingVisibility) (changed b3scale.Recording, err error) {
	var probe b3scale.Recording
	if !probe.SetVisibility(v) {
		return changed, b3scale.Errorf(b3scale.InvalidArgument, "unknown recording visibility: '%s'", v)
	}
	if _, err := l.owned(ctx, "", []string{id}); err != nil {
		return changed, err
	}
	err = l.publish(ctx, "", []string{id}, probe.Published, func(r *b3scale.Recording) { r.SetVisibility(v) })
	if err != nil {
		return changed, err
	}
	return l.store.Recording(ctx, id)
}

func (l *Library) publish(ctx context.Context, frontendID string, ids []string, published bool, edit func(*b3scale.Recording)) error {
	return l.work(ctx, b3scale.RecordingOp{Kind: b3scale.RecordingPublish, IDs: ids}, func(ctx context.Context, o *op) error {
		rows, err := l.owned(ctx, frontendID, ids)
		if err != nil {
			return err
		}
		for _, r := range rows {
			for _, format := range r.Formats {
				f := files{l: l, op: o, format: format.Type, id: r.ID}
				if err := f.bring(ctx, l.home(published), l.home(!published)); err != nil {
					return err
				}
			}
		}
		return o.commit(ctx, func(now []b3scale.Recording) ([]b3scale.Recording, []string, error) {
			if err := complete(now, frontendID, ids); err != nil {
				return nil, nil, err
			}
			for i := range now {
				edit(&now[i])
			}
			return now, nil, nil
		})
	})
}

// bring moves files from one tree to another, if they are there. A recording
// that lacks files must not stay published because of that.
func (f files) bring(ctx context.Context, to, from tree) error {
	source, err := isThere(f.live(from))
	if err != nil {
		return err
	}
	target, err := isThere(f.live(to))
	if err != nil {
		return err
	}
	switch {
	case !source && !target:
		f.l.log.WarnContext(ctx, "a recording has no files", "recording", f.id, "format", f.format)
		return nil
	case !source:
		return nil
	case target:
		switch equal, err := same(ctx, f.live(from), f.live(to)); {
		case err != nil:
			return err
		case !equal:
			return b3scale.Errorf(b3scale.Conflict, "%s/%s is in the %s and in the %s tree, and they differ: one of them must go",
				f.format, f.id, from.name, to.name)
		}
		return nil // settle removes the copy
	}
	return f.move(ctx, f.live(from), to)
}

// Delete deletes recordings of a frontend with all their files, all or none:
// NotFound when one of them is not there, or not the frontend's. An empty
// frontendID stands for all.
func (l *Library) Delete(ctx context.Context, frontendID string, ids []string) error {
	if _, err := l.owned(ctx, frontendID, ids); err != nil {
		return err
	}
	booked := b3scale.RecordingOp{Kind: b3scale.RecordingDelete, IDs: ids}
	return l.work(ctx, booked, func(ctx context.Context, o *op) error {
		if _, err := l.owned(ctx, frontendID, o.IDs); err != nil {
			return err
		}
		formats, err := l.formatDirs()
		if err != nil {
			return err
		}
		var all []files
		for _, id := range o.IDs {
			for _, format := range formats {
				all = append(all, files{l: l, op: o, format: format, id: id})
			}
		}
		for _, f := range all {
			if err := f.removable(); err != nil {
				return err
			}
		}
		for _, f := range all {
			for _, t := range l.trees {
				if err := f.withdraw(t); err != nil {
					return err
				}
			}
		}
		return o.commit(ctx, func(now []b3scale.Recording) ([]b3scale.Recording, []string, error) {
			return nil, o.IDs, complete(now, frontendID, o.IDs)
		})
	})
}

// removable makes sure that files can be removed before anything is done.
func (f files) removable() error {
	for _, t := range f.l.trees {
		if there, err := isThere(f.live(t)); err != nil || !there {
			if err != nil {
				return err
			}
			continue
		}
		if name, err := lockedIn(f.live(t)); err != nil || name != "" {
			return b3scale.Errorf(b3scale.Unavailable, "%s/%s in the %s tree cannot be removed by this user: see the owner and the mode of its directories",
				f.format, f.id, t.name).Because(cmp.Or(err, fmt.Errorf("%s is not writable", name)))
		}
	}
	return nil
}

func idsOf(rows []b3scale.Recording) []string {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids
}
