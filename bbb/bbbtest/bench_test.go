package bbbtest

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"b3scale/bbb"
)

// BenchmarkCreate is one create through bbb.Client and the in-process
// transport, into a node with more and more rooms.
func BenchmarkCreate(b *testing.B) {
	n := New(Options{})
	client := bbb.NewClient(bbb.ClientOptions{Transport: Transport(n)})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		call := bbb.Call{Name: "create", Params: params("meetingID", "room-"+strconv.Itoa(i), "name", "A room", "meta_origin", "bench")}
		if _, err := client.Do(b.Context(), n.API(), call); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNodeCreate is the node's own part of it.
func BenchmarkNodeCreate(b *testing.B) {
	n := New(Options{})
	transport := Transport(n)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet,
			n.API().URL("create", "name=A+room&meta_origin=bench&meetingID=room-"+strconv.Itoa(i)), nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := transport.RoundTrip(req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetMeetings(b *testing.B) {
	for _, rooms := range []int{100, 10_000} {
		b.Run(fmt.Sprint(rooms), func(b *testing.B) {
			n := New(Options{})
			for i := range rooms {
				n.AddRoom(Room{ExternalID: "room-" + strconv.Itoa(i), Attendees: []Attendee{{FullName: "Ada"}}})
			}
			transport := Transport(n)
			b.ReportAllocs()
			for b.Loop() {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, n.API().URL("getMeetings", ""), nil)
				if err != nil {
					b.Fatal(err)
				}
				resp, err := transport.RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(resp.ContentLength)
			}
		})
	}
}
