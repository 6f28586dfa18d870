package app_test

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/logtest"
)

// daemon is a real b3scaled process beside nodes that live in the test. It may
// be asked while it is started and killed.
type daemon struct {
	binary  string
	env     []string
	address atomic.Pointer[string] // of the last start
	cmd     *exec.Cmd
	log     syncBuffer
}

// buildDaemon builds the binary once for all tests.
func buildDaemon(t *testing.T) string {
	t.Helper()
	binary, err := daemonBinary()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

var daemonBinary = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(scratch, "b3scaled")
	out, err := exec.Command("go", "build", "-o", binary, "b3scale/cmd/b3scaled").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build b3scaled: %w\n%s", err, out)
	}
	return binary, nil
})

// newDaemon prepares a database of its own with the frontend and the nodes.
func newDaemon(t *testing.T, binary string, nodes []*bbbtest.Node) *daemon {
	t.Helper()
	env := environ(file(t))
	if err := open(t, env, nodes...).Stop(); err != nil {
		t.Fatal(err)
	}
	d := &daemon{binary: binary, env: env}
	t.Cleanup(d.kill)
	return d
}

// start runs the process and waits until it is ready.
func (d *daemon) start(t *testing.T) {
	t.Helper()
	d.begin(t)
	d.waitReady(t)
}

// begin runs the process.
func (d *daemon) begin(t *testing.T) {
	t.Helper()
	d.log.Reset()
	d.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), d.binary)
	// A port of the kernel's choice: one that was free a moment ago may be taken.
	d.cmd.Env = append(slices.Clone(d.env), "B3SCALE_LISTEN_HTTP=127.0.0.1:0", "B3SCALE_LOG_LEVEL="+logtest.Level(), "B3SCALE_LOG_FORMAT=json")
	d.cmd.Stderr = &d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// waitReady waits until the process serves and balancers may know it.
func (d *daemon) waitReady(t *testing.T) {
	t.Helper()
	within(t, time.Minute, "b3scaled is ready", func() string {
		m := servingAt.FindStringSubmatch(d.log.String())
		if m == nil {
			return "its log:\n" + d.log.String()
		}
		d.address.Store(&m[1])
		if d.get(t.Context(), "/readyz").status == http.StatusOK {
			return ""
		}
		return "its log:\n" + d.log.String()
	})
}

var servingAt = regexp.MustCompile(`"msg":"serving","address":"([^"]+)"`)

// kill is kill -9.
func (d *daemon) kill() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		d.cmd = nil
	}
}

// get asks the process. One that dies halfway through its answer has given
// none.
func (d *daemon) get(ctx context.Context, path string) answer { return d.getFor(ctx, "", path) }

func (d *daemon) getFor(ctx context.Context, accept, path string) answer {
	address := d.address.Load()
	if address == nil {
		return answer{body: "it was never started"}
	}
	got, err := askFor(ctx, accept, "http://"+*address+path)
	if err != nil {
		return answer{body: err.Error()}
	}
	return got
}

func (d *daemon) call(ctx context.Context, call, query string) answer {
	return d.get(ctx, signed(call, query))
}

// create returns the internal id of an acknowledged meeting, or "".
func (d *daemon) create(ctx context.Context, id string) string {
	got := d.call(ctx, "create", "name=Class&meetingID="+id)
	return got.internalID()
}

// internalID is that of a meeting in an answer with SUCCESS, else "".
func (a answer) internalID() string {
	doc, err := bbb.ParseXML([]byte(a.body))
	if a.status != http.StatusOK || err != nil || doc.Root().Child("returncode").Text() != bbb.Success {
		return ""
	}
	return doc.Root().Child("internalMeetingID").Text()
}

// joinsHome reports what is wrong with joining the meeting, or "".
func (d *daemon) joinsHome(ctx context.Context, nodes []*bbbtest.Node, id, internalID string) string {
	got := d.call(ctx, "join", "fullName=Ada&role=VIEWER&meetingID="+id)
	if got.status != http.StatusFound {
		return fmt.Sprintf("%s: join answered %d %s", id, got.status, got.body)
	}
	home := ""
	for _, n := range nodes {
		if room, ok := n.Room(b3scale.EncodeMeetingID(frontendKey, id)); ok {
			if home != "" {
				return id + " has a room on two nodes"
			}
			home = n.BaseURL()
			if room.InternalID != internalID {
				return fmt.Sprintf("%s: its room is %s, acknowledged was %s", id, room.InternalID, internalID)
			}
		}
	}
	if home == "" || !strings.HasPrefix(got.location, home) {
		return fmt.Sprintf("%s: join leads to %s, its room is on %q", id, got.location, home)
	}
	return ""
}
