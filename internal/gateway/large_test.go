package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"b3scale/bbb"
	"b3scale/internal/gateway"
)

const noRoom = "too many large request bodies are under way"

// upload is a create of a frontend with a body.
func upload(key, secret, meetingID string, body io.Reader, length int64) request {
	return request{
		method: http.MethodPost, target: signedBy(key, secret, "create", create(meetingID)),
		header: http.Header{"Content-Type": {xmlType}}, body: body, length: length,
	}
}

// stuck is a body that ends when its writer says so.
func stuck(t *testing.T) (body io.Reader, end func()) {
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	return r, func() {
		_, _ = io.WriteString(w, "<modules/>")
		_ = w.Close()
	}
}

// blanks is XML of so many bytes.
func blanks(n int) string { return "<modules>" + strings.Repeat(" ", n-19) + "</modules>" }

// A call over the rate costs no memory when its body is large, or may be.
func TestBodiesOverTheRateAreNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		h.limit(0.01, 1)
		h.create("room")
		for _, length := range []int64{40 << 20, 400 << 20, -1} {
			body := &endless{left: 40 << 20}
			got := h.do(upload(keyOne, secretOne, "room", body, length))
			if got.outcome(t) != overRate || got.header.Get("Retry-After") == "" || body.read != 0 {
				t.Errorf("%d bytes: got %v after reading %d, want none", length, got, body.read)
			}
		}
	})
}

// A large body is one of the frontend's calls to nodes before it is read, and
// small ones are read at once.
func TestLargeBodiesWaitForTheShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{gateway: gateway.Options{NodeCalls: 1}})
		clear := h.silence("create")
		hanging := h.goCall("create", create("first"))
		synctest.Wait()
		bodies := map[int64]*endless{}
		var waiting []<-chan reply
		for _, length := range []int64{2 << 20, -1, 10} {
			bodies[length] = &endless{left: 10}
			waiting = append(waiting, h.goDo(upload(keyOne, secretOne, "room", bodies[length], length)))
		}
		synctest.Wait()
		if bodies[2<<20].read != 0 || bodies[-1].read != 0 || bodies[10].read != 10 {
			t.Errorf("read before their turn: %d, %d of unknown length, and %d of a small one", bodies[2<<20].read, bodies[-1].read, bodies[10].read)
		}
		for _, answered := range waiting[:2] {
			if got := <-answered; got.outcome(t) != "b3scaleGatewayError" || got.text(t, "message") != crowded {
				t.Errorf("got %v, want it to be too much", got)
			}
		}
		<-waiting[2] // it was no XML
		if bodies[2<<20].read != 0 || bodies[-1].read != 0 {
			t.Error("what was refused has been read")
		}
		clear()
		if got := <-hanging; got.outcome(t) != bbb.Success {
			t.Errorf("the one that hung: got %v", got)
		}
		// It takes one turn, not two.
		for _, length := range []int64{2 << 20, -1} {
			if got := h.do(upload(keyOne, secretOne, "large"+strconv.FormatInt(length, 10), strings.NewReader(blanks(2<<20)), length)); got.outcome(t) != bbb.Success {
				t.Errorf("%d bytes: got %.300v", length, got)
			}
		}
	})
}

