package pgtest

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

//go:embed keeper.sh
var keeperScript string

// keeper is the shell that owns a cluster: parent of its postmaster, remover of
// its directory. It ends when this process does, even by SIGKILL, because the
// kernel then closes its standard input.
type keeper struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Reader
	dir     string
}

func newKeeper() (*keeper, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	credential, err := unprivileged()
	if err != nil {
		return nil, err
	}
	// It inherits no output: `go test` would wait until that is closed. A
	// session of its own keeps it from the terminal's Ctrl-C.
	k := &keeper{cmd: exec.Command("sh", "-c", keeperScript, "pgtest", bin, place(), "/tmp")} //nolint:gosec,noctx // it outlives any context
	k.cmd.Dir = "/"                                                                           // an unprivileged user may not see ours
	k.cmd.Env = append(os.Environ(), "LC_ALL=C")
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: credential}
	if k.in, err = k.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	k.answers = bufio.NewReader(out)
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the keeper of the test database: %w", err)
	}
	if k.dir, err = k.answer(); err != nil {
		return nil, fmt.Errorf("make a temporary directory for the test database: %w", err)
	}
	return k, nil
}

// ask sends one command and waits for its answer.
func (k *keeper) ask(words ...string) (string, error) {
	if _, err := fmt.Fprintln(k.in, strings.Join(words, " ")); err != nil {
		return "", err
	}
	return k.answer()
}

// must sends a command whose answer is an exit status.
func (k *keeper) must(words ...string) error {
	status, err := k.ask(words...)
	if err == nil && status != "0" {
		err = errors.New("exit status " + status)
	}
	if err != nil {
		return fmt.Errorf("%s the data of the test database: %w\n%s", words[0], err, k.log())
	}
	return nil
}

func (k *keeper) answer() (string, error) {
	line, err := k.answers.ReadString('\n')
	return strings.TrimSpace(line), err
}

// log is what initdb and the server wrote.
func (k *keeper) log() string {
	text, err := os.ReadFile(filepath.Join(k.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// close stops the server, removes its directory and waits for that.
func (k *keeper) close() error {
	return errors.Join(k.in.Close(), k.cmd.Wait())
}

// place is where the data goes: into memory if there is enough of it, because a
// database is 300 files and costs a disk some tenths of a second.
func place() string {
	const memory, enough = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err == nil && fs.Bavail*uint64(fs.Bsize) > enough {
		return memory
	}
	if tmp := os.TempDir(); len(tmp) < 60 { // the path of a socket has little more than 100 bytes
		return tmp
	}
	return "/tmp"
}

// binaries finds the directory of the newest server that is installed. Debian
// keeps them out of the search path, because there may be several.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well formed
	best, newest := "", -1.0
	for _, file := range found {
		bin := filepath.Dir(file)
		version, err := strconv.ParseFloat(filepath.Base(filepath.Dir(bin)), 64) // 15, once 9.6
		if _, noInit := os.Stat(filepath.Join(bin, "initdb")); err == nil && noInit == nil && version > newest {
			best, newest = bin, version
		}
	}
	if best != "" {
		return best, nil
	}
	initdb, err := exec.LookPath("initdb")
	if err == nil {
		if bin := filepath.Dir(initdb); filepath.IsAbs(bin) {
			if _, err := os.Stat(filepath.Join(bin, "postgres")); err == nil {
				return bin, nil
			}
		}
	}
	return "", errors.New("these tests need PostgreSQL: install Debian's package postgresql " +
		"(scripts/install-test-needs does), or set B3SCALE_TEST_DB_URL to a server where databases can be created")
}

// unprivileged is whom to run as: PostgreSQL refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nil is "as we are" to exec
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find a user that may run PostgreSQL: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("user %s: %w", u.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
