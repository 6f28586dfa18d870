package packages_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// booted is a root whose first process is systemd.
type booted struct {
	root
	pid string // of systemd, out here
}

// boot starts systemd in a root. Not every machine lets it: the rest is then
// known from the other tests.
func boot(t *testing.T, r root) booted {
	t.Helper()
	group := fmt.Sprintf("b3scale-packages-%d", os.Getpid())
	var log lines
	cmd := exec.Command("testdata/boot", r.dir, group)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it must not outlive the test, whatever ends that
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		removeGroups(t, group)
	})
	b := booted{root: r}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		select {
		case <-ended:
			t.Skipf("this machine lets no systemd start in namespaces:\n%s", log.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Skipf("systemd does not come up in namespaces of this machine:\n%s", log.String())
		}
		keeper := cmd.Process.Pid
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", keeper, keeper)) // none yet
		if b.pid = strings.TrimSpace(string(children)); b.pid == "" {
			continue
		}
		// It answers "running" or "degraded" when it has started what there is.
		out, _ := b.enter("systemctl", "is-system-running").CombinedOutput()
		if state := strings.TrimSpace(string(out)); state == "running" || state == "degraded" {
			return b
		}
	}
}

// removeGroups removes the control groups of one that has ended.
func removeGroups(t *testing.T, group string) {
	for _, tree := range []string{"", "systemd", "unified"} {
		top := filepath.Join("/sys/fs/cgroup", tree, group)
		var dirs []string
		_ = filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, name)
			}
			return nil // some trees are not there
		})
		slices.Reverse(dirs)
		for _, dir := range dirs {
			var err error
			for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
				if err = os.Remove(dir); err == nil {
					break // it is busy while the last process ends
				}
			}
			if err != nil {
				t.Log(err)
			}
		}
	}
}

// enter makes a command that runs beside systemd's services.
func (b booted) enter(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{
		"-t", b.pid, "-m", "-p", "-i", "-u", "-C", "-r", "-w",
		"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive",
	}, args...)...)
}

func (b booted) shell(t *testing.T, script string) string {
	t.Helper()
	cmd := b.enter("sh", "-euc", script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		journal, _ := b.enter("journalctl", "--no-pager", "-n", "40").CombinedOutput()
		t.Fatalf("%v\n%s", commandError{cmd, err, out}, journal)
	}
	return strings.TrimSpace(string(out))
}

// await waits until a command says something.
func (b booted) await(t *testing.T, want, script string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		out, _ := b.enter("sh", "-c", script).CombinedOutput()
		if got = strings.TrimSpace(string(out)); strings.Contains(got, want) {
			return
		}
	}
	journal, _ := b.enter("journalctl", "--no-pager", "-n", "40").CombinedOutput()
	t.Fatalf("%s says %q, want %q\n%s", script, got, want, journal)
}

