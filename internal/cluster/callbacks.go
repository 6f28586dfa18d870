package cluster

import (
	"context"
	"slices"
	"strings"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// Relay stands between nodes and frontends when nodes have something to tell.
// *callbacks.Relay is one.
type Relay interface {
	// Rewrite gives a create our addresses in place of the frontend's. The same
	// create of the same generation always comes out the same; generation 0
	// stands for breakout rooms.
	Rewrite(params *bbb.Params, key b3scale.MeetingKey, generation int64)
	// Original tells what the frontend may see of an address that a node shows.
	// It is empty if that is ours and nothing can be told of it.
	Original(frontendID, address string) (original string, ours bool)
	// Ticket is the one in an address of ours.
	Ticket(address string) (t b3scale.CallbackTicket, ours bool)
}

// longQuery is what surely fits into the address of a call, see the policy: our
// addresses are longer than those that they replace.
const longQuery = 6 << 10

// relayed is a create with our addresses in it.
func (c *Cluster) relayed(call bbb.Call, key b3scale.MeetingKey, generation int64) bbb.Call {
	if c.opts.Relay == nil {
		return call
	}
	c.opts.Relay.Rewrite(&call.Params, key, generation)
	call.Form = call.Form || call.Body == nil && len(call.Params.Encode()) > longQuery
	return call
}

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

// MeetingMayHaveEnded looks at a meeting of which a node says that it is over.
// Only what is seen then ends it. superseded says that the meeting has moved
// since that generation: the room was another one, and nothing is done. room
// tells the rooms of one meeting apart; it may be empty.
func (c *Cluster) MeetingMayHaveEnded(ctx context.Context, key b3scale.MeetingKey, generation int64) (superseded bool, room string, err error) {
	m, err := c.store.Meeting(ctx, key)
	switch {
	case b3scale.CodeOf(err) == b3scale.NotFound:
		return false, "", nil // it has ended long ago, or was a breakout room
	case err != nil:
		return false, "", err
	case generation != 0 && generation < m.Generation && !c.createdIn(m, generation):
		return true, "", nil
	case !m.Live():
		return false, m.LastEndedInternalID, nil
	case c.shared():
		if err := c.reread(ctx, key); err != nil {
			return false, "", err
		}
	}
	if m.State == b3scale.MeetingActive {
		c.lookAtEnd(key, m.InternalID, overLooks)
	}
	return false, m.InternalID, nil
}

// createdIn reports whether the room of a meeting shows that it was created in
// an earlier generation than that of its row: such are rooms that were adopted
// or taken back.
func (c *Cluster) createdIn(m b3scale.Meeting, generation int64) bool {
	if c.opts.Relay == nil || len(m.Info) == 0 {
		return false
	}
	doc, err := bbb.ParseXML(slices.Concat([]byte("<meeting>"), m.Info, []byte("</meeting>")))
	if err != nil {
		return false // cannot be: it was cut out of a document that parsed
	}
	for entry := range doc.Root().Child("metadata").Children() {
		t, ours := c.opts.Relay.Ticket(strings.TrimSpace(entry.Text()))
		if ours && t.FrontendID == m.Key.FrontendID && t.MeetingID == m.Key.MeetingID && t.Generation == generation {
			return true
		}
	}
	return false
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
