// Package storetest is the contract of b3scale.Store, executable. Every
// statement of a store and every refusal has a case here, and every store runs
// them all.
package storetest

import (
	"testing"
	"time"

	"b3scale"

	"github.com/google/go-cmp/cmp"
)

// Run checks a store. open gives a new, empty one for each case and closes it
// when the case ends.
func Run(t *testing.T, open func(t *testing.T) b3scale.Store) {
	for _, subject := range []struct {
		name string
		test func(t *testing.T, open opener)
	}{
		{"claim", testClaim},
		{"confirm", testConfirm},
		{"origins", testOrigins},
		{"meetings", testMeetings},
		{"adopt", testAdopt},
		{"orphans", testOrphans},
		{"settle", testSettle},
		{"backends", testBackends},
		{"verdict", testVerdict},
		{"frontends", testFrontends},
		{"hosts", testHosts},
		{"defaults", testDefaults},
		{"places", testPlaces},
		{"meetings limit", testMeetingsLimit},
		{"edits", testEdits},
		{"deletes", testDeletes},
		{"audit", testAudit},
		{"secret uses", testSecretUses},
		{"commands", testCommands},
		{"callbacks", testCallbacks},
		{"callback terms", testCallbackTerms},
		{"recordings", testRecordings},
		{"recording search", testRecordingSearch},
		{"recording edits", testRecordingEdits},
		{"recording ops", testRecordingOps},
		{"nodes", testNodes},
		{"versions", testVersions},
		{"reports", testReports},
		{"turnouts", testTurnouts},
		{"ledger", testLedger},
		{"leases", testLeases},
		{"invariants", testInvariants},
		{"simultaneous", testSimultaneous},
		{"ids", testIDs},
		{"texts", testTexts},
		{"store", testStore},
	} {
		t.Run(subject.name, func(t *testing.T) {
			t.Parallel()
			subject.test(t, open)
		})
	}
}

type opener func(t *testing.T) b3scale.Store

// run gives one case a store with a frontend and three ready backends.
func run(t *testing.T, open opener, name string, body func(f *fixture)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		f := &fixture{T: t, store: open(t)}
		f.frontend = f.addFrontend(b3scale.Frontend{Key: "greenlight", Secret: "secret", Active: true}).ID
		f.key = f.keyOf("room")
		for _, id := range []*string{&f.a, &f.b, &f.c} {
			*id = f.addBackend(b3scale.Backend{Host: "https://" + b3scale.NewID() + ".example.org/", AdminState: b3scale.AdminReady}).ID
		}
		body(f)
	})
}

// fixture is a store in a test. Its methods end the test when the store fails.
type fixture struct {
	*testing.T
	store    b3scale.Store
	frontend string
	key      b3scale.MeetingKey
	a, b, c  string // ids of backends
}

func (f *fixture) keyOf(meetingID string) b3scale.MeetingKey {
	return b3scale.MeetingKey{FrontendID: f.frontend, MeetingID: meetingID}
}

