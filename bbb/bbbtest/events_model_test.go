package bbbtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale/bbb"
)

// follower knows of a node what its events tell, as an agent does.
type follower struct {
	t     *testing.T
	rooms map[string]*followed // by internal id
}

type followed struct {
	external string
	people   map[string]*Attendee // by internal id
	streams  map[string]string    // internal id of its person
}

// ids are all members of bodies that name somebody or something.
type ids struct {
	MeetingID    string `json:"meetingId"`
	IntID        string `json:"intId"`
	ExtID        string `json:"extId"`
	UserID       string `json:"userId"`
	PresenterID  string `json:"presenterId"`
	Name         string `json:"name"`
	Role         string `json:"role"`
	CallerName   string `json:"callerName"`
	ListenOnly   bool   `json:"listenOnly"`
	Stream       string `json:"stream"`
	UserLeftFlag bool   `json:"userLeftFlag"`
	Props        struct {
		Meeting struct {
			ExtID string `json:"extId"`
			IntID string `json:"intId"`
		} `json:"meetingProp"`
	} `json:"props"`
}

func (f *follower) apply(channel string, message []byte) {
	if channel != EventChannel {
		return
	}
	e := decodeEvent(f.t, message)
	var b ids
	if err := json.Unmarshal(e.Core.Body, &b); err != nil {
		f.t.Errorf("%s: %v", message, err)
	}
	name := e.Core.Header.Name
	switch name {
	case "MeetingCreatedEvtMsg":
		id := b.Props.Meeting.IntID
		if f.rooms[id] != nil {
			f.t.Errorf("%s was created twice", id)
		}
		f.rooms[id] = &followed{b.Props.Meeting.ExtID, map[string]*Attendee{}, map[string]string{}}
		return
	case "MeetingEndedEvtMsg":
		delete(f.rooms, b.MeetingID)
		return
	case "MeetingDestroyedEvtMsg", "DisconnectAllClientsSysMsg", "CheckAlivePongSysMsg":
		return
	}
	r := f.rooms[e.Core.Header.MeetingID]
	if r == nil {
		f.t.Errorf("event of a meeting that is not there: %s", message)
		return
	}
	r.apply(f.t, name, b)
}

func (r *followed) apply(t *testing.T, name string, b ids) {
	t.Helper()
	person := func(id string) *Attendee {
		if r.people[id] == nil {
			t.Errorf("%s of %q, who is not there", name, id)
			return &Attendee{}
		}
		return r.people[id]
	}
	switch name {
	case "UserJoinedMeetingEvtMsg":
		r.people[b.IntID] = &Attendee{UserID: b.ExtID, InternalID: b.IntID, FullName: b.Name, Role: b.Role, ClientType: html5}
	case "UserLeftMeetingEvtMsg":
		if p := person(b.IntID); p.Voice || p.ListeningOnly || len(p.Streams) > 0 {
			t.Errorf("%s left with devices on", b.IntID)
		}
		delete(r.people, b.IntID)
	case "UserRoleChangedEvtMsg":
		person(b.UserID).Role = b.Role
	case "PresenterAssignedEvtMsg":
		for _, p := range r.people {
			p.Presenter = false
		}
		person(b.PresenterID).Presenter = true
	case "PresenterUnassignedEvtMsg":
		person(b.IntID).Presenter = false
	case "UserJoinedVoiceConfToClientEvtMsg":
		if strings.HasPrefix(b.IntID, "v_") {
			r.people[b.IntID] = &Attendee{UserID: b.IntID, InternalID: b.IntID, FullName: b.CallerName, Role: Viewer, ClientType: dialIn}
		}
		p := person(b.IntID)
		p.Voice, p.ListeningOnly = !b.ListenOnly, b.ListenOnly
	case "UserLeftVoiceConfToClientEvtMsg":
		p := person(b.IntID)
		p.Voice, p.ListeningOnly = false, false
		if strings.HasPrefix(b.IntID, "v_") {
			delete(r.people, b.IntID)
		}
	case "UserBroadcastCamStartedEvtMsg":
		if _, ok := r.streams[b.Stream]; ok {
			t.Errorf("stream %s was started twice", b.Stream)
		}
		r.streams[b.Stream] = b.UserID
		p := person(b.UserID)
		p.Streams = append(p.Streams, b.Stream)
	case "UserBroadcastCamStoppedEvtMsg":
		if r.streams[b.Stream] != b.UserID {
			t.Errorf("stream %s is not of %s", b.Stream, b.UserID)
		}
		delete(r.streams, b.Stream)
		p := person(b.UserID)
		p.Streams = slices.DeleteFunc(p.Streams, func(s string) bool { return s == b.Stream })
	}
}