// A real systemd keeps the service in its cage: upgrades of one
// that runs, recordings where the cage has to be opened, an agent, the end.
func TestUnderSystemd(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	r.install(t, existing(t)...)
	for _, file := range []string{"b3scale", "b3scaleagent", "b3scalectl"} {
		content, err := os.ReadFile(packages(t, "deb")[file])
		if err != nil {
			t.Fatal(err)
		}
		r.write(t, "/root/"+file+".deb", string(content))
	}
	r.write(t, "/etc/default/b3scale", `B3SCALE_DB_URL=sqlite:/var/lib/b3scale/b3scale.db
B3SCALE_LISTEN_HTTP=127.0.0.1:0
B3SCALE_API_JWT_SECRET=packages-test-secret-of-32-bytes-or-more
B3SCALE_RECORDINGS_PUBLISHED_PATH=/srv/bbb/published
B3SCALE_RECORDINGS_UNPUBLISHED_PATH=/srv/bbb/unpublished
`)
	r.run(t, "install", "-d", "-o", "bigbluebutton", "/srv/bbb", "/srv/bbb/published", "/srv/bbb/unpublished")
	b := boot(t, r)

	// On the database of the existing product ours would stop at once. So what runs goes on until the
	// operator has given it one of its own.
	running := b.shell(t, "systemctl start b3scale; systemctl is-active b3scale; systemctl show -p MainPID b3scale")
	if got := b.shell(t, "dpkg --install /root/b3scale.deb"); !strings.Contains(got, "moving-over.md") {
		t.Errorf("nobody says that it must be restarted, and what comes before:\n%s", got)
	}
	const pid = "systemctl is-active b3scale; systemctl show -p MainPID b3scale"
	if got := b.shell(t, pid); got != running {
		t.Errorf("it was %q and is now %q", running, got)
	}
	b.shell(t, "systemctl restart b3scale")
	b.await(t, `"msg":"ready"`, "journalctl --no-pager -u b3scale")
	if got := b.shell(t, "systemctl show -p MainPID --value b3scale | xargs -I{} readlink /proc/{}/exe"); got != "/usr/bin/b3scaled" {
		t.Errorf("what runs after the restart is %q", got)
	}
	// From one of ours to another it needs nobody.
	running = b.shell(t, pid)
	b.shell(t, "dpkg --install /root/b3scale.deb")
	if got := b.shell(t, pid); got == running || !strings.HasPrefix(got, "active") {
		t.Errorf("it was %q before an upgrade and is %q", running, got)
	}
	status := b.shell(t, "systemctl show -p MainPID --value b3scale | xargs -I{} cat /proc/{}/status")
	for _, line := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, line) {
			t.Errorf("the process has no %q:\n%s", line, status)
		}
	}
	if got := b.shell(t, "systemctl reload b3scale; systemctl kill --signal=HUP b3scale; systemctl is-active b3scale; systemctl show -p NRestarts --value b3scale"); got != "active\n0" {
		t.Errorf("after a reload it is %q", got)
	}
	const refused = "recordings cannot be kept"
	if got := b.shell(t, "journalctl --no-pager -u b3scale"); strings.Contains(got, refused) {
		t.Errorf("it may not write to the recordings:\n%s", got)
	}
	// Without what the upgrade has allowed, it says so and serves.
	b.shell(t, "mv /etc/systemd/system/b3scale.service.d/recordings.conf /root; systemctl daemon-reload; systemctl restart b3scale")
	b.await(t, refused, "journalctl --no-pager -u b3scale")
	b.shell(t, "mv /root/recordings.conf /etc/systemd/system/b3scale.service.d/; systemctl daemon-reload; systemctl restart b3scale; systemctl is-active b3scale")

	agent(t, b)

	b.shell(t, "systemctl enable b3scale; dpkg --remove b3scale")
	b.await(t, "inactive", "systemctl is-active b3scale")
	if got := b.shell(t, "journalctl --no-pager -u b3scale | tail -n 5"); !strings.Contains(got, `"msg":"stopped"`) {
		t.Errorf("it did not end by itself:\n%s", got)
	}
	if got := b.shell(t, "ls /etc/systemd/system/multi-user.target.wants"); strings.Contains(got, "b3scale") {
		t.Errorf("it is enabled still: %s", got)
	}
}

// agent runs one that reads what only BigBlueButton's own user may read.
func agent(t *testing.T, b booted) {
	t.Helper()
	b.shell(t, "dpkg --install /root/b3scaleagent.deb /root/b3scalectl.deb")
	if out, _ := b.enter("systemctl", "is-active", "b3scaleagent").CombinedOutput(); string(out) != "inactive\n" {
		t.Errorf("the agent nobody has started is %s", out)
	}
	b.shell(t, `
		port=$(journalctl --no-pager -u b3scale | sed -n 's/.*"msg":"serving","address":"\([^"]*\)".*/\1/p' | tail -n 1)
		token=$(b3scalectl auth authorize_node_agent --ref bbb1 --secret packages-test-secret-of-32-bytes-or-more)
		printf '%s\n' "B3SCALE_API_URL=http://$port" "B3SCALE_API_ACCESS_TOKEN=$token" >/etc/default/b3scaleagent
		mkdir /etc/bigbluebutton
		cd /etc/bigbluebutton
		printf '%s\n' bigbluebutton.web.serverURL=https://bbb1.example.net securitySalt=s4lt redisPort=1 >bbb-web.properties
		chown bigbluebutton: bbb-web.properties
		chmod 0600 bbb-web.properties
		systemctl start b3scaleagent`)
	b.await(t, "bbb1.example.net", "journalctl --no-pager -u b3scaleagent")
	b.shell(t, "systemctl stop b3scaleagent; systemctl show -p Result --value b3scaleagent | grep -qx success")
}
