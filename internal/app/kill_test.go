package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/config"
)

const killSecret = "kill-secret"

// daemon is a real b3scaled process on a database of its own, beside nodes
// that live in the test.
type daemon struct {
	binary, database, address string
	cmd                       *exec.Cmd
	log                       bytes.Buffer
}

func buildDaemon(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "b3scaled")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "b3scale/cmd/b3scaled").CombinedOutput()
	if err != nil {
		t.Fatalf("build b3scaled: %v\n%s", err, out)
	}
	return binary
}

// newDaemon prepares a database with one frontend and the nodes.
func newDaemon(t *testing.T, binary string, nodes []*bbbtest.Node) *daemon {
	t.Helper()
	d := &daemon{binary: binary, database: filepath.Join(t.TempDir(), "b3scale.db"), address: freeAddress(t)}
	cfg, _, err := config.Load([]string{"B3SCALE_DB_URL=sqlite:" + d.database}, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler), app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	backends := make([]b3scale.Backend, 0, len(nodes))
	for _, n := range nodes {
		backends = append(backends, b3scale.Backend{Host: n.BaseURL(), Secret: b3scale.Secret(n.API().Secret), AdminState: b3scale.AdminReady, LoadFactor: 1})
	}
	frontends := []b3scale.Frontend{{Key: "school", Secret: killSecret, Active: true}}
	if err := a.Seed(t.Context(), frontends, backends); err != nil {
		t.Fatal(err)
	}
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	return d
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// start runs the process and waits until it is ready.
func (d *daemon) start(t *testing.T) {
	t.Helper()
	d.log.Reset()
	d.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), d.binary)
	d.cmd.Env = append(os.Environ(), "B3SCALE_DB_URL=sqlite:"+d.database, "B3SCALE_LISTEN_HTTP="+d.address)
	d.cmd.Stderr = &d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "b3scaled to be ready", func() bool {
		status, _, _ := d.get(t.Context(), "http://"+d.address+"/readyz")
		return status == http.StatusOK
	}, func() string { return d.log.String() })
}

// kill is kill -9.
func (d *daemon) kill() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		d.cmd = nil
	}
}

func (d *daemon) url(call, query string) string {
	return bbb.Node{BaseURL: "http://" + d.address + "/bbb/school/bigbluebutton/api/", Secret: killSecret}.URL(call, query)
}

var noRedirects = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (d *daemon) get(ctx context.Context, url string) (status int, location string, body []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", nil
	}
	resp, err := noRedirects.Do(req)
	if err != nil {
		return 0, "", nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", nil
	}
	return resp.StatusCode, resp.Header.Get("Location"), body
}

// create returns the internal id of an acknowledged meeting, or "".
func (d *daemon) create(ctx context.Context, id string) string {
	status, _, body := d.get(ctx, d.url("create", "name=Class&meetingID="+id))
	doc, err := bbb.ParseXML(body)
	if status != http.StatusOK || err != nil || doc.Root().Child("returncode").Text() != bbb.Success {
		return ""
	}
	return doc.Root().Child("internalMeetingID").Text()
}

// joinsHome reports what is wrong with joining the meeting, or "".
func (d *daemon) joinsHome(ctx context.Context, nodes []*bbbtest.Node, id, internalID string) string {
	status, location, body := d.get(ctx, d.url("join", "fullName=Ada&role=VIEWER&meetingID="+id))
	if status != http.StatusFound {
		return fmt.Sprintf("%s: join answered %d %s", id, status, body)
	}
	home := ""
	for _, n := range nodes {
		if room, ok := n.Room(b3scale.EncodeMeetingID("school", id)); ok {
			if home != "" {
				return id + " has a room on two nodes"
			}
			home = n.BaseURL()
			if room.InternalID != internalID {
				return fmt.Sprintf("%s: its room is %s, acknowledged was %s", id, room.InternalID, internalID)
			}
		}
	}
	if home == "" || !strings.HasPrefix(location, home) {
		return fmt.Sprintf("%s: join leads to %s, its room is on %q", id, location, home)
	}
	return ""
}

