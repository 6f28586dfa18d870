package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

const (
	stormMeetings = 100
	stormClients  = 32
	steadyClients = 64 // they also bound what waits, or a slow machine would drown
)

// One frontend polls as fast as it can, the other one joins at a steady pace,
// whether its joins are answered or not. The rate at which they are answered
// must not fall much. Both rates are measured in turns, so that a machine with
// other things to do disturbs them alike.
//
// Two who take all that they get have a half of the machine each, and the one
// that polls asks for more in each call. So who wants a modest part gets it; who
// wants more does so when the other one has a rate limit.
//
// It runs alone: other tests would be measured, too.
func TestStormOfAnotherFrontend(t *testing.T) { //nolint:paralleltest // see above
	limit := &b3scale.RateLimit{RequestsPerSecond: 20}
	for _, c := range []struct {
		name   string
		limit  *b3scale.RateLimit // of the one that polls
		wanted float64            // joins, of those that are answered when nothing else is asked
		least  float64            // of those that are wanted
	}{
		{"one wants little", nil, 0.2, 0.8},
		{"one wants much, the other is limited", limit, 0.6, 0.8},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, storming := newStorm(t, c.limit)
			for chance := range 3 { // the machine may be busy with something else
				ratio := d.compare(storming, c.wanted)
				if ratio >= c.least {
					return
				}
				t.Logf("chance %d is lost", chance)
			}
			t.Errorf("beside a storm fewer joins are answered than %.2f of those that are alone", c.least)
		})
	}
}

// newStorm is a daemon with a room for joins and with the frontend that will
// poll.
func newStorm(t *testing.T, limit *b3scale.RateLimit) (*instance, tenant) {
	t.Helper()
	n := node(t, bbbtest.Options{})
	d := start(t, environ(file(t), "B3SCALE_LOG_LEVEL=info"), n)
	storming := tenant{key: "storm", secret: "the-storm-secret"}
	if err := d.Seed(t.Context(), []b3scale.Frontend{{Key: storming.key, Secret: b3scale.Secret(storming.secret), Active: true}}, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready", d.ready)
	d.call("create", "name=Room&meetingID=room")
	for i := range stormMeetings {
		if got := d.ask(t.Context(), storming.below("create", fmt.Sprintf("name=Room&meetingID=room-%d", i))); got.internalID() == "" {
			t.Fatalf("create: got %+v", got)
		}
	}
	n.SetFault(bbbtest.Fault{Kind: bbbtest.Latency, Delay: 50 * time.Millisecond, Calls: []string{"create", "getMeetingInfo"}})
	_, err := d.Cluster().EditFrontend(t.Context(), d.Cluster().Frontend(storming.key).ID, b3scale.Actor{}, func(f *b3scale.Frontend) error {
		f.Settings.RateLimit = limit
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, storming
}

// compare measures in turns how many joins are answered alone and beside a
// storm.
func (d *instance) compare(storming tenant, wanted float64) (ratio float64) {
	d.Helper()
	pace := int64(wanted * float64(d.fastest(time.Second)))
	var alone, beside, polls int64
	for range 2 {
		alone += d.steady(pace)
		stop := d.storm(storming, &polls)
		beside += d.steady(pace)
		stop()
	}
	ratio = float64(beside) / float64(alone)
	d.Logf("%d joins were asked for in a second; %d were answered alone, %d beside %d polls: %.2f", pace, alone, beside, polls, ratio)
	if polls < 100 {
		d.Errorf("%d polls are no storm", polls)
	}
	return ratio
}

// below is the path of a call below the tenant's key.
func (who tenant) below(call, query string) string {
	return "/bbb/" + who.key + "/bigbluebutton/api/" + call + "?" + bbb.SignedQuery(call, query, who.secret)
}

func (d *instance) ask(ctx context.Context, path string) answer {
	got, err := ask(ctx, d.URL()+path)
	if err != nil {
		got.body = err.Error()
	}
	return got
}

// crowd is a client with many connections, which reads answers and forgets
// them.
func crowd(connections int) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections},
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// status is 0 when nobody answers any more.
func status(ctx context.Context, client *http.Client, url string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

// fastest is how many joins in a second are answered when each client asks
// again at once.
func (d *instance) fastest(for_ time.Duration) int64 {
	client := crowd(8)
	defer client.CloseIdleConnections()
	url := d.URL() + signed("join", "meetingID=room&role=VIEWER&fullName=Ada")
	var joins atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(for_)
	for range 8 {
		wg.Go(func() {
			for time.Now().Before(end) {
				if got := status(d.Context(), client, url); got != http.StatusFound {
					d.Errorf("join: got %d", got)
					return
				}
				joins.Add(1)
			}
		})
	}
	wg.Wait()
	return int64(float64(joins.Load()) / for_.Seconds())
}

// steady asks for so many joins a second and counts those that are answered in
// a second. Both go on for a while before that: whoever is only slower is
// answered as often.
func (d *instance) steady(pace int64) int64 {
	const warm, end = 500 * time.Millisecond, 1500 * time.Millisecond
	client := crowd(steadyClients)
	defer client.CloseIdleConnections()
	url := d.URL() + signed("join", "meetingID=room&role=VIEWER&fullName=Ada")
	wanted := make(chan struct{}, pace) // more than a second behind is lost
	var joins atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range steadyClients {
		wg.Go(func() {
			for range wanted {
				if time.Since(begin) > end {
					continue
				}
				got := status(d.Context(), client, url)
				if at := time.Since(begin); at > warm && at <= end {
					joins.Add(1)
				}
				if got != http.StatusFound {
					d.Errorf("join: got %d", got)
				}
			}
		})
	}
	for asked := int64(0); time.Since(begin) < end; time.Sleep(time.Millisecond) {
		for due := int64(time.Since(begin).Seconds() * float64(pace)); asked < due; asked++ {
			select {
			case wanted <- struct{}{}:
			default:
			}
		}
	}
	close(wanted)
	wg.Wait()
	return joins.Load()
}

// storm polls as fast as it can until the returned function is called.
func (d *instance) storm(who tenant, polls *int64) (stop func()) {
	ctx, cancel := context.WithCancel(d.Context())
	client := crowd(stormClients)
	var count atomic.Int64
	var wg sync.WaitGroup
	for i := range stormClients {
		url := d.URL() + who.below("getMeetings", "")
		if i%2 == 0 {
			url = d.URL() + who.below("getMeetingInfo", fmt.Sprintf("meetingID=room-%d", i))
		}
		wg.Go(func() {
			for ctx.Err() == nil {
				if got := status(ctx, client, url); got != http.StatusOK && ctx.Err() == nil {
					d.Errorf("poll: got %d", got)
					return
				}
				count.Add(1)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
		client.CloseIdleConnections()
		*polls += count.Load()
	}
}