// All large bodies together have a limit, and one frontend has half of it.
func TestLargeBodiesTogetherHaveALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{gateway: gateway.Options{MaxBody: 1 << 10, MaxPresentation: 64 << 10, MaxBodies: 256 << 10}})
		var ends []func()
		var under []<-chan reply
		begin := func(r request) {
			body, end := stuck(t)
			r.body = body
			ends = append(ends, end)
			under = append(under, h.goDo(r))
		}
		for range 2 { // nobody knows how long: the most that they may be
			begin(upload(keyOne, secretOne, "room", nil, -1))
		}
		synctest.Wait()
		began := time.Now()
		more := &endless{left: 2 << 10}
		if got := h.do(upload(keyOne, secretOne, "more", more, 2<<10)); got.outcome(t) != "b3scaleGatewayError" || got.text(t, "message") != noRoom || more.read != 0 {
			t.Errorf("over the half: got %v after reading %d", got, more.read)
		}
		if waited := time.Since(began); waited != 10*time.Second {
			t.Errorf("it waited for %v", waited)
		}
		if n := strings.Count(h.log.String(), "no room for a large request body"); n != 1 {
			t.Errorf("the log tells it %d times", n)
		}
		if got := h.do(upload(keyOne, secretOne, "small", strings.NewReader(blanks(1<<10)), 1<<10)); got.outcome(t) != bbb.Success {
			t.Errorf("a small one: got %v", got)
		}
		if got := h.do(upload(keyTwo, secretTwo, "other", strings.NewReader(blanks(64<<10)), 64<<10)); got.outcome(t) != bbb.Success {
			t.Errorf("another frontend: got %v", got)
		}
		// The other half is there for all the others together.
		for range 2 {
			begin(upload(keyTwo, secretTwo, "room", nil, -1))
		}
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		gone := upload(keyTwo, secretTwo, "gone", more, 2<<10)
		gone.ctx = ctx
		left := h.goDo(gone)
		waiting := h.goDo(upload(keyTwo, secretTwo, "waits", strings.NewReader(blanks(64<<10)), 64<<10))
		synctest.Wait()
		leave()
		<-left
		for _, end := range ends {
			end()
		}
		for _, answered := range append(under, waiting) {
			if got := <-answered; got.outcome(t) != bbb.Success {
				t.Errorf("got %v", got)
			}
		}
		if more.read != 0 {
			t.Errorf("%d bytes of what was refused were read", more.read)
		}
	})
}

// What a body of unknown length does not need is given back when it is there,
// the rest when the call is over.
func TestUnknownLengthsTakeNoMoreThanTheyNeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{gateway: gateway.Options{MaxBody: 1 << 10, MaxPresentation: 64 << 10, MaxBodies: 64 << 10}})
		clear := h.silence("create")
		var hanging []<-chan reply
		for i, n := range []int{30 << 10, 20 << 10} { // 14 KiB are left
			length := int64(-1)
			if i == 1 {
				length = int64(n)
			}
			hanging = append(hanging, h.goDo(upload(keyOne, secretOne, "room-"+strconv.Itoa(i), strings.NewReader(blanks(n)), length)))
			synctest.Wait()
		}
		if got := len(h.nodes[0].Calls("create")); got != 2 {
			t.Fatalf("%d creates are at the node, want 2", got)
		}
		if got := h.do(upload(keyOne, secretOne, "more", strings.NewReader(blanks(15<<10)), 15<<10)); got.text(t, "message") != noRoom {
			t.Errorf("over the limit: got %v", got)
		}
		clear()
		for _, answered := range hanging {
			<-answered
		}
		if got := h.do(upload(keyOne, secretOne, "all", strings.NewReader(blanks(64<<10)), 64<<10)); got.outcome(t) != bbb.Success {
			t.Errorf("afterwards: got %v", got)
		}
	})
}

// Over a real connection: the answer is there before the body, and no other
// call comes after it.
func TestRefusalBeforeTheBody(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	server := httptest.NewServer(h.handler)
	t.Cleanup(server.Close)
	h.limit(0.01, 1)
	h.create("room")
	conn := dial(t, server)
	send(t, conn, "POST "+signed("create", create("room"))+" HTTP/1.1\r\nHost: b3scale.test\r\nContent-Type: text/xml\r\nContent-Length: "+strconv.Itoa(40<<20)+"\r\n\r\n<modules>")
	if got := readAll(t, conn); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.Contains(got, overRate) || !strings.Contains(got, "Connection: close") {
		t.Errorf("got %q", got)
	}
}
