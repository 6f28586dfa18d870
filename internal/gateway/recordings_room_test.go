package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/gateway"
)

const noRoomForList = "too many lists of recordings are under way"

// bulky are recordings of more than so many bytes each, in a list. The store has
// a sixth of that.
func bulky(n, size int) []b3scale.Recording {
	all := make([]b3scale.Recording, n)
	for i := range all {
		all[i] = recording(fmt.Sprintf("bulky-%03d", i), "bulky", "bulky", int64(i), 0)
		all[i].Metadata["x"] = strings.Repeat(`"`, size/len("&quot;"))
	}
	return all
}

// A list that gets too long is not read to its end, and its parts are there.
func TestLongListsOfRecordings(t *testing.T) {
	t.Parallel()
	h, s := newRecordingsHarness(t, gateway.Options{MaxList: 256 << 10})
	h.put(h.one, bulky(30, 10<<10)...)
	stopped := false
	s.found = func(ctx context.Context) { stopped = ctx.Err() != nil }
	for query, want := range map[string]string{
		"": "sizeError", "state=any": "sizeError", "limit=30": "sizeError", "limit=20": bbb.Success, "limit=20&offset=20": bbb.Success, "recordID=bulky-01": bbb.Success,
	} {
		got := h.call("getRecordings", query)
		if got.outcome(t) != want || stopped != (want != bbb.Success) {
			t.Errorf("%q: got %.300v, stopped %v, want %s", query, got, stopped, want)
		}
		if message := got.text(t, "message"); want == "sizeError" && (!strings.Contains(message, "262144 bytes") || !strings.Contains(message, "limit and offset")) {
			t.Errorf("%q: the message is %q", query, message)
		}
	}
	if strings.Contains(h.log.String(), "level=WARN") {
		t.Errorf("an operator can do nothing about it: %s", h.log)
	}
}

// All lists together have a limit, one frontend has half of it, and what a list
// took is there again when it is answered.
func TestListsOfRecordingsTogetherHaveALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, s := newRecordingsHarness(t, gateway.Options{MaxPresentation: 1 << 10, MaxBodies: 1 << 10, MaxList: 1 << 20})
		h.put(h.one, bulky(80, 10<<10)...)
		theirs := bulky(80, 10<<10)
		for i := range theirs {
			theirs[i].ID = "theirs" + theirs[i].ID
		}
		h.put(h.two, theirs...)
		var reads atomic.Int64
		hold := make(chan struct{})
		s.found = func(context.Context) {
			if reads.Add(1) == 1 {
				<-hold
			}
		}
		listed := func(got reply, want int) {
			t.Helper()
			if n := len(got.listed(t)); n != want {
				t.Errorf("got %d recordings, want %d", n, want)
			}
		}
		first := h.goCall("getRecordings", "meetingID=bulky")
		synctest.Wait()
		listed(h.call("getRecordings", "recordID=bulky-00"), 10) // there is some room left
		began := time.Now()
		for range 2 {
			if got := h.call("getRecordings", "meetingID=bulky"); got.outcome(t) != "b3scaleGatewayError" || got.text(t, "message") != noRoomForList {
				t.Errorf("over the half: got %.300v", got)
			}
		}
		if waited := time.Since(began); waited != 20*time.Second {
			t.Errorf("they waited for %v", waited)
		}
		if n := strings.Count(h.log.String(), "no room for a list of recordings"); n != 1 {
			t.Errorf("the log tells it %d times", n)
		}
		listed(h.do(request{target: signedBy(keyTwo, secretTwo, "getRecordings", "meetingID=bulky")}), 80)

		// Two wait, and one of them leaves.
		ctx, leave := context.WithCancel(t.Context())
		gone := h.goDo(request{target: signed("getRecordings", "meetingID=bulky"), ctx: ctx})
		waiting := h.goCall("getRecordings", "meetingID=bulky")
		synctest.Wait()
		leave()
		<-gone
		before := reads.Load()
		close(hold)
		listed(<-first, 80)
		listed(<-waiting, 80)
		if reads.Load() == before {
			t.Error("the one that waited was not read again")
		}
		for range 3 { // nothing was lost
			listed(h.call("getRecordings", "meetingID=bulky"), 80)
		}
	})
}

// What others have taken is nobody's loss for longer than they have it.
func TestListsOfRecordingsOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, s := newRecordingsHarness(t, gateway.Options{MaxPresentation: 1 << 10, MaxBodies: 1 << 10, MaxList: 1 << 20})
		third, err := h.cluster.EditFrontend(t.Context(), h.cluster.Frontend(keyOff).ID, b3scale.Actor{}, func(f *b3scale.Frontend) error {
			f.Active = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		frontends := []struct {
			b3scale.Frontend
			secret string
		}{{h.one, secretOne}, {h.two, secretTwo}, {third, secretOff}}
		for i, f := range frontends {
			all := bulky(80, 10<<10)
			for n := range all {
				all[n].ID += fmt.Sprint("-", i)
			}
			h.put(f.Frontend, all...)
		}
		var reads atomic.Int64
		hold := make(chan struct{})
		s.found = func(context.Context) {
			if reads.Add(1) <= 2 {
				<-hold
			}
		}
		list := func(i int) request {
			return request{target: signedBy(frontends[i].Key, frontends[i].secret, "getRecordings", "meetingID=bulky")}
		}
		var held []<-chan reply
		for i := range 2 {
			held = append(held, h.goDo(list(i)))
			synctest.Wait()
		}
		for range 3 {
			if got := h.do(list(2)); got.text(t, "message") != noRoomForList {
				t.Errorf("the others have all: got %.300v", got)
			}
		}
		close(hold)
		for _, answered := range held {
			(<-answered).listed(t)
		}
		for range 2 {
			for i := range frontends {
				if got := h.do(list(i)); len(got.listed(t)) != 80 {
					t.Errorf("afterwards: got %.300v", got)
				}
			}
		}
	})
}

// Many at a time come to an end, and each has all that there is.
func TestCrowdedListsOfRecordings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := newRecordingsHarness(t, gateway.Options{MaxPresentation: 1 << 10, MaxBodies: 1 << 10, MaxList: 1 << 20})
		h.put(h.one, bulky(40, 10<<10)...)
		var answers []<-chan reply
		for range 12 {
			answers = append(answers, h.goCall("getRecordings", "meetingID=bulky"))
		}
		want := h.call("getRecordings", "meetingID=bulky").body
		for _, answered := range answers {
			if got := <-answered; got.body != want || len(got.listed(t)) != 40 {
				t.Errorf("got %.300v", got)
			}
		}
	})
}