// waitFor polls with a generous deadline: machines are small and noisy.
func waitFor(t *testing.T, what string, ok func() bool, detail func() string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain for %s\n%s", what, detail())
}

func startNodes(t *testing.T, n int) []*bbbtest.Node {
	t.Helper()
	nodes := make([]*bbbtest.Node, n)
	for i := range nodes {
		nodes[i] = bbbtest.Start(t, bbbtest.Options{Name: fmt.Sprintf("bbb%d", i), Version: []string{"3.0", "2.7", "2.5", "3.0"}[i%4]})
	}
	return nodes
}

// load creates new meetings, and repeats earlier ones, until ctx ends, and
// collects what was acknowledged.
func (d *daemon) load(ctx context.Context, round int, acknowledged *sync.Map) {
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("m-%d-%d-%d", round, worker, i)
				if i%4 == 3 { // shared between the workers
					id = fmt.Sprintf("s-%d-%d", round, i)
				}
				if internalID := d.create(ctx, id); internalID != "" {
					acknowledged.Store(id, internalID)
				}
			}
		})
	}
	wg.Wait()
}

func TestKill9LosesNoAcknowledgedMeeting(t *testing.T) {
	nodes := startNodes(t, 4)
	binary := buildDaemon(t)
	d := newDaemon(t, binary, nodes)
	var acknowledged sync.Map
	total := 0
	for round := range 20 {
		d.start(t)
		bad := 0
		total = 0
		acknowledged.Range(func(id, internalID any) bool {
			total++
			if wrong := d.joinsHome(t.Context(), nodes, id.(string), internalID.(string)); wrong != "" {
				t.Errorf("round %d: %s", round, wrong)
				bad++
			}
			return bad < 10
		})
		if bad > 0 {
			t.Fatalf("log of b3scaled:\n%s", &d.log)
		}
		ctx, cancel := context.WithCancel(t.Context())
		loaded := make(chan struct{})
		go func() {
			defer close(loaded)
			d.load(ctx, round, &acknowledged)
		}()
		time.Sleep(time.Duration(20+rand.IntN(130)) * time.Millisecond) // the moment of death is what varies here
		d.kill()
		cancel()
		<-loaded
	}
	if total < 100 {
		t.Errorf("only %d meetings were acknowledged: too few to prove anything", total)
	}
	t.Logf("%d acknowledged meetings, all joinable after each of 20 deaths", total)
	t.Run("an empty database beside them adopts every room", func(t *testing.T) {
		adoptAll(t, binary, nodes, &acknowledged)
	})
}

// adoptAll starts b3scaled with an empty database beside the running rooms.
func adoptAll(t *testing.T, binary string, nodes []*bbbtest.Node, running *sync.Map) {
	for i, n := range nodes {
		n.AddRoom(bbbtest.Room{ExternalID: fmt.Sprintf("not-ours-%d", i), Name: "Foreign"})
		n.AddRoom(bbbtest.Room{ExternalID: b3scale.EncodeMeetingID("stranger", "room"), Name: "Unknown frontend"})
		n.ResetRequests()
	}
	rooms := 0
	for _, n := range nodes {
		rooms += len(n.Rooms())
	}
	d := newDaemon(t, binary, nodes)
	d.start(t)
	running.Range(func(id, internalID any) bool {
		waitFor(t, "adoption of "+id.(string), func() bool {
			return d.joinsHome(t.Context(), nodes, id.(string), internalID.(string)) == ""
		}, func() string { return d.joinsHome(t.Context(), nodes, id.(string), internalID.(string)) })
		return true
	})
	left := 0
	for _, n := range nodes {
		left += len(n.Rooms())
		if calls := n.Calls("end"); len(calls) > 0 {
			t.Errorf("%s got %d end calls, want none", n.Name(), len(calls))
		}
	}
	if left != rooms {
		t.Errorf("%d rooms are left, want all %d", left, rooms)
	}
}
