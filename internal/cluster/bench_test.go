package cluster

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"b3scale/bbb"
)

// instant are nodes that answer at once, so that only our own work is
// measured.
type instant struct{ made atomic.Int64 }

func (n *instant) Do(_ context.Context, _ bbb.Node, call bbb.Call) (*bbb.Answer, error) {
	id := call.Params.Get("meetingID")
	now := time.Now().UnixMilli()
	answer := bbb.NewAnswer(bbb.Success).Text("meetingID", id).Text("internalMeetingID", fmt.Sprintf("%040x-%d", n.made.Add(1), now)).
		Text("parentMeetingID", "bbb-none").Text("attendeePW", call.Params.Get("attendeePW")).Text("moderatorPW", call.Params.Get("moderatorPW")).
		Text("createTime", strconv.FormatInt(now, 10)).Text("voiceBridge", "70000").Text("dialNumber", "613-555-1234").
		Text("createDate", "Mon Jan 01 00:00:00 UTC 2024").Text("hasUserJoined", "false").Text("duration", "0").
		Text("hasBeenForciblyEnded", "false").Text("messageKey", "").Text("message", "")
	return bbb.NewOwnAnswer(answer.Bytes()), nil
}

// repeating answers every create with the same room.
type repeating struct{ answer *bbb.Answer }

func (n *repeating) Do(context.Context, bbb.Node, bbb.Call) (*bbb.Answer, error) {
	return n.answer, nil
}

func benchSite(b *testing.B) (s *site, nodes *instant) {
	nodes = &instant{}
	s = newSite(b, plan{nodes: 10, calling: func(Nodes) Nodes { return nodes }})
	s.trustAll()
	s.unchecked = true // the nodes have no rooms
	return s, nodes
}

// parallel runs do with 64 callers, each with a number of its own.
func parallel(b *testing.B, do func(n int64) error) {
	b.SetParallelism(32) // times two processors
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(next.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkCreate(b *testing.B) {
	b.Run("new", func(b *testing.B) {
		s, _ := benchSite(b)
		parallel(b, func(n int64) error {
			_, err := s.create(fmt.Sprint("class-", n))
			return err
		})
	})
	b.Run("repeated", func(b *testing.B) {
		s, nodes := benchSite(b)
		answer, err := s.create("class")
		if err != nil {
			b.Fatal(err)
		}
		s.c.nodes = &repeating{answer}
		parallel(b, func(int64) error {
			_, err := s.create("class")
			return err
		})
		if n := nodes.made.Load(); n != 1 {
			b.Errorf("%d rooms were made, want 1", n)
		}
	})
}

func BenchmarkJoin(b *testing.B) {
	s, _ := benchSite(b)
	const meetings = 1000
	for i := range meetings {
		s.created(fmt.Sprint("class-", i))
	}
	ids := make([]string, meetings)
	for i := range ids {
		ids[i] = fmt.Sprint("class-", i)
	}
	parallel(b, func(n int64) error {
		_, err := s.join(ids[n%meetings])
		return err
	})
}
