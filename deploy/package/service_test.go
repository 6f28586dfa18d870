package packages_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// service is a program that runs in a root as its unit would run it: as the
// user of the unit, with what the files of settings say and nothing else.
type service struct {
	cmd *exec.Cmd
	log lines
}

func (r root) start(t *testing.T, settings string, args ...string) *service {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	as := []string{"setpriv", "--reuid=bigbluebutton", "--regid=bigbluebutton", "--init-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"}
	s := &service{cmd: r.inside(ctx, r.environment(t, settings), append(as, args...)...)}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it must not outlive the test
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill() // and with it what it has started
			_ = s.cmd.Wait()
		}
	})
	return s
}

// environment reads a file of settings as systemd does, as root.
func (r root) environment(t *testing.T, name string) []string {
	t.Helper()
	var env []string
	for line := range strings.Lines(r.read(t, name)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			env = append(env, line)
		}
	}
	return env
}

// await waits until the log matches and gives the first group.
func (s *service) await(t *testing.T, pattern string) string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if m := want.FindStringSubmatch(s.log.String()); m != nil {
			return m[len(m)-1]
		}
	}
	t.Fatalf("no %q in the log:\n%s", pattern, s.log.String())
	return ""
}

// signal reaches the program: unshare, which keeps it, takes none.
func (s *service) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	keeper := s.cmd.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", keeper, keeper))
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatalf("children %q", children)
	}
	if err := syscall.Kill(child, sig); err != nil {
		t.Fatal(err)
	}
}

// stop ends it as systemd does. Any end but a clean one is an error.
func (s *service) stop(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, s.log.String())
	}
}

// set changes settings as an operator does with an editor: the line that
// explains it is there, commented out.
func (r root) set(t *testing.T, file string, settings ...string) {
	t.Helper()
	text := r.read(t, file)
	for _, setting := range settings {
		name, _, _ := strings.Cut(setting, "=")
		line := regexp.MustCompile(`(?m)^#?` + name + `=.*$`)
		if n := len(line.FindAllString(text, -1)); n != 1 {
			t.Fatalf("%s has %d lines for %s", file, n, name)
		}
		text = line.ReplaceAllLiteralString(text, setting)
	}
	r.write(t, file, text)
}

// stat gives mode and owner of a file, by name.
func (r root) stat(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(r.run(t, "stat", "-c", "%a %U:%G", filepath.Join("/", name)))
}

// lines may be written and read at the same time.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
