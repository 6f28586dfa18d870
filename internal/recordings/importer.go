package recordings

import (
	"context"
	"maps"
	"slices"
	"time"

	"b3scale"
)

// Names in the metadata of a recording that nodes and we put there.
const (
	metaMeetingID = "meetingId"
	metaFrontend  = "b3s-frontend"
)

// Import takes in one format of a recording: document is its metadata.xml, its
// files are in the inbox. A recording that is there already keeps what was made
// of it since; see merge.
//
// NotFound: nobody knows whose it is. Conflict: its files are not there, or
// others are in their way. InvalidArgument: the document is no good.
func (l *Library) Import(ctx context.Context, document []byte, o b3scale.RecordingOverride) (b3scale.Recording, error) {
	r, err := ParseMetadata(document)
	if err != nil {
		return r, err
	}
	f, err := l.claim(&r, o)
	if err != nil {
		return r, err
	}
	if s := f.Policy.Recordings; s != nil && s.VisibilityOverride != nil {
		r.SetVisibility(*s.VisibilityOverride)
	}
	return l.take(ctx, r, o)
}

// claim finds out whose recording it is, and makes its ids and metadata the
// frontend's own.
func (l *Library) claim(r *b3scale.Recording, o b3scale.RecordingOverride) (*b3scale.Frontend, error) {
	key, plain, encoded := b3scale.DecodeMeetingID(r.MeetingID)
	if !encoded {
		key, plain, encoded = b3scale.DecodeMeetingID(r.Metadata[metaMeetingID])
	}
	f := l.frontends.Frontend(key)
	if f == nil {
		f = l.frontends.Frontend(r.Metadata[metaFrontend])
	}
	if o.FrontendKey != "" {
		if f = l.frontends.Frontend(o.FrontendKey); f == nil {
			return nil, b3scale.Errorf(b3scale.NotFound, "no frontend with the key %q", o.FrontendKey)
		}
	}
	if f == nil {
		return nil, b3scale.Errorf(b3scale.NotFound, "nobody knows whose recording this is: neither its meeting id nor its metadata name a frontend that is there; "+
			"override_frontend_key may")
	}
	if encoded {
		r.MeetingID = plain
	}
	if o.MeetingID != "" {
		r.MeetingID = o.MeetingID
		if _, plain, encoded := b3scale.DecodeMeetingID(o.MeetingID); encoded {
			r.MeetingID = plain
		}
	}
	r.FrontendID = f.ID
	l.claimMetadata(r)
	return f, nil
}

func (l *Library) claimMetadata(r *b3scale.Recording) {
	delete(r.Metadata, metaFrontend)
	if _, there := r.Metadata[metaMeetingID]; there {
		r.Metadata[metaMeetingID] = r.MeetingID
	}
	if l.opts.Original == nil {
		return
	}
	for name, value := range r.Metadata {
		switch original, ours := l.opts.Original(r.FrontendID, value); {
		case !ours:
		case original == "":
			delete(r.Metadata, name)
		default:
			r.Metadata[name] = original
		}
	}
}

// take brings the files of a recording's only format to where they belong, and
// then writes the row. An override with a frontend makes it that frontend's
// whoever had it.
func (l *Library) take(ctx context.Context, r b3scale.Recording, o b3scale.RecordingOverride) (saved b3scale.Recording, err error) {
	format := r.Formats[0].Type
	origin, err := files{l: l, format: format, id: r.ID}.await(ctx)
	if err != nil {
		return saved, err
	}
	booked := b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: []string{r.ID}, Formats: []string{format}, Origin: origin.name}
	err = l.work(ctx, booked, func(ctx context.Context, work *op) error {
		home := l.home(r.Published)
		_, err := l.store.Recordings(ctx, b3scale.RecordingQuery{IDs: work.IDs}, func(old b3scale.Recording) { home = l.home(old.Published) })
		if err != nil {
			return err
		}
		f := files{l: l, op: work, format: format, id: r.ID}
		if err := f.fetch(ctx, home, o.Replace); err != nil {
			return err
		}
		if len(r.Formats[0].Preview) == 0 {
			r.Formats[0].Preview = thumbnails(home, r.ID)
		}
		return work.commit(ctx, func(now []b3scale.Recording) ([]b3scale.Recording, []string, error) {
			saved = r
			if len(now) > 0 {
				saved = merged(now[0], r, o.FrontendKey != "")
			}
			return []b3scale.Recording{saved}, nil, nil
		})
	})
	if err != nil {
		return b3scale.Recording{}, err
	}
	return l.store.Recording(ctx, r.ID)
}