// must ends the test on an error of the store.
func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// expect compares an answer that has a bool.
func (f *fixture) expect(what string, got bool, err error, want bool) {
	f.Helper()
	f.must(err)
	if got != want {
		f.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// code compares the code of an error.
func (f *fixture) code(what string, err error, want b3scale.Code) {
	f.Helper()
	if got := b3scale.CodeOf(err); got != want || err == nil {
		f.Errorf("%s: got code %q (%v), want %q", what, got, err, want)
	}
}

// same compares anything.
func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// unchanged checks that the row is still as it was, its version included.
func (f *fixture) unchanged(what string, was b3scale.Meeting) {
	f.Helper()
	f.same(what+": the row", f.meeting(was.Key), was)
}

// operator is who changes things in cases that look at the audit.
var operator = b3scale.Actor{Subject: "ann", Address: "192.0.2.7", RequestID: "request 1"}

func (f *fixture) addFrontend(v b3scale.Frontend) b3scale.Frontend {
	f.Helper()
	saved, err := f.store.AddFrontend(f.Context(), v, operator)
	f.must(err)
	return saved
}

func (f *fixture) editFrontend(id string, edit func(*b3scale.Frontend)) b3scale.Frontend {
	f.Helper()
	saved, err := f.store.EditFrontend(f.Context(), id, operator, func(v *b3scale.Frontend) error { edit(v); return nil })
	f.must(err)
	return saved
}

func (f *fixture) addBackend(v b3scale.Backend) b3scale.Backend {
	f.Helper()
	saved, err := f.store.AddBackend(f.Context(), v, operator)
	f.must(err)
	return saved
}

func (f *fixture) editBackend(id string, edit func(*b3scale.Backend)) b3scale.Backend {
	f.Helper()
	saved, err := f.store.EditBackend(f.Context(), id, operator, func(v *b3scale.Backend) error { edit(v); return nil })
	f.must(err)
	return saved
}

func (f *fixture) backend(id string) b3scale.Backend {
	f.Helper()
	backends, err := f.store.Backends(f.Context())
	f.must(err)
	for _, b := range backends {
		if b.ID == id {
			return b
		}
	}
	f.Fatalf("no backend %s", id)
	return b3scale.Backend{}
}

func (f *fixture) setState(id string, state b3scale.AdminState) {
	f.Helper()
	f.editBackend(id, func(b *b3scale.Backend) { b.AdminState = state })
}

func (f *fixture) lose(id string) {
	f.Helper()
	changed, err := f.store.DeclareLost(f.Context(), id, operator)
	f.expect("declare lost", changed, err, true)
}

func (f *fixture) now() b3scale.Micros {
	f.Helper()
	now, err := f.store.Now(f.Context())
	f.must(err)
	return now
}

func (f *fixture) meeting(key b3scale.MeetingKey) b3scale.Meeting {
	f.Helper()
	m, err := f.store.Meeting(f.Context(), key)
	f.must(err)
	return m
}

func (f *fixture) noMeeting(key b3scale.MeetingKey) {
	f.Helper()
	_, err := f.store.Meeting(f.Context(), key)
	f.code("read a meeting that is not there", err, b3scale.NotFound)
}

// claim asks for f.key with passwords of its own.
func (f *fixture) claim(backendID string, abandoned ...int64) (b3scale.Meeting, bool) {
	f.Helper()
	m, fit, err := f.store.ClaimMeeting(f.Context(), b3scale.Claim{Key: f.key, BackendID: backendID,
		AttendeePW: "ap-" + backendID, ModeratorPW: "mp-" + backendID, Size: 20, Abandoned: abandoned})
	f.must(err)
	return m, fit
}

// claimed places f.key, which must be possible.
func (f *fixture) claimed(backendID string, abandoned ...int64) b3scale.Meeting {
	f.Helper()
	m, fit := f.claim(backendID, abandoned...)
	if !fit || m.BackendID != backendID || m.State != b3scale.MeetingCreating {
		f.Fatalf("claim gave %+v, %v; want a new generation on %s", m, fit, backendID)
	}
	return m
}

// active places f.key and confirms a room.
func (f *fixture) active(backendID, internalID string) b3scale.Meeting {
	f.Helper()
	return f.confirmed(f.claimed(backendID), room(internalID))
}

func (f *fixture) confirmed(m b3scale.Meeting, r b3scale.Incarnation) b3scale.Meeting {
	f.Helper()
	m, ok, err := f.store.ConfirmMeeting(f.Context(), m.Key, m.Generation, r)
	f.expect("confirm", ok, err, true)
	return m
}

func (f *fixture) ended(m b3scale.Meeting) b3scale.Meeting {
	f.Helper()
	ok, err := f.store.EndMeeting(f.Context(), m)
	f.expect("end", ok, err, true)
	return f.meeting(m.Key)
}

func (f *fixture) endRequested(m b3scale.Meeting) b3scale.Meeting {
	f.Helper()
	m, ok, err := f.store.RequestEnd(f.Context(), m.Key, m.Generation, m.InternalID)
	f.expect("request end", ok, err, true)
	return m
}

func (f *fixture) orphans(backendID string) []b3scale.Orphan {
	f.Helper()
	orphans, err := f.store.Orphans(f.Context(), backendID)
	f.must(err)
	return orphans
}

// orphan gives the only one booked on a backend.
func (f *fixture) orphan(backendID string) b3scale.Orphan {
	f.Helper()
	orphans := f.orphans(backendID)
	if len(orphans) != 1 {
		f.Fatalf("got %d orphans on %s, want 1: %+v", len(orphans), backendID, orphans)
	}
	return orphans[0]
}

func (f *fixture) noOrphan(backendID string) {
	f.Helper()
	if orphans := f.orphans(backendID); len(orphans) > 0 {
		f.Errorf("got orphans on %s, want none: %+v", backendID, orphans)
	}
}

func (f *fixture) book(backendID, internalID string) {
	f.Helper()
	ok, err := f.store.BookOrphan(f.Context(), f.key, backendID, internalID)
	f.expect("book orphan", ok, err, true)
}

// dropOrphans takes the bookings of f.key on a backend away.
func (f *fixture) dropOrphans(backendID string) {
	f.Helper()
	f.must(f.store.DeleteOrphans(f.Context(), backendID, []b3scale.MeetingKey{f.key}, f.now().Add(time.Hour), 0))
}

// populated gives the room of m two attendees.
func (f *fixture) populated(m b3scale.Meeting) b3scale.Meeting {
	f.Helper()
	f.sighted(m.BackendID, b3scale.Sighting{
		Key: m.Key, Generation: m.Generation, InternalID: m.InternalID, AttendeesReplaced: true,
		Attendees: []b3scale.Attendee{attendee(m, "ann"), attendee(m, "bob")},
	})
	return f.meeting(m.Key)
}

// sighted saves sightings and gives the versions of their rows.
func (f *fixture) sighted(backendID string, seen ...b3scale.Sighting) []int64 {
	f.Helper()
	versions, err := f.store.SaveSightings(f.Context(), backendID, seen)
	f.must(err)
	f.same("number of versions", len(versions), len(seen))
	return versions
}

// acquired tries to take one lease.
func (f *fixture) acquired(name, holder string, d time.Duration) bool {
	f.Helper()
	got, err := f.store.AcquireLeases(f.Context(), []string{name}, holder, d)
	f.must(err)
	if len(got) > 1 || len(got) == 1 && got[0] != name {
		f.Fatalf("asked for %q, got %q", name, got)
	}
	return len(got) == 1
}

// people lists the ids of all stored attendees of active meetings.
func (f *fixture) people() map[string]bool {
	f.Helper()
	people := make(map[string]bool)
	f.must(f.store.Attendees(f.Context(), func(key b3scale.MeetingKey, a b3scale.Attendee) {
		people[key.MeetingID+"/"+a.InternalMeetingID+"/"+a.InternalUserID] = true
	}))
	return people
}

func attendee(m b3scale.Meeting, id string) b3scale.Attendee {
	return b3scale.Attendee{BackendID: m.BackendID, InternalMeetingID: m.InternalID, InternalUserID: id,
		Boot: "boot", Sequence: 7, XML: []byte("<attendee><userID>" + id + "</userID></attendee>")}
}

// room is what a node says of a room; those with a later id are newer.
func room(internalID string) b3scale.Incarnation {
	createTime := int64(1_700_000_000_000)
	for _, c := range internalID {
		createTime += int64(c)
	}
	return b3scale.Incarnation{InternalID: internalID, CreateTime: createTime, AttendeePW: "ap", ModeratorPW: "mp",
		Info: []byte("<meetingName>" + internalID + "</meetingName>")}
}
