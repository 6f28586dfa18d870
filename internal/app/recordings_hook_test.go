package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"b3scale/internal/auth"
)

// The hook that we give to nodes brings a recording to a real daemon: files
// first, then the import, with the token of an agent.
func TestRecordingsHook(t *testing.T) {
	t.Parallel()
	a := startArchive(t, file(t))
	id, dir := strings.Repeat("c", 40)+"-1767225600123", t.TempDir()
	putFiles(t, dir, id, "video", recordingOf(id, "video")) // on the node
	secret := filepath.Join(dir, "token")
	settings := filepath.Join(dir, "recordings.env")
	for name, text := range map[string]string{
		secret: token(t, "bbb1", auth.Node),
		settings: "B3SCALE_API_URL=" + a.URL() + "\nB3SCALE_API_ACCESS_TOKEN_FILE=" + secret + "\nB3SCALE_RECORDINGS_UPLOAD=" + filepath.Join(a.dir, "inbox") +
			"\nB3SCALE_RECORDINGS_FROM=" + filepath.Join(dir, "inbox") + "\nB3SCALE_RETRY_PAUSES=0 0\nB3SCALE_LOG_FILE=" + filepath.Join(dir, "log") + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time it changes nothing
		hook := exec.CommandContext(t.Context(), "ruby", "../../deploy/bbb/post_publish_b3scale.rb", "-c", settings, "-m", id, "-f", "video")
		hook.Env = append(os.Environ(), "no_proxy=*", "NO_PROXY=*")
		if out, err := hook.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got := a.trees(id, "video"); got != "published" || len(a.list("recordID="+id)) != 1 {
			t.Fatalf("its files are in %q", got)
		}
		a.agrees()
	}
}