// described is a person as getMeetings has them.
func described(a *Attendee) string {
	return fmt.Sprintf("%s %s %s presenter=%t listening=%t voice=%t video=%t %s",
		a.UserID, a.FullName, a.Role, a.Presenter, a.ListeningOnly, a.Voice, len(a.Streams) > 0, a.ClientType)
}

func (f *follower) text() string {
	var out []string
	for id, r := range f.rooms {
		out = append(out, id+" "+r.external)
		for _, p := range r.people {
			out = append(out, id+": "+described(p))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// shown is what getMeetings says about the same.
func shown(t *testing.T, n *Node) string {
	t.Helper()
	doc, err := bbb.ParseXML([]byte(get(t, n, "getMeetings")))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for meeting := range doc.Root().Child("meetings").Children() {
		id := meeting.Child("internalMeetingID").Text()
		out = append(out, id+" "+meeting.Child("meetingID").Text())
		for p := range meeting.Child("attendees").Children() {
			yes := func(name string) bool { return p.Child(name).Text() == "true" }
			a := Attendee{
				UserID: p.Child("userID").Text(), FullName: p.Child("fullName").Text(), Role: p.Child("role").Text(), ClientType: p.Child("clientType").Text(),
				Presenter: yes("isPresenter"), ListeningOnly: yes("isListeningOnly"), Voice: yes("hasJoinedVoice"),
			}
			if yes("hasVideo") {
				a.Streams = []string{"one"}
			}
			out = append(out, id+": "+described(&a))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// A follower of the events sees what getMeetings shows, whatever happens.
func TestEventsAgreeWithGetMeetings(t *testing.T) {
	t.Parallel()
	for seed, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &follower{t, map[string]*followed{}}
				n := New(Options{Version: version, Events: f.apply, LogSize: -1})
				t.Cleanup(n.Close)
				w := walk{t: t, node: n, random: rand.New(rand.NewPCG(uint64(seed), 7))}
				for range 1000 {
					what := w.step()
					synctest.Wait()
					if got, want := f.text(), shown(t, n); got != want {
						t.Fatalf("after %s the events tell\n%s\nand getMeetings\n%s", what, got, want)
					}
				}
				if w.changes < 300 {
					t.Errorf("only %d steps changed anything", w.changes)
				}
			})
		})
	}
}

// Whoever acts at the same time, the order of events is that of what happened.
func TestEventsAreInOrder(t *testing.T) {
	t.Parallel()
	f := &follower{t, map[string]*followed{}}
	n := New(Options{Events: f.apply, LogSize: -1})
	t.Cleanup(n.Close)
	n.AddRoom(Room{ExternalID: "room"})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			id := strconv.Itoa(i)
			for range 30 {
				n.Join("room", Attendee{UserID: id, Role: Moderator, Voice: true})
				n.Camera("room", id, "", true)
				n.Change("room", id, func(a *Attendee) { a.Presenter = true })
				if i%2 == 0 {
					n.Leave("room", id)
				}
			}
		})
	}
	group.Wait()
	if got, want := f.text(), shown(t, n); got != want {
		t.Errorf("the events tell\n%s\nand getMeetings\n%s", got, want)
	}
}

