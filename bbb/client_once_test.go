package bbb_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"b3scale/bbb"
)

// A kept connection that breaks without an answer makes net/http send a GET
// again, unless the call says that it must not.
func TestOnceIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, once := range []bool{false, true} {
		var arrived atomic.Int32
		node := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if len(r.TransferEncoding) > 0 || r.ContentLength > 0 {
				t.Errorf("once %v: a GET came with a body", once)
			}
			if arrived.Add(1) == 2 {
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write(bbb.RunningAnswer(true))
		})
		c := newClient(t, bbb.ClientOptions{})
		call := bbb.Call{Name: "sendChatMessage", Once: once}
		if _, err := c.Do(t.Context(), node, call); err != nil {
			t.Fatal(err)
		}
		_, err := c.Do(t.Context(), node, call)
		want := int32(3)
		if once {
			want = 2
		}
		if got := arrived.Load(); got != want || (err != nil) != once {
			t.Errorf("once %v: %d calls arrived, want %d; error %v", once, got, want, err)
		}
	}
}
