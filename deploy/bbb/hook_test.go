package bbb_test

import (
	"encoding/pem"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestImport(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		answers  []string
		attempts int
		code     int
		said     string
	}{
		{"at once", []string{good}, 1, 0, format + " of " + id + " is imported"},
		{"files come later", []string{"409 not there", "409 not there", good}, 3, 0, "answered 409: not there; next attempt in"},
		{"broken off", []string{"cut", good}, 2, 0, "is imported"},
		{"a proxy answers", []string{"200 <html>\nwait\r\n</html>", "200 []", `200 {"RecordID":"x"}`, good}, 4, 0, "200 without the recording: <html> wait </html>"},
		{"busy", []string{"503 ", "429 ", "500 ", good}, 4, 0, "is imported"},
		{"away", []string{"502 "}, 4, 1, "is not imported: answered 502"},
		{"unknown meeting", []string{`404 {"error":"no meeting"}`}, 1, 1, `is not imported: answered 404: {"error":"no meeting"}`},
		{"broken document", []string{"400 "}, 1, 1, "is not imported: answered 400"},
		{"bad token", []string{"401 you sent ECHO"}, 1, 1, "answered 401: you sent Bearer [token]"},
		{"redirect", []string{"302 ", good}, 1, 1, "is not imported: answered 302"},
		{"endless answer", []string{"503 \xff" + strings.Repeat("x", 3<<20), good}, 2, 0, "is imported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBalancer(t, c.answers...)
			code, said := newNode(t, b.URL+"/").run()
			if code != c.code || !strings.Contains(said, c.said) || len(said) > 4000 {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.said, said)
			}
			got := b.attempts()
			if len(got) != c.attempts {
				t.Errorf("%d attempts, want %d:\n%s", len(got), c.attempts, said)
			}
			for _, one := range got {
				if want := "POST /api/v1/recordings-import Bearer " + token + " " + document; one != want {
					t.Errorf("got %q, want %q", one, want)
				}
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	b := newBalancer(t, good)
	b.Close()
	code, said := newNode(t, b.URL).run()
	if refused := strings.Count(said, "refused"); code != 1 || refused != 4 {
		t.Errorf("exit code %d, %d attempts:\n%s", code, refused, said)
	}
}

func TestOwnAuthority(t *testing.T) {
	t.Parallel()
	b := unstarted(t, good)
	b.StartTLS()
	n := newNode(t, b.URL)
	if code, said := n.run(); code != 1 || !strings.Contains(said, "certificate verify failed") || len(b.attempts()) > 0 {
		t.Errorf("exit code %d without the authority:\n%s", code, said)
	}
	n.settings["B3SCALE_CA_FILE"] = filepath.Join(n.dir, "ca.pem")
	n.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Certificate().Raw})))
	if code, said := n.run(); code != 0 {
		t.Errorf("exit code %d with the authority:\n%s", code, said)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(*node) { return func(n *node) { n.settings[name] = value } }
	args := func(args ...string) func(*node) { return func(n *node) { n.args = args } }
	for _, c := range []struct {
		name   string
		change func(*node)
		said   string
	}{
		{"no settings", args("-c", "/nonexistent/env", "-m", id, "-f", format), "settings: No such file"},
		{"no recording", args("-f", format), "no recording and format"},
		{"no format", args("-m", id), "no recording and format"},
		{"another directory", args("-m", "..", "-f", format), "no recording and format"},
		{"two lines", args("-m", id+"\nx", "-f", format), "no recording and format"},
		{"unknown flag", args("-x"), "invalid option"},
		{"not published", args("-m", id, "-f", "video"), "metadata: No such file"},
		{"no URL", set("B3SCALE_API_URL", ""), "B3SCALE_API_URL is not like"},
		{"no scheme", set("B3SCALE_API_URL", "b3scale.example.org"), "B3SCALE_API_URL is not like"},
		{"password in URL", set("B3SCALE_API_URL", "http://me:"+token+"@b3scale.example.org"), "B3SCALE_API_URL is not like"},
		{"no such URL", set("B3SCALE_API_URL", "http://[b3scale"), "B3SCALE_API_URL is no URL"},
		{"no token", set("B3SCALE_API_ACCESS_TOKEN_FILE", "/nonexistent/token"), "token: No such file"},
		{"broken token", func(n *node) { n.write("token", token+"\nX: y\n") }, "holds no token"},
		{"no pauses", set("B3SCALE_RETRY_PAUSES", "soon"), "B3SCALE_RETRY_PAUSES is no list"},
		{"place of rsync's own", set("B3SCALE_RECORDINGS_UPLOAD", "host::module"), "B3SCALE_RECORDINGS_UPLOAD is neither"},
		{"option as host", set("B3SCALE_RECORDINGS_UPLOAD", "-oProxyCommand=x:/srv"), "B3SCALE_RECORDINGS_UPLOAD is neither"},
		{"command in path", set("B3SCALE_RECORDINGS_UPLOAD", "/srv/$(id)"), "B3SCALE_RECORDINGS_UPLOAD is neither"},
		{"no ssh", func(n *node) {
			n.settings["B3SCALE_RECORDINGS_UPLOAD"] = "host:/srv"
			n.env = []string{"PATH=" + n.dir}
		}, "ssh: No such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBalancer(t, good)
			n := newNode(t, b.URL)
			c.change(n)
			if code, said := n.run(); code != 1 || !strings.Contains(said, c.said) || len(b.attempts()) > 0 {
				t.Errorf("exit code %d, want 1 and %q:\n%s", code, c.said, said)
			}
		})
	}
}

