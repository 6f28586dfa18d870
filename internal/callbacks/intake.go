package callbacks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
)

// Meetings knows where meetings are and were. *cluster.Cluster is one.
type Meetings interface {
	Frontends
	// MeetingMayHaveEnded looks at the meeting, as soon as it can. superseded
	// says that it has moved since the room was made that is told of: then
	// nothing is done.
	MeetingMayHaveEnded(ctx context.Context, key b3scale.MeetingKey, room b3scale.Origin) (superseded bool, err error)
	// NodeSecrets are those of the backend of a meeting, or of all when it is
	// not known.
	NodeSecrets(ctx context.Context, key b3scale.MeetingKey, generation int64) ([]b3scale.Secret, error)
}

// Intake takes in what nodes tell frontends. When it returns no error, the
// message is stored, or there is a reason why nobody shall have it.
type Intake struct {
	*Outbox
	relay    *Relay
	meetings Meetings
	log      *slog.Logger
}

// NewIntake makes one that puts messages into the outbox.
func NewIntake(outbox *Outbox, relay *Relay, meetings Meetings, log *slog.Logger) *Intake {
	return &Intake{Outbox: outbox, relay: relay, meetings: meetings, log: log}
}

// idParams are the names under which nodes and their scripts tell meeting ids.
var idParams = []string{"meetingID", "meeting_id", "meetingId", "meetingid"}

// TakeGet takes a call without a body: a meeting is over. query is what the
// node has added to the address. token is that of the ticket.
func (in *Intake) TakeGet(ctx context.Context, t b3scale.CallbackTicket, token, query string) error {
	f, err := in.frontend(t)
	if err != nil {
		return err
	}
	params := bbb.ParseParams(query)
	old := t.Kind == ""
	if old {
		t.Kind = b3scale.CallbackMeetingEnded
		if params.Count("recordingmarks") > 0 || firstOf(&params, idParams) != "" {
			t.Kind = b3scale.CallbackEnd
		}
	}
	if t.Kind != b3scale.CallbackEnd && t.Kind != b3scale.CallbackMeetingEnded {
		return errOtherMethod
	}
	told := t.MeetingID // or a breakout room of it
	for _, name := range idParams {
		nodeID, sent := params.Lookup(name)
		if !sent {
			continue
		}
		id, err := ownMeetingID(f, t, nodeID)
		if err != nil {
			return err
		}
		if old {
			t.MeetingID = id
		}
		params.Set(name, id)
		told = id
	}
	if t.Target == "" && old {
		return errNoTarget
	}
	if t.MeetingID != "" {
		key := b3scale.MeetingKey{FrontendID: f.ID, MeetingID: t.MeetingID}
		superseded, err := in.meetings.MeetingMayHaveEnded(ctx, key, t.Origin)
		if err != nil {
			return err
		}
		if superseded {
			in.log.InfoContext(ctx, "callback not passed on: the meeting has moved since", "kind", t.Kind, "meeting", key, "generation", t.Origin.Generation)
			return nil
		}
	}
	if t.Target == "" {
		return nil // it was for us
	}
	c := b3scale.Callback{FrontendID: f.ID, Kind: t.Kind, MeetingID: t.MeetingID, URL: overlaid(t.Target, &params)}
	var terms b3scale.CallbackTerms
	if t.MeetingID != "" { // without it this may be about any meeting
		c.Dedup = fingerprint(token, told)
	}
	if t.Origin.Create == "" { // the token may be that of several rooms
		terms.Repeats = repeated
	}
	_, err = in.Add(ctx, c, terms)
	return err
}

// repeated is longer than nodes repeat the news of an end: five attempts in
// nine minutes, and what each takes (BBB API, callbacks).
const repeated = 15 * time.Minute

// firstOf is the first value that one of the names has.
func firstOf(params *bbb.Params, names []string) string {
	for _, name := range names {
		if value := params.Get(name); value != "" {
			return value
		}
	}
	return ""
}

// overlaid is an address with parameters added to it. One that it has already
// is replaced; all other bytes of the query stay.
func overlaid(address string, params *bbb.Params) string {
	u, err := url.Parse(address)
	if err != nil || params.Len() == 0 {
		return address // whoever calls it tells what is wrong with it
	}
	query := bbb.ParseParams(u.RawQuery)
	for name, value := range params.All() {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// fingerprint is the same for what a node repeats.
func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

var (
	errOtherMethod = b3scale.Errorf(b3scale.InvalidArgument, "this callback comes by another method")
	errNoTarget    = b3scale.Errorf(b3scale.InvalidArgument, "the token has no audience: nobody knows for whom this is")
	errNoFrontend  = b3scale.Errorf(b3scale.NotFound, "the frontend of this callback is not there any more")
	errForeign     = b3scale.Errorf(b3scale.Forbidden, "the token is for another meeting")
)

func (in *Intake) frontend(t b3scale.CallbackTicket) (*b3scale.Frontend, error) {
	if f := in.meetings.FrontendByID(t.FrontendID); f != nil {
		return f, nil
	}
	return nil, errNoFrontend
}

// breakoutID is what the id of a breakout room looks like that a node has made
// (BBB API, identifiers): a hash and what follows the dash of another id. Its
// metadata, our addresses among them, are those of its parent.
var breakoutID = regexp.MustCompile(`^[0-9a-f]{40}-[A-Za-z0-9_=-]{0,256}$`)

// ownMeetingID turns the id of a node into the frontend's own.
func ownMeetingID(f *b3scale.Frontend, t b3scale.CallbackTicket, nodeID string) (string, error) {
	key, id, ok := b3scale.DecodeMeetingID(nodeID)
	switch {
	case !ok && breakoutID.MatchString(nodeID):
		return nodeID, nil
	case !ok:
		return "", b3scale.Errorf(b3scale.InvalidArgument, "that is no id of a meeting of ours")
	case key != f.Key || t.MeetingID != "" && t.MeetingID != id:
		return "", errForeign
	}
	return id, nil
}
