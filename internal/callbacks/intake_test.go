package callbacks

import (
	"context"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
	"b3scale/internal/logtest"
)

var nodeSecret = logtest.Secret[b3scale.Secret]("the-secret-of-a-node")

// meetings are of one frontend and on one node.
type meetings struct{ frontends }

func (meetings) MeetingMayHaveEnded(context.Context, b3scale.MeetingKey, b3scale.Origin) (bool, error) {
	return false, nil
}

func (meetings) NodeSecrets(context.Context, b3scale.MeetingKey, int64) ([]b3scale.Secret, error) {
	return []b3scale.Secret{nodeSecret}, nil
}

// inbox is an Intake that nothing leaves, unless its test takes it.
type inbox struct {
	*testing.T
	*Intake
	store    b3scale.Store
	frontend b3scale.Frontend
}

func newInbox(t *testing.T, opts Options) *inbox {
	t.Helper()
	store := newStore(t)
	f, err := store.AddFrontend(t.Context(), b3scale.Frontend{Key: "moodle", Active: true}, b3scale.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	known := meetings{frontends{f}}
	return &inbox{T: t, store: store, frontend: f, Intake: NewIntake(New(store, known, logtest.Logger(), opts), relay, known, logtest.Logger())}
}

// ticket is one with its token.
func (in *inbox) ticket(kind b3scale.CallbackKind, room b3scale.Origin) (t b3scale.CallbackTicket, token string) {
	in.Helper()
	t = b3scale.CallbackTicket{FrontendID: in.frontend.ID, Target: "https://lms.example.org/", Kind: kind, MeetingID: "room", Origin: room}
	token, err := keys.MintCallback(t)
	if err != nil {
		in.Fatal(err)
	}
	return t, token
}

// has checks how many messages are stored.
func (in *inbox) has(what string, want int) {
	in.Helper()
	got, err := in.store.Callbacks(in.Context(), b3scale.CallbackQuery{}, func(b3scale.Callback) {})
	if err != nil || got != want {
		in.Errorf("%s: %d are stored, %v, want %d", what, got, err, want)
	}
}

func (in *inbox) nodeID() string { return b3scale.EncodeMeetingID(in.frontend.Key, "room") }

// An end is told of once for each room. Where the token does not tell rooms
// apart, it is for as long as nodes repeat what they say.
func TestRepeatedEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t, Options{})
		take := func(room b3scale.Origin, id string) {
			t.Helper()
			ticket, token := in.ticket(b3scale.CallbackEnd, room)
			if err := in.TakeGet(t.Context(), ticket, token, "recordingmarks=false&meetingID="+id); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			take(b3scale.Origin{Generation: 7, Create: "one"}, in.nodeID())
			take(b3scale.Origin{Generation: 7, Create: "two"}, in.nodeID())
			take(b3scale.Origin{Generation: 7}, in.nodeID())
		}
		in.has("three rooms", 3)
		for range 2 {
			take(b3scale.Origin{Generation: 7, Create: "one"}, "0123456789012345678901234567890123456789-1")
		}
		in.has("and a breakout room of one of them", 4)
		time.Sleep(repeated + time.Second)
		take(b3scale.Origin{Generation: 7, Create: "one"}, in.nodeID())
		in.has("a repeat, very late", 4)
		for range 2 {
			take(b3scale.Origin{Generation: 7}, in.nodeID())
		}
		in.has("perhaps another room", 5)
	})
}

// Figures come once. News of a recording come for each of its formats, and are
// the same: who has not heard of the first hears of both at once.
func TestRepeatedNews(t *testing.T) {
	t.Parallel()
	in := newInbox(t, Options{})
	ticket, token := in.ticket(b3scale.CallbackAnalytics, b3scale.Origin{Generation: 7, Create: "one"})
	figures := func(body string, expires time.Duration) {
		t.Helper()
		bearer, err := signed(jwt.SigningMethodHS512, nodeSecret, jwt.MapClaims{"exp": time.Now().Add(expires).Unix()})
		if err == nil {
			err = in.TakePost(t.Context(), ticket, token, typeJSON, "Bearer "+bearer, []byte(body))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	figures(`{"meeting_id":"`+in.nodeID()+`"}`, time.Hour)
	figures(`{"meeting_id":"`+in.nodeID()+`"}`, 2*time.Hour)
	in.has("figures", 1)
	figures(`{"meeting_id":"`+in.nodeID()+`","more":1}`, time.Hour)
	in.has("other figures", 2)

	ticket, token = in.ticket(b3scale.CallbackRecordingReady, ticket.Origin)
	ready := func(record string) {
		t.Helper()
		news, err := signed(jwt.SigningMethodHS256, nodeSecret, jwt.MapClaims{"meeting_id": in.nodeID(), "record_id": record})
		if err == nil {
			err = in.TakePost(t.Context(), ticket, token, typeForm, "", []byte(url.Values{signedParam: {news}}.Encode()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ready("r")
	ready("r")
	in.has("two formats", 4)
	taken, _, err := in.store.TakeCallbacks(t.Context(), "one", time.Hour, 10, 10, 10)
	if err != nil || len(taken) != 4 {
		t.Fatal(len(taken), err)
	}
	for _, c := range taken {
		if _, err := in.store.FinishCallback(t.Context(), c.ID, c.Holder, b3scale.CallbackResult{State: b3scale.CallbackWaiting}, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		ready("r")
	}
	in.has("more formats, but nobody has heard of the others", 4)
	ready("s")
	in.has("another recording", 5)
}

// Nobody's messages fill the store. Nodes come again with an end.
func TestTooManyWait(t *testing.T) {
	t.Parallel()
	var away atomic.Int64
	in := newInbox(t, Options{Most: 2, TurnedAway: func(kind b3scale.CallbackKind) {
		if kind == b3scale.CallbackEnd {
			away.Add(1)
		}
	}})
	var ids []string
	take := func(create string) error {
		ticket, token := in.ticket(b3scale.CallbackEnd, b3scale.Origin{Generation: 7, Create: create})
		return in.TakeGet(t.Context(), ticket, token, "")
	}
	for _, create := range []string{"one", "two"} {
		if err := take(create); err != nil {
			t.Fatal(err)
		}
	}
	if err := take("three"); b3scale.CodeOf(err) != b3scale.Unavailable || away.Load() != 1 {
		t.Errorf("one too many: %v, %d turned away", err, away.Load())
	}
	if err := take("two"); err != nil {
		t.Errorf("a repeat: %v", err)
	}
	_, err := in.store.Callbacks(t.Context(), b3scale.CallbackQuery{}, func(c b3scale.Callback) { ids = append(ids, c.ID) })
	if err == nil {
		_, err = in.store.DropCallback(t.Context(), ids[0], b3scale.Actor{})
	}
	if err == nil {
		err = take("three")
	}
	if err != nil || away.Load() != 1 {
		t.Errorf("when there is room: %v, %d turned away", err, away.Load())
	}
}
