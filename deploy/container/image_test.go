package container_test

import (
	"bytes"
	"context"
	"debug/elf"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"b3scale/internal/config"
)

// patience is for machines that run many tests.
const patience = 2 * time.Minute

func TestImage(t *testing.T) {
	t.Parallel()
	s := build(t, map[string]string{"VERSION": "1.2.3", "BUILD": "abcdef0"})
	t.Run("files", func(t *testing.T) { hasOnly(t, s) })
	t.Run("environment", func(t *testing.T) { environment(t, s.image) })
	t.Run("process", func(t *testing.T) { lives(t, s) })
}

// hasOnly compares all files with what ought to be there.
func hasOnly(t *testing.T, s *stage) {
	var found []string
	err := filepath.WalkDir(s.root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, strings.TrimPrefix(name, s.root))
		}
		return err
	})
	want := []string{"/etc/group", "/etc/passwd", authorities, "/usr/bin/b3scalectl", "/usr/bin/b3scaled", "/usr/share/doc/b3scale/LICENSE"}
	if err != nil || !slices.Equal(found, want) {
		t.Errorf("got %q, want %q; %v", found, want, err)
	}
	for _, name := range []string{"/usr/bin/b3scaled", "/usr/bin/b3scalectl"} {
		binary, err := elf.Open(s.path(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range binary.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s needs a loader, which is not there", name)
			}
		}
		_ = binary.Close() // it was only read
	}
	if pem, err := os.ReadFile(s.path(authorities)); err != nil || !bytes.Contains(pem, []byte("BEGIN CERTIFICATE")) {
		t.Errorf("certificate authorities: %v", err)
	}
	if info, err := os.Stat(s.path("/tmp")); err != nil || info.Mode()&fs.ModeSticky == 0 || info.Mode().Perm() != 0o777 {
		t.Errorf("/tmp is %v, %v", info.Mode(), err)
	}
	if !strings.Contains(s.image.labels, "org.opencontainers.image.version=") {
		t.Errorf("labels: %s", s.image.labels)
	}
}

// environment asks the daemon what it makes of it.
func environment(t *testing.T, i image) {
	cfg, warnings, err := config.Load(i.env, config.Options{ReadFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist }})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		if !strings.Contains(w, "is not set") {
			t.Errorf("warning: %s", w)
		}
	}
	if cfg.Listen != ":42353" || filepath.Dir(cfg.Store.Path) != i.volume {
		t.Errorf("it listens at %s, its database is %s, the volume %s", cfg.Listen, cfg.Store, i.volume)
	}
	uid, _, _ := strings.Cut(i.user, ":")
	if n, err := strconv.Atoi(uid); err != nil || n == 0 {
		t.Errorf("the user is %s: Kubernetes wants a number that is not root's", i.user)
	}
}

// lives starts what the image starts, as its user, with its files only.
func lives(t *testing.T, s *stage) {
	if out, err := s.inside(t, []string{"/usr/bin/b3scaled", "version"}, nil).Output(); err != nil || string(out) != "b3scaled 1.2.3 abcdef0\n" {
		t.Errorf("version: %q, %v", out, err)
	}
	if out, err := s.inside(t, []string{"/usr/bin/b3scalectl", "--version"}, nil).CombinedOutput(); err != nil || !strings.Contains(string(out), "1.2.3") {
		t.Errorf("version of b3scalectl: %q, %v", out, err)
	}
	var address []string
	healthy := func() error { return s.inside(t, s.image.healthcheck, address).Run() }
	var daemon *exec.Cmd
	var log bytes.Buffer
	// Between asking for a free port and using it, somebody else may take it.
	for attempt := range 10 {
		address = []string{"B3SCALE_LISTEN_HTTP=" + free(t)}
		if healthy() == nil {
			t.Logf("attempt %d: somebody is healthy before it starts", attempt)
			continue
		}
		log.Reset()
		daemon = s.inside(t, s.image.entrypoint, address)
		daemon.Stderr = &log
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- daemon.Wait() }()
		if waitFor(t, healthy, ended) {
			end(t, daemon, ended, &log)
			break
		}
		daemon = nil
	}
	if daemon == nil {
		t.Fatalf("it does not live:\n%s", log.String())
	}
	if healthy() == nil {
		t.Error("it is healthy after its end")
	}
	if _, err := os.Stat(s.path("/var/lib/b3scale/b3scale.db")); err != nil {
		t.Error(err)
	}
}

// waitFor is true once it is healthy, false when it has ended.
func waitFor(t *testing.T, healthy func() error, ended <-chan error) bool {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if healthy() == nil {
			return true
		}
		select {
		case err := <-ended:
			t.Logf("it ended: %v", err)
			return false
		default:
		}
	}
	t.Fatal("it is not healthy")
	return false
}

// end stops it as an engine does.
func end(t *testing.T, daemon *exec.Cmd, ended <-chan error, log *bytes.Buffer) {
	t.Helper()
	if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v\n%s", err, log)
		}
	case <-time.After(patience):
		t.Error("SIGTERM does not end it")
	}
}

// inside runs a command in the image. Only root may make it all there is; others
// run it from where it stands.
func (s *stage) inside(t *testing.T, args, env []string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = slices.Concat(s.image.env, env)
	if os.Geteuid() != 0 {
		cmd.Path, cmd.Dir = s.path(args[0]), s.path(s.image.workdir)
		cmd.Env = append(cmd.Env, "B3SCALE_DB_URL=sqlite:"+s.path("/var/lib/b3scale/b3scale.db"))
		return cmd
	}
	var ids [2]uint32
	for i, text := range strings.Split(s.image.user, ":") {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = uint32(n)
	}
	cmd.Dir = s.image.workdir
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.root, Credential: &syscall.Credential{Uid: ids[0], Gid: ids[1]}}
	return cmd
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
