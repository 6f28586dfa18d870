package ctl

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a program at a pseudo-terminal, and a person in front of it.
type terminal struct {
	testing.TB
	ours   *os.File
	cmd    *exec.Cmd
	exited chan struct{}
	echoes bool // at the end, what is typed is shown

	mu    sync.Mutex
	shown bytes.Buffer
	seen  int // of shown, by see
}

// openTerminal makes a pseudo-terminal, 100 columns wide.
func openTerminal(t testing.TB) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(ours.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 12, Col: 100}); err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// atTerminal starts a program with all three streams at a terminal.
func atTerminal(t testing.TB, environ []string, name string, args ...string) *terminal {
	t.Helper()
	ours, theirs := openTerminal(t)
	x := &terminal{TB: t, ours: ours, cmd: exec.Command(name, args...), exited: make(chan struct{})}
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = theirs, theirs, theirs
	x.cmd.Env = append([]string{"TERM=xterm", "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}, environ...)
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = x.cmd.Process.Kill()
		_ = ours.Close()
	})
	go func() {
		defer close(x.exited)
		shown := make(chan struct{})
		go func() {
			_, _ = io.Copy(x, ours) // ends when nobody has theirs any more
			close(shown)
		}()
		_ = x.cmd.Wait() // the exit code is in its state
		x.echoes = echoes(ours)
		_ = theirs.Close()
		<-shown
	}()
	return x
}

// Write is what the program shows.
func (x *terminal) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shown.Write(p)
}

func (x *terminal) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shown.String()
}

// see waits until the program has shown a text after all that was seen.
func (x *terminal) see(text string) {
	x.Helper()
	eventually(x, fmt.Sprintf("the terminal shows %q", text), func() bool {
		shown := x.String()
		i := strings.Index(shown[x.seen:], text)
		if i >= 0 {
			x.seen += i + len(text)
		}
		return i >= 0
	})
}

func (x *terminal) enter(text string) {
	x.Helper()
	if _, err := x.ours.WriteString(text); err != nil {
		x.Fatal(err)
	}
}

// ends waits for the end and its exit code.
func (x *terminal) ends(code int) {
	x.Helper()
	select {
	case <-x.exited:
		if got := x.cmd.ProcessState.ExitCode(); got != code {
			x.Errorf("exit code %d, want %d\n%s", got, code, x.String())
		}
	case <-time.After(time.Minute):
		x.Fatalf("it does not end\n%s", x.String())
	}
}

// quiet waits until the terminal shows no longer what is typed.
func (x *terminal) quiet() {
	x.Helper()
	eventually(x, "the terminal hides what is typed", func() bool {
		return !echoes(x.ours)
	})
}

func echoes(terminal *os.File) bool {
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	return err != nil || state.Lflag&unix.ECHO != 0
}

// at runs b3scalectl at a terminal.
func (w *world) at(args ...string) *terminal {
	w.Helper()
	return atTerminal(w, w.as().environ, "b3scalectl", args...)
}

func TestSecretAtATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	x := w.at("show", "frontends")
	x.see("Secret of the API at " + w.url)
	x.quiet()
	x.enter("not the secret\n")
	x.see("wrong secret")
	x.see("Secret of the API at ")
	if got := w.cachedToken(); got != "" {
		t.Errorf("a wrong secret left %q", got)
	}
	x.quiet()
	x.enter(apiSecret + "\n")
	x.ends(0)
	if strings.Contains(x.String(), apiSecret) || strings.Contains(x.String(), "not the secret") {
		t.Errorf("the secret is shown:\n%s", x.String())
	}
	if w.cachedToken() == "" {
		t.Error("no token was kept")
	}
	w.ctl("show", "frontends").wants(0, "")
}

// Ctrl-C at the question ends the command, and people see again what they type.
func TestInterruptedSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	x := w.at("auth", "authorize")
	x.see("Secret of the API")
	x.quiet()
	x.enter("\x03")
	x.see("interrupted")
	x.ends(130)
	if !x.echoes {
		t.Error("the terminal still hides what is typed")
	}
	if got := w.cachedToken(); got != "" {
		t.Errorf("there is a token: %q", got)
	}
}

