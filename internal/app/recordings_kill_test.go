package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"b3scale/internal/auth"
	"b3scale/internal/pgtest"
	"b3scale/internal/recordings"
)

// dieAt names the step of work on recordings at which a process of
// asQuickMain dies as by kill -9.
const dieAt = "B3SCALE_TEST_DIE_AT"

// mortalRecordings die where the environment says.
func mortalRecordings() recordings.Options {
	return recordings.Options{Lease: time.Second, FilesWait: time.Millisecond, Step: func(name string) {
		if name == os.Getenv(dieAt) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}}
}

// Steps are named in internal/recordings. Those of copies only come between
// file systems.
var (
	recordingSteps = []string{
		"import:move", "import:moved", "import:commit", "import:committed", "import:settled",
		"publish:move", "publish:moved", "publish:commit", "publish:committed", "publish:settled",
		"delete:withdraw", "delete:withdrawn", "delete:commit", "delete:committed", "delete:remove", "delete:settled",
	}
	copySteps = []string{
		"import:copied", "import:arrived", "import:withdraw", "import:withdrawn",
		"publish:copied", "publish:arrived", "publish:withdraw", "publish:withdrawn",
	}
)

// A daemon that is killed at any named step of work on recordings leaves nothing
// that the next start does not mend.
func TestRecordingsSurviveKill9(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		killedAtSteps(t, file(t), t.TempDir(), "", recordingSteps)
	})
	t.Run("PostgreSQL, two file systems", func(t *testing.T) {
		t.Parallel()
		elsewhere, err := os.MkdirTemp("/dev/shm", "b3scale-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(elsewhere) })
		dir := t.TempDir()
		if deviceOf(t, dir) == deviceOf(t, elsewhere) {
			t.Skip("there is only one file system here; internal/recordings tests the same with a rename that fails")
		}
		killedAtSteps(t, pgtest.NewDatabase(t), dir, elsewhere, append(slices.Clone(copySteps), "delete:withdrawn", "delete:remove"))
	})
}

func deviceOf(t *testing.T, dir string) uint64 {
	t.Helper()
	var info syscall.Stat_t
	if err := syscall.Stat(dir, &info); err != nil {
		t.Fatal(err)
	}
	return info.Dev
}

func killedAtSteps(t *testing.T, database, dir, elsewhere string, steps []string) {
	t.Helper()
	env := recordingsEnviron(t, database, dir)
	if elsewhere != "" { // the unpublished tree; and an import goes there at once
		env = append(env, "B3SCALE_RECORDINGS_UNPUBLISHED_PATH="+elsewhere)
	}
	seeded := open(t, env)
	if err := seeded.Stop(); err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{binary: binary, env: append(env, asQuickMain+"=1", dieAt+"=")}
	t.Cleanup(d.kill)
	d.start(t)
	for i, step := range steps {
		id := strings.Repeat(string(rune('a'+i)), 40) + "-1767225600123"
		d.diesAt(t, dir, step, id)
	}
}

// diesAt kills the daemon at a step of work on a new recording, and looks at
// what the next one finds.
func (d *daemon) diesAt(t *testing.T, dir, step, id string) {
	t.Helper()
	document := recordingOf(id, "video")
	if strings.HasPrefix(step, "import:") {
		document = strings.Replace(document, "<published>true", "<published>false", 1) // its tree is not the inbox's
	}
	putFiles(t, dir, id, "video", document)
	admin := token(t, "ada-operator", auth.Admin)
	ask := func(method, path, body string) int {
		status, _ := operate(t, "http://"+*d.address.Load(), admin, method, path, body)
		return status
	}
	imports := func() int { return ask(http.MethodPost, "/api/v1/recordings-import", document) }
	work := map[string]func() int{
		"import":  imports,
		"publish": func() int { return d.call(t.Context(), "publishRecordings", "publish=false&recordID="+id).status },
		"delete":  func() int { return d.call(t.Context(), "deleteRecordings", "recordID="+id).status },
	}
	kind, _, _ := strings.Cut(step, ":")
	if kind != "import" {
		if got := imports(); got != http.StatusOK {
			t.Fatalf("import before %s: status %d, its log:\n%s", step, got, tail(d.log.String(), 20))
		}
	}
	d.restart(t, step)
	if got := work[kind](); got != 0 {
		t.Fatalf("%s did not come: status %d", step, got)
	}
	d.restart(t, "")
	if waiting := filepath.Join(dir, "inbox", "video", id); kind == "import" && ask(http.MethodGet, "/api/v1/recordings/"+id, "") != http.StatusOK {
		within(t, time.Minute, "the files are where they were", func() string {
			if _, err := os.Stat(filepath.Join(waiting, "film")); err != nil {
				return err.Error()
			}
			return ""
		})
		if got := imports(); got != http.StatusOK {
			t.Fatalf("import after %s: status %d", step, got)
		}
	}
	within(t, time.Minute, "rows and files agree after "+step, func() string {
		status, body := operate(t, "http://"+*d.address.Load(), admin, http.MethodPost, "/api/v1/recordings-check", `{"repair":false}`)
		if status == http.StatusOK && strings.Contains(body, `"differences":[]`) && !leftOvers(t, dir) {
			return ""
		}
		return body
	})
}

// leftOvers tells whether there are directories of unfinished work.
func leftOvers(t *testing.T, dir string) bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "*", ".b3scale-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

// restart kills the daemon, unless it is dead, and starts one that dies at a
// step, or never.
func (d *daemon) restart(t *testing.T, step string) {
	t.Helper()
	d.kill()
	d.env[len(d.env)-1] = dieAt + "=" + step
	d.start(t)
}
