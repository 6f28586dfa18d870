package logtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"b3scale/internal/logtest"
)

// asChild makes the test binary log something: whether logs are kept is
// settled once in a process.
const asChild = "B3SCALE_TEST_AS_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		logtest.Keep([]byte("kept\n"))
		logtest.Logger().Debug("logged")
		for range 2 {
			logtest.Secret("s3cret-of-all")
			logtest.Person("Ada Lovelace")
			logtest.Person("Guest 17")
		}
		_, _ = os.Stdout.WriteString(logtest.Level())
		return
	}
	os.Exit(m.Run())
}

func child(t *testing.T, dir string) (level string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asChild+"=yes", logtest.Dir+"="+dir)
	out, err := cmd.Output()
	return string(out), err
}

func TestKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		if level, err := child(t, dir); err != nil || level != "debug" {
			t.Errorf("got %q, %v, want debug", level, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, filepath.Base(os.Args[0])+"-*.log"))
	if err != nil || len(files) != 2 {
		t.Fatalf("two processes left %q, %v", files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil || !strings.HasPrefix(string(text), "kept\n") || !strings.Contains(string(text), "level=DEBUG msg=logged") {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

// Every word is there once, with the parts of names that say something.
func TestWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := child(t, dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.words"))
	if err != nil || len(files) != 1 {
		t.Fatalf("there are %q, %v", files, err)
	}
	got, err := os.ReadFile(files[0])
	if want := "s3cret-of-all\nAda Lovelace\nAda\nLovelace\nGuest 17\nGuest\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if log := strings.TrimSuffix(files[0], ".words") + ".log"; !exists(log) {
		t.Errorf("%s is not there", log)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// What cannot be searched must not look as if it was.
func TestShortSecrets(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a secret of five letters was taken")
		}
	}()
	logtest.Secret("t0ken")
}

func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	if level, err := child(t, ""); err != nil || level != "info" {
		t.Errorf("got %q, %v, want info", level, err)
	}
}

// A log that cannot be kept must not look like one without secrets.
func TestNowhereToKeep(t *testing.T) {
	t.Parallel()
	if level, err := child(t, filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Errorf("got %q, want an error", level)
	}
}
