// Package packages_test installs what make release makes: in a clean Debian,
// as root, the way operators do.
package packages_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is for what takes a second on a quiet machine.
const patience = 2 * time.Minute

// repository is the directory that scripts start in.
const repository = "../.."

// root is a directory with a Debian in it.
type root struct {
	dir string
}

// newRoot lays out a fresh one. It is made once per machine and kept below the
// user's cache, as long as what belongs into it is the same.
func newRoot(t *testing.T) root {
	t.Helper()
	mayInstall(t)
	image, err := debian()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "b3scale-root-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// One file system only: nothing of the machine may ever be removed through a mount.
		if out, err := exec.Command("rm", "-rf", "--one-file-system", dir).CombinedOutput(); err != nil {
			t.Errorf("remove %s: %v\n%s", dir, err, out)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil { // as / is: services are no root in there
		t.Fatal(err)
	}
	command(t, nil, "tar", "-C", dir, "--numeric-owner", "-xpf", image)
	return root{dir}
}

// mayInstall says why this cannot run for you. In the continuous integration it must.
func mayInstall(t *testing.T) {
	t.Helper()
	problem := ""
	if os.Geteuid() != 0 {
		problem = "packages are installed in a root directory of their own, and only root may do that"
	} else if _, err := exec.LookPath("debootstrap"); err != nil {
		problem = "packages are installed in a Debian that debootstrap makes: run scripts/install-test-needs"
	}
	switch {
	case problem == "":
	case os.Getenv("CI") == "true":
		t.Fatal(problem)
	default:
		t.Skip(problem)
	}
}

// debian is a tar file of a minimal one with systemd, which all of them have.
var debian = sync.OnceValues(func() (string, error) {
	const with = "systemd,ca-certificates"
	script, err := os.ReadFile(filepath.Join(repository, "scripts/debian-root"))
	if err != nil {
		return "", err
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(cache, "b3scale"), 0o755); err != nil {
		return "", err
	}
	sum := sha256.Sum256(slices.Concat(script, release, []byte(with+runtime.GOARCH)))
	image := filepath.Join(cache, "b3scale", "debian-"+hex.EncodeToString(sum[:6])+".tar")
	// Another test run may be making it.
	lock, err := os.OpenFile(image+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(image); err == nil {
		return image, nil
	}
	cmd := exec.Command("scripts/debian-root", image, with)
	cmd.Dir = repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", commandError{cmd, err, out}
	}
	return image, nil
})

// inside makes a command that runs in the root.
func (r root) inside(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "testdata/inside", append([]string{r.dir}, args...)...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}, env...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// run runs a command in the root and gives what it says.
func (r root) run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := r.inside(ctx, nil, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(commandError{cmd, err, out})
	}
	return string(out)
}

// fails runs a command that must not succeed and gives what it says.
func (r root) fails(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := r.inside(ctx, nil, args...).CombinedOutput()
	if err == nil {
		t.Errorf("%q succeeds:\n%s", args, out)
	}
	return string(out)
}

// install lets dpkg install files of this machine. It asks nobody: it fails
// where it would.
func (r root) install(t *testing.T, debs ...string) string {
	t.Helper()
	args := []string{"dpkg", "--force-unsafe-io", "--install"}
	for _, deb := range debs {
		name := "/root/" + filepath.Base(deb)
		content, err := os.ReadFile(deb)
		if err != nil {
			t.Fatal(err)
		}
		r.write(t, name, string(content))
		args = append(args, name)
	}
	out := r.run(t, args...)
	for _, arg := range args[3:] {
		if err := os.Remove(filepath.Join(r.dir, arg)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (r root) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write keeps mode and owner of a file that is there.
func (r root) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (r root) has(name string) bool {
	_, err := os.Lstat(filepath.Join(r.dir, name))
	return err == nil
}

// files lists all but what dpkg, passwords and the system itself keep.
func (r root) files(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(r.dir, func(name string, _ fs.DirEntry, err error) error {
		name = strings.TrimPrefix(name, r.dir)
		for _, other := range []string{"/var/lib/dpkg", "/var/log", "/run", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/.pwd.lock", "/etc/subuid", "/etc/subgid"} {
			if strings.HasPrefix(name, other) {
				return nil
			}
		}
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// command runs one on this machine, in the repository.
func command(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(commandError{cmd, err, out})
	}
	return string(out)
}

// commandError shows what a command said before it failed.
type commandError struct {
	cmd *exec.Cmd
	err error
	out []byte
}

func (e commandError) Error() string {
	return strings.Join(e.cmd.Args, " ") + ": " + e.err.Error() + "\n" + string(bytes.TrimSpace(e.out))
}

func (e commandError) Unwrap() error { return e.err }
