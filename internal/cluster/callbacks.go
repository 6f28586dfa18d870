package cluster

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// Relay stands between nodes and frontends when nodes have something to tell.
// *callbacks.Relay is one.
type Relay interface {
	// Rewrite gives a create our addresses in place of the frontend's. They name
	// the room that is made of it; generation 0 stands for breakout rooms.
	Rewrite(params *bbb.Params, key b3scale.MeetingKey, room b3scale.Origin)
	// Shorten takes our addresses out of a query that is longer than that, as far
	// as it has to, and tells the names of the parameters.
	Shorten(params *bbb.Params, most int) (left []string)
	// Original tells what the frontend may see of an address that a node shows.
	// It is empty if that is ours and nothing can be told of it.
	Original(frontendID, address string) (original string, ours bool)
	// Ticket is the one in an address of ours.
	Ticket(address string) (t b3scale.CallbackTicket, ours bool)
}

// longQuery is what surely fits into the address of a call, see the policy: our
// addresses are longer than those that they replace.
const longQuery = 6 << 10

// longestQuery is what just fits beside the path and the checksum. With a body
// of XML all parameters must.
const longestQuery = 7<<10 + 512

// relayed is a create with our addresses in it. Each has its own, for nobody
// knows which of them makes a room: the one before may have ended meanwhile.
// left names the parameters that there was no room for.
func (c *Cluster) relayed(call bbb.Call, key b3scale.MeetingKey, generation int64) (_ bbb.Call, origin b3scale.Origin, left []string) {
	origin.Generation = generation
	if c.opts.Relay == nil {
		return call, origin, nil
	}
	origin.Create = rand.Text()[:createLength]
	c.opts.Relay.Rewrite(&call.Params, key, origin)
	if call.Body == nil {
		call.Form = call.Form || len(call.Params.Encode()) > longQuery
	} else {
		// A room of which we are not told everything is more than none.
		left = c.opts.Relay.Shorten(&call.Params, longestQuery)
	}
	return call, origin, left
}

// createLength makes 60 bits: enough for the creates of one meeting.
const createLength = 12

// MapCallbacks gives the metadata of one meeting the frontend's own addresses
// back.
func (c *Cluster) MapCallbacks(edit *bbb.Edit, meeting bbb.Element, frontendID string) {
	if c.opts.Relay == nil {
		return
	}
	for entry := range meeting.Child("metadata").Children() {
		switch original, ours := c.opts.Relay.Original(frontendID, entry.Text()); {
		case !ours:
		case original == "":
			edit.Remove(entry)
		default:
			edit.SetText(entry, original)
		}
	}
}

// MeetingMayHaveEnded looks at a meeting of which a node says that a room of it
// is over. Only what is seen then ends it. superseded says that the meeting has
// moved since that room was made, and nothing is done. When nobody can tell, it
// has not.
func (c *Cluster) MeetingMayHaveEnded(ctx context.Context, key b3scale.MeetingKey, room b3scale.Origin) (superseded bool, err error) {
	m, err := c.store.Meeting(ctx, key)
	switch {
	case b3scale.CodeOf(err) == b3scale.NotFound:
		return false, nil // it has ended long ago, was a breakout room, or the database is an older one
	case err != nil:
		return false, err
	case isSuperseded(room, &m):
		return true, nil
	case !m.Live():
		return false, nil
	case c.shared():
		if err := c.reread(ctx, key); err != nil {
			return false, err
		}
	}
	if m.State == b3scale.MeetingActive {
		over := m.InternalID
		if m.Origin.Create != "" && m.Origin.Create != room.Create {
			over = "" // another room of the meeting is over: nothing was said of this one
		}
		c.lookAtEnd(key, over, overLooks)
	}
	return false, nil
}

// isSuperseded reports whether a room is from before the one of the row. That
// may be of an earlier generation than its row: such are rooms that were adopted
// or taken back. A row from before we noted it, and a room that does not tell,
// supersede nothing: rather an end too many than one too few.
func isSuperseded(room b3scale.Origin, m *b3scale.Meeting) bool {
	if room.Generation == 0 || room.Generation >= m.Generation || room.Generation == m.Origin.Generation {
		return false
	}
	return m.State == b3scale.MeetingCreating || m.Origin.Generation != 0
}

// seenOrigin is what the metadata of a room tell of the create that made it:
// our addresses are among them.
func (c *Cluster) seenOrigin(key b3scale.MeetingKey, info []byte) b3scale.Origin {
	if c.opts.Relay == nil || len(info) == 0 {
		return b3scale.Origin{}
	}
	doc, err := bbb.ParseXML(slices.Concat([]byte("<meeting>"), info, []byte("</meeting>")))
	if err != nil {
		return b3scale.Origin{} // cannot be: it was cut out of a document that parsed
	}
	for entry := range doc.Root().Child("metadata").Children() {
		t, ours := c.opts.Relay.Ticket(strings.TrimSpace(entry.Text()))
		if ours && t.FrontendID == key.FrontendID && t.MeetingID == key.MeetingID && t.Origin.Generation != 0 {
			return t.Origin
		}
	}
	return b3scale.Origin{}
}

// withOrigin is a room with what it tells of its origin.
func (c *Cluster) withOrigin(key b3scale.MeetingKey, room b3scale.Incarnation) b3scale.Incarnation {
	room.Origin = c.seenOrigin(key, room.Info)
	return room
}

// NodeSecrets are those of the backend where a generation of a meeting lives or
// lived. When it has moved since, or is none that we know, they are those of
// all backends.
func (c *Cluster) NodeSecrets(ctx context.Context, key b3scale.MeetingKey, generation int64) ([]b3scale.Secret, error) {
	backends := c.table.Backends()
	if r := c.table.Meeting(key); generation == 0 && r != nil && r.Breakout {
		backends = only(backends, r.BackendID)
	}
	if generation != 0 && key.MeetingID != "" {
		m, err := c.store.Meeting(ctx, key)
		switch {
		case err == nil && m.Generation == generation:
			backends = only(backends, m.BackendID)
		case err != nil && b3scale.CodeOf(err) != b3scale.NotFound:
			return nil, err
		}
	}
	secrets := make([]b3scale.Secret, 0, 2*len(backends))
	for _, b := range backends {
		secrets = append(secrets, b.Secret, b.SecondarySecret)
	}
	return secrets, nil
}

func only(backends []*routing.Backend, id string) []*routing.Backend {
	return slices.DeleteFunc(slices.Clone(backends), func(b *routing.Backend) bool { return b.ID != id })
}
