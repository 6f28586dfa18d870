package sqlstore

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"b3scale"
)

// open opens the database at path for the rest of the test.
func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openNew(t *testing.T) *Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "b3scale.db"))
}

// place makes a frontend and a backend and claims a meeting.
func place(t *testing.T, s *Store) b3scale.Meeting {
	t.Helper()
	f, err := s.AddFrontend(t.Context(), b3scale.Frontend{Key: "greenlight", Secret: "secret"}, b3scale.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.AddBackend(t.Context(), b3scale.Backend{Host: "https://bbb1/", AdminState: b3scale.AdminReady}, b3scale.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	m, fit, err := s.ClaimMeeting(t.Context(), b3scale.Claim{Key: b3scale.MeetingKey{FrontendID: f.ID, MeetingID: "room"}, BackendID: b.ID})
	if err != nil || !fit {
		t.Fatal(fit, err)
	}
	return m
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                              "empty",
		":memory:":                      "memory",
		"file::memory:":                 "memory",
		"file:b3scale.db":               "plain path",
		"b3scale\x00.db":                "NUL",
		dir:                             "no regular file",
		filepath.Join(dir, "a", "b.db"): "no such file or directory",
		filepath.Join(dir, "dangling"):  "symbolic link",
	} {
		s, err := Open(t.Context(), path, Options{})
		if err == nil {
			t.Errorf("%q was opened", path)
			_ = s.Close()
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, want it to say %q", path, err, want)
		}
	}
}

func TestOpenTakesStrangePaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"with space.db", "quest?ion=1&x.db", "per%20cent.db", "ha#sh.db", "ünï.db", "'quoted\".db"} {
		path := filepath.Join(t.TempDir(), name)
		open(t, path)
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenCreatesAPrivateFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "b3scale.db")
	s := open(t, path)
	place(t, s)
	for _, name := range []string{path, path + "-wal", path + ".lock"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Error(err)
		} else if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s: got mode %v, want -rw-------", filepath.Base(name), got)
		}
	}
	if !s.Created() {
		t.Error("the file was not there, Created says it was")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if open(t, path).Created() {
		t.Error("the file was there, Created says it was not")
	}
}

func TestOpenIsForOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "b3scale.db")
	first := open(t, path)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		_, err := Open(t.Context(), name, Options{})
		if err == nil {
			t.Fatal("a second one was opened")
		}
		for _, want := range []string{path + ".lock", fmt.Sprint("pid ", os.Getpid())} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %q, want it to name %q", err, want)
			}
		}
	}
	place(t, first) // undisturbed
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, link)
}

func TestCloseKeepsEverything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "b3scale.db")
	s := open(t, path)
	want := place(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("the log was not folded into the file")
	}
	if got, err := open(t, path).Meeting(t.Context(), want.Key); err != nil || got.Generation != want.Generation {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestKillKeepsEverything kills a process that has answered a claim.
func TestKillKeepsEverything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "b3scale.db")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$", "-test.v")
	cmd.Env = append(os.Environ(), "SQLSTORE_TEST_VICTIM="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var frontend string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "claimed %s", &frontend); err == nil {
			break
		}
	}
	if frontend == "" {
		t.Fatal("the other process claimed nothing")
	}
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), fmt.Sprint("pid ", cmd.Process.Pid)) {
		t.Errorf("opened beside the other process: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	s := open(t, path)
	if _, err := s.Meeting(t.Context(), b3scale.MeetingKey{FrontendID: frontend, MeetingID: "room"}); err != nil {
		t.Error(err)
	}
}

// TestVictim is the process that TestKillKeepsEverything kills. Elsewhere it
// has nothing to do.
func TestVictim(t *testing.T) {
	path := os.Getenv("SQLSTORE_TEST_VICTIM")
	if path == "" {
		return
	}
	m := place(t, open(t, path))
	fmt.Fprintln(os.Stdout, "claimed", m.Key.FrontendID)
	select {}
}

func TestOpenCanCheckTheSchemaOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "b3scale.db")
	try := func(want string, opts Options) {
		t.Helper()
		s, err := Open(t.Context(), path, opts)
		if err == nil {
			err = s.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	check := Options{CheckSchemaOnly: true}
	try("no such file", check)
	if _, err := os.Stat(path); err == nil {
		t.Error("the check created the file")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	try("the file is empty", check)
	s := open(t, path)
	if !s.Created() {
		t.Error("an empty file does not count as created")
	}
	try("another process has it open", check)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	try("", check)
	s = open(t, path)
	exec1(t, s, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	try("a newer one has written it", check)
	try("a newer one has written it", Options{})
}

func TestAnOldSchemaIsNotUsed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "b3scale.db")
	s := open(t, path)
	exec1(t, s, `DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path, Options{CheckSchemaOnly: true})
	if err == nil || !strings.Contains(err.Error(), "older than this program") {
		t.Errorf("got %v", err)
	}
}

func TestOpenRefusesOtherFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "b3scale.db")
	content := []byte(strings.Repeat("this is no database\n", 100))
	if err := os.WriteFile(path, content, fs.FileMode(0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != string(content) {
		t.Errorf("the file was changed: %v", err)
	}
}

// exec1 runs a statement that changes one row.
func exec1(t *testing.T, s *Store, text string, args ...any) {
	t.Helper()
	err := s.write(t.Context(), func(ctx context.Context, tx session) error {
		n, err := tx.exec(ctx, text, args...)
		if err == nil && n != 1 {
			err = fmt.Errorf("changed %d rows", n)
		}
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
