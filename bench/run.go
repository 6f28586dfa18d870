package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"b3scale"
	"b3scale/internal/pgtest"
	"b3scale/internal/sqlstore"
)

func run(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "b3scale-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, err := buildDaemon(ctx, dir)
	if err != nil {
		return err
	}
	floor, err := startRole(ctx, "-role", "floor")
	if err != nil {
		return err
	}
	defer floor.stop()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "work\tstore\tmeetings\trequests/s\tfloor/s\tof the floor\tof the first row\t")
	for _, store := range strings.Split(s.stores, ",") {
		for _, meetings := range s.meetings {
			err := onDatabase(s, store, filepath.Join(dir, strconv.Itoa(meetings)+".db"), func(database string) error {
				return runWith(ctx, s, store, database, binary, floor.addresses[0], meetings, table)
			})
			if err != nil {
				return err
			}
		}
		if s.wants("recordings") {
			err := onDatabase(s, store, filepath.Join(dir, "recordings.db"), func(database string) error { return recordings(ctx, s, store, database) })
			if err != nil {
				return err
			}
		}
	}
	return table.Flush()
}

// onDatabase makes a database, measures, and throws it away.
func onDatabase(s settings, store, path string, measure func(database string) error) error {
	switch {
	case store == "sqlite":
		return measure("sqlite:" + path)
	case store == "postgres" && s.postgres != "":
		return measure(s.postgres)
	case store == "postgres":
		private, stop, err := pgtest.Launch()
		if err != nil {
			return err
		}
		defer func() { _ = stop() }()
		return measure(private)
	}
	return fmt.Errorf("-stores: %q is not one of sqlite, postgres", store)
}

