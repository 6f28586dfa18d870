package app_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// fleet is several real b3scaled processes on one PostgreSQL, beside nodes that
// live in the test.
type fleet struct {
	nodes   []*bbbtest.Node
	members []*daemon
}

const (
	fleetNodes   = 10
	fleetMembers = 3
)

// startFleet runs all members, with settings of the test's choice.
func startFleet(t *testing.T, dsn string, settings ...string) *fleet {
	t.Helper()
	f := &fleet{nodes: startNodes(t, fleetNodes)}
	env := append([]string{
		"B3SCALE_DB_URL=" + dsn, "B3SCALE_LISTEN_HTTP=127.0.0.1:0", "B3SCALE_DB_POOL_SIZE=8",
	}, settings...)
	if err := open(t, env, f.nodes...).Stop(); err != nil {
		t.Fatal(err)
	}
	binary := buildDaemon(t)
	for i := range fleetMembers {
		d := &daemon{binary: binary, env: env}
		if i == fleetMembers-1 { // one that hears nothing and only polls is right, too
			d.env = append(slices.Clone(env), "B3SCALE_DB_LISTEN_URL=off")
		}
		t.Cleanup(d.kill)
		d.begin(t)
		f.members = append(f.members, d)
	}
	for _, d := range f.members {
		d.waitReady(t)
	}
	t.Cleanup(func() {
		for i, d := range f.members {
			noSecrets(t, fmt.Sprintf("the log of instance %d", i), d.log.String(), dsn)
			if t.Failed() {
				t.Logf("log of instance %d:\n%s", i, tail(d.log.String(), 40))
			}
		}
	})
	return f
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// door is how clients get an answer from a fleet. ok tells whether the client
// is content with it, and a door may try again if not.
type door func(ctx context.Context, path string, ok func(answer) bool) answer

// once asks any member and leaves it at that.
func (f *fleet) once(ctx context.Context, path string, _ func(answer) bool) answer {
	return f.members[rand.IntN(len(f.members))].get(ctx, path)
}

// twice asks any member and, if the answer is no good, another one.
func (f *fleet) twice(ctx context.Context, path string, ok func(answer) bool) answer {
	first := rand.IntN(len(f.members))
	got := f.members[first].get(ctx, path)
	if ok(got) {
		return got
	}
	other := (first + 1 + rand.IntN(len(f.members)-1)) % len(f.members)
	return f.members[other].get(ctx, path)
}

// homes are the nodes where a meeting has a room, and the rooms' internal ids.
func (f *fleet) homes(id string) (urls, internalIDs []string) {
	for _, n := range f.nodes {
		if room, ok := n.Room(b3scale.EncodeMeetingID(frontendKey, id)); ok {
			urls = append(urls, n.BaseURL())
			internalIDs = append(internalIDs, room.InternalID)
		}
	}
	return urls, internalIDs
}

// split lists the meetings that have more than one room.
func (f *fleet) split() []string {
	rooms := map[string]int{}
	var found []string
	for _, n := range f.nodes {
		for _, room := range n.Rooms() {
			if rooms[room.ExternalID]++; rooms[room.ExternalID] == 2 {
				found = append(found, room.ExternalID)
			}
		}
	}
	return found
}

// settles waits until all is as the clients were told: each acknowledged
// meeting is joinable through every member, at the node where its one room is,
// and is on every member's list; what was ended is gone.
func (f *fleet) settles(t *testing.T, c *clients) {
	t.Helper()
	begin := time.Now()
	within(t, time.Minute, "no meeting has two rooms", func() string {
		return strings.Join(f.split(), " ")
	})
	alive, ended := c.known()
	for i, d := range f.members {
		for id, internalID := range alive {
			within(t, 20*time.Second, fmt.Sprintf("%s is joinable through instance %d", id, i), func() string {
				return d.joinsHome(t.Context(), f.nodes, id, internalID)
			})
		}
		within(t, 20*time.Second, fmt.Sprintf("instance %d lists all meetings", i), func() string {
			list := d.call(t.Context(), "getMeetings", "").body
			for id := range alive {
				if !strings.Contains(list, "<meetingID>"+id+"</meetingID>") {
					return id + " is not on the list"
				}
			}
			return ""
		})
	}
	for id := range ended {
		within(t, 20*time.Second, id+" is gone", func() string {
			urls, _ := f.homes(id)
			return strings.Join(urls, " ")
		})
	}
	t.Logf("%d meetings live where they should, %d have ended; settled after %v", len(alive), len(ended), time.Since(begin).Round(time.Millisecond))
}

// pids tells whether somebody was started again behind our back.
func (f *fleet) pids() string {
	var pids []string
	for _, d := range f.members {
		pids = append(pids, fmt.Sprint(d.cmd.Process.Pid, d.cmd.Process.Signal(syscall.Signal(0))))
	}
	return strings.Join(pids, ", ")
}

// ready is what one /readyz tells.
func (d *daemon) ready(ctx context.Context) (inService bool, text string) {
	got := d.get(ctx, "/readyz")
	return got.status == http.StatusOK, strings.TrimSpace(got.body)
}