// walk does something at random again and again.
type walk struct {
	t       *testing.T
	node    *Node
	random  *rand.Rand
	number  int
	changes int
}

func (w *walk) step() string {
	n, room, coin := w.node, "room"+strconv.Itoa(w.random.IntN(4)), w.random.IntN(2) == 0
	if coin && w.random.IntN(4) == 0 {
		if r, ok := n.Room(room); ok && len(r.Breakouts) > 0 {
			room = r.Breakouts[w.random.IntN(len(r.Breakouts))]
		}
	}
	user := "nobody"
	if r, ok := n.Room(room); ok && len(r.Attendees) > 0 {
		a := &r.Attendees[w.random.IntN(len(r.Attendees))]
		user = a.UserID
		if coin {
			user = a.InternalID
		}
	}
	w.number++
	id := strconv.Itoa(w.number)
	did := func(ok bool) {
		if ok {
			w.changes++
		}
	}
	steps := []struct {
		name   string
		weight int
		do     func()
	}{
		{"create", 4, func() { get(w.t, n, "create", "meetingID", room, "name", "Room", "record", strconv.FormatBool(coin)) }},
		{"end", 1, func() {
			if r, ok := n.Room(room); ok && w.random.IntN(8) == 0 {
				get(w.t, n, "end", "meetingID", room, "password", r.ModeratorPW)
			}
		}},
		{"end now", 1, func() { did(w.random.IntN(8) == 0 && n.EndNow(room)) }},
		{"join call", 5, func() {
			if r, ok := n.Room(room); ok {
				get(w.t, n, "join", "meetingID", r.ExternalID, "fullName", "P & <"+id+">", "role", cmp.Or(map[bool]string{coin: Moderator}[true], Viewer), "userID", "u"+id)
			}
		}},
		{"join", 5, func() {
			did(n.Join(room, Attendee{FullName: "Q " + id, Voice: coin, Video: w.random.IntN(3) == 0, Presenter: w.random.IntN(9) == 0}))
		}},
		{"phone call", 2, func() { did(n.Join(room, Attendee{FullName: "+49" + id, ClientType: dialIn})) }},
		{"leave", 4, func() { did(n.Leave(room, user)) }},
		{"voice", 6, func() { did(n.Voice(room, user, w.random.IntN(3) > 0, coin)) }},
		{"camera", 4, func() { did(n.Camera(room, user, "", coin)) }},
		{"named camera", 4, func() { did(n.Camera(room, user, user+strconv.Itoa(w.random.IntN(2)), w.random.IntN(2) == 0)) }},
		{"screen", 2, func() { did(n.Screenshare(room, user, coin)) }},
		{"recording", 2, func() { did(n.Recording(room, user, coin)) }},
		{"eject", 1, func() { did(n.Eject(room, user, user)) }},
		{"disconnect", 3, func() { did(n.Disconnect(room, user)) }},
		{"reconnect", 2, func() { did(n.Reconnect(room, user)) }},
		{"wait", 3, func() { time.Sleep(time.Duration(w.random.Int64N(int64(time.Minute)))) }},
		{"presenter", 2, func() {
			did(n.Change(room, user, func(a *Attendee) { a.Presenter = a.Presenter || !a.byPhone() }))
		}},
		{"role", 2, func() {
			did(n.Change(room, user, func(a *Attendee) {
				if !a.byPhone() {
					a.Role = cmp.Or(map[bool]string{coin: Moderator}[true], Viewer)
				}
			}))
		}},
		{"video", 2, func() { did(n.Change(room, user, func(a *Attendee) { a.Video = coin && !a.byPhone() })) }},
		{"breakouts", 1, func() { did(w.random.IntN(4) == 0 && len(n.OpenBreakouts(room, 2)) > 0) }},
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	at := w.random.IntN(total)
	for _, s := range steps {
		if at -= s.weight; at < 0 {
			s.do()
			return s.name + " in " + room + " of " + user
		}
	}
	panic("weights do not add up") // total is their sum
}