// runWith measures all work with so many meetings in the cluster.
func runWith(ctx context.Context, s settings, store, database, binary, floor string, meetings int, table *tabwriter.Writer) error {
	fmt.Fprintf(os.Stderr, "%s, %d meetings: seeding\n", store, meetings)
	nodes, err := startRole(ctx, "-role", "nodes", "-nodes", strconv.Itoa(s.nodes), "-seeded", strconv.Itoa(meetings))
	if err != nil {
		return err
	}
	defer nodes.stop()
	hanging, stop, err := hangingNode(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if err := seed(ctx, database, nodes.addresses, hanging, meetings); err != nil {
		return err
	}
	daemon, err := startDaemon(ctx, binary, database)
	if err != nil {
		return err
	}
	defer daemon.stop()
	settle(ctx, meetings)
	for _, w := range works(meetings) {
		if !s.wants(w.name) || meetings < w.atLeast || store == "postgres" && w.memory {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s, %d meetings: %s\n", store, meetings, w.name)
		if err := compare(ctx, s, w, store, daemon.addresses[0], floor, meetings, table); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	if !s.wants("heartbeat") {
		return nil
	}
	return heartbeats(ctx, s, store, daemon.addresses[0], meetings)
}

// settle gives the first lists of all nodes the time to be taken in.
func settle(ctx context.Context, meetings int) {
	select {
	case <-ctx.Done():
	case <-time.After(2*time.Second + time.Duration(meetings/10000)*time.Second):
	}
}

// work is one thing to measure.
type work struct {
	name    string
	atLeast int // meetings that must exist
	want    string
	request func(i int64) []byte
	bytes   bool // compare bytes per second, not requests
	memory  bool // the store has no part in it
}

func works(meetings int) []work {
	api := func(key string) string { return "/bbb/" + key + "/bigbluebutton/api/" }
	// Requests are rendered beforehand: the client must not be what is measured.
	rendered := func(call, query string) func(i int64) []byte {
		all := make([][]byte, min(meetings, 10_000))
		for i := range all {
			n := i * (meetings / len(all)) // spread over all meetings
			_, key, id, _, _, _ := room(n, 1)
			all[i] = get(api(key), call, strings.ReplaceAll(query, "{}", id))
		}
		return func(i int64) []byte { return all[i%int64(len(all))] }
	}
	run := strconv.FormatInt(time.Now().Unix(), 36)
	return []work{
		{name: "join", want: " 302 ", request: rendered("join", "fullName=Ada+Example&meetingID={}&password=attendee&userID=17&role=VIEWER")},
		{name: "isMeetingRunning", memory: true, want: "<running>false", request: rendered("isMeetingRunning", "meetingID={}")},
		{name: "createAgain", want: "SUCCESS", request: rendered("create", "name=Physics&meetingID={}&attendeePW=attendee&moderatorPW=moderator")},
		{name: "getMeetingInfo", memory: true, want: "SUCCESS", request: rendered("getMeetingInfo", "meetingID={}")},
		{name: "getMeetings", memory: true, want: " 200 ", atLeast: listed, bytes: true, request: func(int64) []byte { return get(api(listKey), "getMeetings", "") }},
		{name: "create", want: "SUCCESS", request: func(i int64) []byte {
			return get(api(frontendKey), "create", "name=Physics&meetingID=new-"+run+"-"+strconv.FormatInt(i, 10))
		}},
	}
}

// compare measures the floor, the work, and the floor again: what else the
// machine does then weighs on both.
func compare(ctx context.Context, s settings, w work, store, daemon, floor string, meetings int, table *tabwriter.Writer) error {
	var next atomic.Int64
	ours := target{address: daemon, request: w.request, want: w.want}
	warm, err := measure(ctx, ours, s.callers, s.measure/3, &next)
	if err != nil {
		return err
	}
	base := target{address: floor, want: " 302 "}
	request := get("/", "join", "fullName=Ada+Example&meetingID=meeting-000001&password=attendee&userID=17&role=VIEWER")
	if w.bytes {
		base.want, request = " 200 ", get("/", "list", "n="+strconv.Itoa(warm.size))
	}
	base.request = func(int64) []byte { return request }
	before, err := measure(ctx, base, s.callers, s.measure/2, &next)
	if err != nil {
		return err
	}
	got, err := measure(ctx, ours, s.callers, s.measure, &next)
	if err != nil {
		return err
	}
	after, err := measure(ctx, base, s.callers, s.measure/2, &next)
	if err != nil {
		return err
	}
	bare := (before.perSecond + after.perSecond) / 2
	if bare == 0 {
		return errNoFloor
	}
	ratio := got.perSecond / bare
	growth := "" // how the ratio stands to that with the first number of meetings
	if first, ok := s.first[store+w.name]; ok {
		growth = fmt.Sprintf("%.0f %%", 100*ratio/first)
	} else {
		s.first[store+w.name] = ratio
	}
	_, err = fmt.Fprintf(table, "%s\t%s\t%d\t%.0f\t%.0f\t%.0f %%\t%s\t\n", w.name, store, meetings, got.perSecond, bare, 100*ratio, growth)
	return err
}

func open(ctx context.Context, database string) (*sqlstore.Store, error) {
	if path, found := strings.CutPrefix(database, "sqlite:"); found {
		return sqlstore.Open(ctx, path, sqlstore.Options{})
	}
	return sqlstore.Connect(ctx, b3scale.Secret(database), sqlstore.PostgresOptions{PollOnly: true, Timeout: time.Minute})
}

// seed writes the frontends, backends and meetings that the nodes have.
func seed(ctx context.Context, database string, hosts []string, hanging b3scale.Backend, meetings int) error {
	store, err := open(ctx, database)
	if err != nil {
		return err
	}
	frontends := map[string]string{}
	for _, key := range []string{frontendKey, listKey} {
		f, err := store.AddFrontend(ctx, b3scale.Frontend{Key: key, Secret: secret, Active: true}, b3scale.Actor{})
		if err != nil {
			return err
		}
		frontends[key] = f.ID
	}
	if _, err := store.AddBackend(ctx, hanging, b3scale.Actor{}); err != nil {
		return err
	}
	backends := make([]b3scale.Backend, len(hosts))
	for i, host := range hosts {
		backends[i], err = store.AddBackend(ctx, b3scale.Backend{Host: host, Secret: secret, AdminState: b3scale.AdminReady, LoadFactor: 1}, b3scale.Actor{})
		if err != nil {
			return err
		}
	}
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		fail atomic.Pointer[error]
	)
	for range 256 { // so many share one commit
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < meetings && fail.Load() == nil; i = int(next.Add(1)) - 1 {
				node, key, id, _, internalID, createTime := room(i, len(hosts))
				inc := b3scale.Incarnation{InternalID: internalID, CreateTime: createTime, AttendeePW: "attendee", ModeratorPW: "moderator"}
				if _, _, err := store.AdoptMeeting(ctx, b3scale.MeetingKey{FrontendID: frontends[key], MeetingID: id}, backends[node].ID, inc, 15); err != nil {
					fail.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if err := fail.Load(); err != nil {
		return *err
	}
	return store.Close()
}