// await waits for files, and tells in which tree they are.
func (f files) await(ctx context.Context) (tree, error) {
	for until := time.Now().Add(f.l.opts.FilesWait); ; {
		if err := f.l.mounted(ctx); err != nil {
			return tree{}, err
		}
		found, err := f.places()
		if err != nil {
			return tree{}, fileError(err)
		}
		if len(found) > 0 {
			return found[0], nil
		}
		if time.Now().After(until) {
			return tree{}, f.missing()
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return tree{}, err
		}
	}
}

func (f files) missing() error {
	return b3scale.Errorf(b3scale.Conflict, "there are no files at %s/%s, in the inbox or elsewhere: bring them there first, then import again", f.format, f.id)
}

// fileError is what callers see of an error that has no code.
func fileError(err error) error {
	if b3scale.CodeOf(err) != "" {
		return err
	}
	return b3scale.Errorf(b3scale.Unavailable, "the files of the recording cannot be moved now").Because(err)
}

// fetch brings the files home from wherever they are. With replace, those that
// are in the inbox take the place of others.
func (f files) fetch(ctx context.Context, home tree, replace bool) error {
	from, err := f.places()
	switch {
	case err != nil:
		return err
	case len(from) == 0: // another import has moved them, and they were deleted
		return f.missing()
	case from[0].name != f.op.Origin && !slices.Contains(from, home):
		return b3scale.Errorf(b3scale.Unavailable, "the files of the recording have been moved meanwhile: try again")
	}
	for _, t := range from {
		if err := examine(ctx, f.live(t)); err != nil {
			return err
		}
	}
	for _, other := range from[1:] {
		switch equal, err := same(ctx, f.live(from[0]), f.live(other)); {
		case err != nil:
			return err
		case equal:
		case replace:
			if err := f.withdraw(other); err != nil {
				return err
			}
		default:
			return b3scale.Errorf(b3scale.Conflict, "%s/%s is in the %s and in the %s tree, and they differ: remove one, or import with replace=true "+
				"to keep the former", f.format, f.id, from[0].name, other.name)
		}
	}
	if there, err := isThere(f.live(home)); err != nil || there {
		return err // settle removes other copies
	}
	return f.move(ctx, f.live(from[0]), home)
}

// places are the trees that have the files. The inbox comes first.
func (f files) places() (found []tree, err error) {
	for _, t := range append([]tree{f.l.inbox}, f.l.trees...) {
		there, err := isThere(f.live(t))
		if err != nil {
			return nil, err
		}
		if there && !slices.Contains(found, t) {
			found = append(found, t)
		}
	}
	return found, nil
}

// merged is what becomes of a recording that is there when another format of it
// comes, or the same once more: what people may have changed stays. anew: it
// becomes the new one's frontend's.
func merged(old, r b3scale.Recording, anew bool) b3scale.Recording {
	m := old
	m.StartMillis, m.EndMillis = r.StartMillis, r.EndMillis
	if m.Name == "" {
		m.Name = r.Name
	}
	if m.Participants == 0 {
		m.Participants = r.Participants
	}
	if r.RawSize > 0 {
		m.RawSize = r.RawSize
	}
	if m.BreakoutOf == nil {
		m.BreakoutOf = r.BreakoutOf
	}
	if len(r.BreakoutRooms) > 0 {
		m.BreakoutRooms = r.BreakoutRooms
	}
	m.Formats = slices.Clone(r.Formats)
	for _, f := range old.Formats {
		if f.Type != r.Formats[0].Type {
			m.Formats = append(m.Formats, f)
		}
	}
	if anew {
		m.FrontendID, m.MeetingID = r.FrontendID, r.MeetingID
		m.Metadata = maps.Clone(old.Metadata)
		if id, there := r.Metadata[metaMeetingID]; there && m.Metadata != nil {
			m.Metadata[metaMeetingID] = id
		}
	}
	return m
}