func TestConfirmation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1).withAll()
	host := w.nodes[0].BaseURL()
	w.meeting("room", "Ada")
	w.eventually("the person is seen", func() bool { return strings.Contains(w.ctl("show", "backends").out, "1/1/1.00") })
	for _, c := range []struct {
		question string
		args     []string
	}{
		{"Delete the frontend moodle, which has 1 meeting, 1 person? [y/N] ", []string{"delete", "frontend", "moodle"}},
		{"Decommission " + host + ", which has 1 meeting, 1 person? [y/N] ", []string{"delete", "backend", host}},
		{"Delete " + host + " now and forget what it has: 1 meeting, 1 person? [y/N] ", []string{"delete", "-f", "backend", host}},
		{`End "Room room" (room of moodle) with 1 person? [y/N] `, []string{"end", "meeting", "room"}},
		{"End all on " + host + ": 1 meeting, 1 person? [y/N] ", []string{"end", "meetings", host}},
		{"It answers! Is it surely down? [y/N] ", []string{"declare-lost", "backend", host}},
	} {
		for _, no := range []string{"\n", "n\n", "what?\n", "\x04"} {
			x := w.at(c.args...)
			x.see(c.question)
			x.enter(no)
			x.see("nothing was done")
			x.ends(1)
		}
	}
	w.ctl("show", "backends").tells("AdminState:\t ready", "1/1/1.00")
	x := w.at("delete", "frontend", "moodle")
	x.see("[y/N] ")
	x.enter("y\n")
	x.see("delete frontend: ")
	x.ends(0)
	x = w.at("delete", "backend", host, "--yes")
	x.see("backend marked for decommissioning")
	x.ends(0)
	if strings.Contains(x.String(), "[y/N]") {
		t.Errorf("it asks:\n%s", x.String())
	}
}

func TestLiveDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1).withAll()
	host := w.nodes[0].BaseURL()
	w.meeting("room", "Ada")
	w.eventually("the person is seen", func() bool { return strings.Contains(w.ctl("show", "backends").out, "1/1/1.00") })
	x := w.at("drain", "backend", host, "--wait", "--interval", "20ms")
	x.see("\r" + host + ": 1 meeting, 1 person\x1b[K")
	x.see("\r" + host + ": 1 meeting, 1 person\x1b[K")
	w.ctl("end", "meeting", "room").tells("ended")
	w.ctl("end", "meetings", host)
	x.see("\r" + host + ": 0 meetings, 0 people\x1b[K")
	x.see("\r\ndrained: " + host)
	x.ends(0)

	w.ctl("enable", "backend", host).tells("updated")
	w.meeting("again")
	x = w.at("drain", "backend", host, "--wait")
	x.see("1 meeting")
	x.enter("\x03")
	x.see("interrupted; the backend stays stopped")
	x.ends(130)

	x = w.at("drain", "backend", host, "--wait")
	x.see("1 meeting")
	if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	x.see("interrupted; the backend stays stopped")
	x.ends(143)
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1).withAll()
	host := w.nodes[0].BaseURL()
	x := w.at("status", "--watch", "--interval", "20ms")
	x.see(ownScreen + home)
	x.see("\x1b[1mHOST")
	x.see("\x1b[32mready")
	x.see(restBelow + home)
	w.ctl("disable", "backend", host).tells("updated")
	x.see("\x1b[33mstopped")
	for line := range strings.SplitSeq(strings.ReplaceAll(x.String(), "\r", ""), "\n") {
		for _, code := range []string{ownScreen, home, restOfLine, restBelow, "\x1b[0m", "\x1b[1m", "\x1b[32m", "\x1b[33m"} {
			line = strings.ReplaceAll(line, code, "")
		}
		if n := len([]rune(line)); n > 100 {
			t.Fatalf("a line of %d characters: %q", n, line)
		}
	}
	x.enter("\x03")
	x.see(leaveScreen)
	x.see("HOST")
	x.ends(0)

	plain := atTerminal(t, append(w.as().environ, "NO_COLOR=1"), "b3scalectl", "status")
	plain.see("stopped")
	plain.ends(0)
	if strings.Contains(plain.String(), "\x1b") {
		t.Errorf("colours in spite of NO_COLOR: %q", plain.String())
	}
}
