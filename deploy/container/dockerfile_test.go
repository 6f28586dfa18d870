// Package container_test does what the Dockerfile says, as far as that goes
// without an engine: its commands run, its files are copied, and what comes out
// is started as the only thing there is.
package container_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// repository is what docker build is given: the context.
const repository = "../.."

// stage is what one FROM begins.
type stage struct {
	t       *testing.T
	root    string // stands for /
	workdir string
	env     []string // of RUN, ENV and ARG
	image   image
}

// image is what an engine keeps of the last stage.
type image struct {
	env                     []string
	user, volume, workdir   string
	entrypoint, healthcheck []string
	labels                  string
}

// build follows the Dockerfile and returns the last stage.
func build(t *testing.T, args map[string]string) *stage {
	t.Helper()
	stages := map[string]*stage{}
	var s *stage
	for _, in := range instructions(t) {
		word, rest, _ := strings.Cut(in, " ")
		rest = strings.TrimSpace(rest)
		if word == "FROM" {
			from := strings.Fields(rest)
			if !slices.Contains([]string{"golang:1.26-bookworm", "scratch"}, from[0]) {
				t.Fatalf("nobody knows what is in %s", from[0])
			}
			s = &stage{t: t, root: filepath.Join(t.TempDir(), "root"), workdir: "/"}
			if err := os.Mkdir(s.root, 0o755); err != nil {
				t.Fatal(err)
			}
			if len(from) == 3 {
				stages[from[2]] = s
			}
			continue
		}
		switch word {
		case "WORKDIR":
			s.workdir, s.image.workdir = rest, rest
			if err := os.MkdirAll(s.path(rest), 0o755); err != nil {
				t.Fatal(err)
			}
		case "ARG":
			name, value, _ := strings.Cut(rest, "=")
			if given, ok := args[name]; ok {
				value = given
			}
			s.env = append(s.env, name+"="+value)
		case "ENV":
			s.image.env = append(s.image.env, strings.Fields(rest)...)
		case "COPY":
			s.copy(strings.Fields(rest), stages)
		case "RUN":
			s.run(rest)
		case "LABEL":
			s.image.labels = rest
		case "USER":
			s.image.user = rest
		case "VOLUME":
			s.image.volume = rest
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(rest, " CMD ")
			s.image.healthcheck = words(t, command)
		case "ENTRYPOINT":
			s.image.entrypoint = words(t, rest)
		case "EXPOSE", "STOPSIGNAL":
		default:
			t.Fatalf("the test does not know %s", in)
		}
	}
	return s
}

// instructions joins continued lines and leaves comments out.
func instructions(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for line := range strings.Lines(joined) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return found
}

func words(t *testing.T, text string) (list []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%s: %v", text, err) // a shell would be needed, and there is none
	}
	return list
}

func (s *stage) path(inside string) string {
	if !path.IsAbs(inside) {
		inside = path.Join(s.workdir, inside)
	}
	return filepath.Join(s.root, filepath.FromSlash(inside))
}

// copy is COPY [--from=STAGE] SOURCE… TARGET.
func (s *stage) copy(args []string, stages map[string]*stage) {
	s.t.Helper()
	from := repository
	if name, ok := strings.CutPrefix(args[0], "--from="); ok {
		if stages[name] == nil {
			s.t.Fatalf("there is no stage %s", name)
		}
		from, args = stages[name].root, args[1:]
	}
	sources, target := args[:len(args)-1], args[len(args)-1]
	for _, pattern := range sources {
		found, err := filepath.Glob(filepath.Join(from, pattern))
		if err != nil {
			s.t.Fatal(err)
		}
		if len(found) == 0 && from != repository && pattern == authorities {
			found = []string{authorities} // of the base image; those of this machine stand for them
		}
		if len(found) == 0 {
			s.t.Fatalf("COPY %s: there is no such file", pattern)
		}
		for _, source := range found {
			into := s.path(target)
			if info, err := os.Stat(source); err == nil && !info.IsDir() && strings.HasSuffix(target, "/") {
				into = filepath.Join(into, filepath.Base(source))
			}
			s.exec("mkdir", "-p", filepath.Dir(into))
			if info, err := os.Stat(source); err == nil && info.IsDir() { // its content, as COPY does
				s.exec("mkdir", "-p", into)
				source += "/."
			}
			s.exec("cp", "-a", source, into)
		}
	}
}

const authorities = "/etc/ssl/certs/ca-certificates.crt"

// ours are the directories of a stage that its commands name. Those of the
// base image are this machine's.
var ours = regexp.MustCompile(`(^|[\s>=])(/out|/src)\b`)

func (s *stage) run(command string) {
	s.t.Helper()
	if os.Geteuid() != 0 && strings.HasPrefix(command, "chown ") {
		s.t.Logf("not done, for want of root: RUN %s", command)
		return
	}
	cmd := exec.CommandContext(s.t.Context(), "sh", "-euc", ours.ReplaceAllString(command, "${1}"+s.root+"${2}"))
	cmd.Dir = s.path(".")
	cmd.Env = append(os.Environ(), s.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("RUN %s: %v\n%s", command, err, out)
	}
}

func (s *stage) exec(args ...string) {
	s.t.Helper()
	if out, err := exec.CommandContext(s.t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		s.t.Fatal(fmt.Errorf("%v: %w: %s", args, err, out))
	}
}