// ssh is a program that does on this machine what it should do on another.
const ssh = `#!/bin/sh
while [ "$1" = -o ]; do shift 2; done
[ "$1" = -l ] && { echo "$2@$3" >>"$0.log"; shift 3; } || { echo "$1" >>"$0.log"; shift; }
exec sh -c "$*"
`

func TestUpload(t *testing.T) {
	t.Parallel()
	for name, host := range map[string]string{"here": "", "there": "b3scale@files.example.org:"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath("rsync"); err != nil {
				t.Fatal("rsync is missing: make test installs it")
			}
			b := newBalancer(t, good)
			n := newNode(t, b.URL)
			inbox := filepath.Join(n.dir, "inbox")
			n.settings["B3SCALE_RECORDINGS_UPLOAD"] = host + inbox + "/"
			n.write("bin/ssh", ssh)
			if err := os.Chmod(filepath.Join(n.dir, "bin/ssh"), 0o755); err != nil { //nolint:gosec // a program
				t.Fatal(err)
			}
			n.env = []string{"PATH=" + filepath.Join(n.dir, "bin") + ":" + os.Getenv("PATH")}
			if err := os.Symlink("/etc/passwd", filepath.Join(n.published, "link")); err != nil {
				t.Fatal(err)
			}
			want := []string{"metadata.xml", "video/webcams.webm"}
			b.seen = func() { // the files are there first
				if got := filesBelow(t, filepath.Join(inbox, format)); !slices.Equal(got, prefixed(id, want)) {
					t.Errorf("told of %q", got)
				}
			}
			if code, said := n.run(); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, said)
			}
			// Made anew: what was there before goes, and what broke off is completed.
			n.write(filepath.Join("inbox", format, ".upload-"+id, "half"), "")
			n.write(filepath.Join("inbox", format, ".replaced-"+id, "old"), "")
			n.write(filepath.Join("published", format, id, "new"), "")
			if err := os.RemoveAll(filepath.Join(n.published, "video")); err != nil {
				t.Fatal(err)
			}
			want = []string{"metadata.xml", "new"}
			if code, said := n.run(); code != 0 || len(b.attempts()) != 2 {
				t.Fatalf("exit code %d, %d attempts:\n%s", code, len(b.attempts()), said)
			}
			hosts, err := os.ReadFile(filepath.Join(n.dir, "bin/ssh.log"))
			if host == "" && err == nil || host != "" && (err != nil || strings.Count(string(hosts), strings.Trim(host, ":")+"\n") != 6) {
				t.Errorf("ssh was used for %q, %v", hosts, err)
			}
		})
	}
}

// What cannot be brought now may be later; nobody is told before.
func TestUploadFails(t *testing.T) {
	t.Parallel()
	b := newBalancer(t, good)
	n := newNode(t, b.URL)
	n.write("inbox", "a file, no directory")
	n.settings["B3SCALE_RECORDINGS_UPLOAD"] = filepath.Join(n.dir, "inbox")
	code, said := n.run()
	if warned := strings.Count(said, "next attempt"); code != 1 || warned != 3 || len(b.attempts()) > 0 || !strings.Contains(said, "is not imported: sh failed") {
		t.Errorf("exit code %d, %d attempts:\n%s", code, warned+1, said)
	}
}

// filesBelow are all files, links and empty directories below a directory.
func filesBelow(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return names
}

func prefixed(dir string, names []string) (all []string) {
	for _, name := range names {
		all = append(all, dir+"/"+name)
	}
	return all
}

// The sample names every setting, with the default if there is one.
func TestSampleIsComplete(t *testing.T) {
	t.Parallel()
	hook, err := os.ReadFile("post_publish_b3scale.rb")
	if err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile("recordings.env")
	if err != nil {
		t.Fatal(err)
	}
	settings := regexp.MustCompile(`(?m)^    '(B3SCALE_\w+)' => '(.*)',?$`).FindAllSubmatch(hook, -1)
	if lines := regexp.MustCompile(`(?m)^B3SCALE_`).FindAll(sample, -1); len(settings) == 0 || len(lines) != len(settings) {
		t.Errorf("%d settings, %d in the sample", len(settings), len(lines))
	}
	for _, s := range settings {
		name, value := string(s[1]), string(s[2])
		if name == "B3SCALE_API_URL" {
			value = "https://b3scale.example.org"
		}
		if !strings.Contains(string(sample), "\n"+name+"="+value+"\n") {
			t.Errorf("the sample lacks %s=%s", name, value)
		}
	}
}
