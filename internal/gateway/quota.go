package gateway

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"b3scale"
	"b3scale/bbb"
)

// Use is what a frontend has taken of this instance.
type Use struct {
	LimitedCalls uint64 // refused by the rate limit, since the start
	LimitedJoins uint64 // creates and joins among them, which have a bucket of their own
	Crowded      uint64 // found no room among the frontend's calls to nodes
	UnderWay     int    // calls to nodes now
}

// Uses goes through the frontends that this instance has counted anything of.
func (g *Gateway) Uses() iter.Seq2[*b3scale.Frontend, Use] {
	return func(yield func(*b3scale.Frontend, Use) bool) {
		for id, q := range g.quotas.all.Range {
			f := g.cluster.FrontendByID(id.(string))
			if f == nil {
				g.quotas.all.Delete(id)
				continue
			}
			q := q.(*quota)
			joins := q.joins.refusals()
			use := Use{
				LimitedCalls: q.calls.refusals() + joins, LimitedJoins: joins,
				Crowded: q.crowded.Load(), UnderWay: int(q.underWay.Load()),
			}
			if !yield(f, use) {
				return
			}
		}
	}
}

// quota is what one frontend may take, so that enough is left for the others.
type quota struct {
	calls, joins bucket
	nodes        *semaphore.Weighted // calls to nodes
	bodies       *semaphore.Weighted // bytes of large bodies
	lists        *semaphore.Weighted // bytes of lists of recordings
	underWay     atomic.Int64
	crowded      atomic.Uint64

	overRate, overShare remark
}

type quotas struct {
	all     sync.Map     // id of the frontend → *quota
	sweptAt atomic.Int64 // unix seconds
}

// quotaOf also forgets frontends that were deleted, once a minute.
func (g *Gateway) quotaOf(f *b3scale.Frontend, now time.Time) *quota {
	if swept := g.quotas.sweptAt.Load(); now.Unix()-swept >= 60 && g.quotas.sweptAt.CompareAndSwap(swept, now.Unix()) {
		for id := range g.quotas.all.Range {
			if g.cluster.FrontendByID(id.(string)) == nil {
				g.quotas.all.Delete(id)
			}
		}
	}
	q, ok := g.quotas.all.Load(f.ID)
	if !ok {
		q, _ = g.quotas.all.LoadOrStore(f.ID, &quota{
			nodes:  semaphore.NewWeighted(int64(g.opts.NodeCalls)),
			bodies: semaphore.NewWeighted(max(g.opts.MaxBodies/2, g.opts.MaxPresentation)),
			lists:  semaphore.NewWeighted(g.opts.roomForLists() / 2),
		})
	}
	return q.(*quota)
}

var errRate = &bbb.Failure{Key: "rateLimitExceeded", Message: "Too many requests. Please try again later."}

// admit counts a call that is proven to be the frontend's own, and answers it
// when the frontend calls too often. Creates and joins are counted apart: a
// storm of questions must not keep people out.
func (g *Gateway) admit(w http.ResponseWriter, req *request) bool {
	limit := req.frontend.Policy.RateLimit
	if limit == nil || !(limit.RequestsPerSecond > 0) {
		return true
	}
	now := time.Now()
	q := g.quotaOf(req.frontend, now)
	b := &q.calls
	if req.Call == "create" || req.Call == "join" {
		b = &q.joins
	}
	wait, ok := b.take(*limit, now)
	if ok {
		return true
	}
	if others, due := q.overRate.due(now); due {
		g.log.WarnContext(req.http.Context(), "frontend calls too often", "frontend", req.frontend.Key, "call", req.Call,
			"refused_since_last_line", others)
	}
	w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	if req.Call == "join" {
		g.notJoined(w, req, errRate)
	} else {
		failErr(w, errRate)
	}
	return false
}

// shareWait is how long a call waits for one of the frontend's earlier ones.
const shareWait = 10 * time.Second

var errCrowded = b3scale.Errorf(b3scale.Unavailable, "too many calls of this frontend are under way")

// share waits until the frontend may call a node: it has only so many calls
// under way, so that hanging nodes of one do not take everything. Call done
// when the node has answered.
func (g *Gateway) share(ctx context.Context, f *b3scale.Frontend) (done func(), err error) {
	q := g.quotaOf(f, time.Now())
	if !q.nodes.TryAcquire(1) {
		waiting, cancel := context.WithTimeout(ctx, shareWait)
		defer cancel()
		if q.nodes.Acquire(waiting, 1) != nil {
			return nil, g.crowded(ctx, f, q)
		}
	}
	q.underWay.Add(1)
	return func() {
		q.underWay.Add(-1)
		q.nodes.Release(1)
	}, nil
}

func (g *Gateway) crowded(ctx context.Context, f *b3scale.Frontend, q *quota) error {
	if errors.Is(ctx.Err(), context.Canceled) { // the client has left, as clients do
		return errCrowded
	}
	q.crowded.Add(1)
	if others, due := q.overShare.due(time.Now()); due {
		g.log.WarnContext(ctx, "frontend waits for its calls to nodes", "frontend", f.Key, "under_way", q.underWay.Load(),
			"refused_since_last_line", others)
	}
	return errCrowded
}

// remark lets a log tell something once a minute.
type remark struct {
	mu   sync.Mutex
	told time.Time
	held int
}

// due also tells how often it was not, since it last was.
func (r *remark) due(now time.Time) (held int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.told) < time.Minute {
		r.held++
		return 0, false
	}
	held, r.held, r.told = r.held, 0, now
	return held, true
}
