package doctest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// kinds of worlds that pages need; the others want all that there is.
var kinds = map[string]kind{
	"README.md": source, "docs/contributing.md": source,
	"docs/moving-over.md": source,
	"docs/quick-start.md": empty, "docs/cli.md": empty,
}

// ids are what ID stands for.
var ids = map[string]string{"docs/callbacks.md": "$CALLBACK", "docs/recordings.md": "$RECORDING", "docs/runbook.md": "$MEETING"}

// Each command that the pages show is run, unless the page says why not.
func TestCommands(t *testing.T) {
	t.Parallel()
	binaries(t)
	ran := 0
	for _, p := range pages(t) {
		var blocks []string
		for _, b := range p.Blocks {
			if run, _ := isShell(b); run {
				ran++
				blocks = append(blocks, script(b.Language, b.Text, b.Line, func(command string) string { return filled(p.name, command) }))
			}
		}
		if len(blocks) == 0 {
			continue
		}
		t.Run(strings.ReplaceAll(p.name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			for attempt := range 3 { // an address that was free a moment ago may be taken
				if newWorld(t, p.name, kinds[p.name]).run(p.name, blocks, attempt == 2) {
					return
				}
			}
		})
	}
	if ran < 30 {
		t.Errorf("only %d blocks are run", ran)
	}
}

// run runs the blocks of a page, one after the other, in one shell. It is false
// when an address was taken, unless this is the last time.
func (w *world) run(name string, blocks []string, last bool) bool {
	w.Helper()
	text := strings.NewReplacer(w.words...).Replace(strings.Join(blocks, "\nsettle\n"))
	ctx, cancel := context.WithTimeout(w.Context(), 3*time.Minute)
	defer cancel()
	var out bytes.Buffer
	begin := prelude
	if kinds[name] != source {
		begin += authorize
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", begin+text)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = w.dir, w.env, &out, &out
	cmd.Env = append(cmd.Env, "CHECKOUT="+checkout(w))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 20 * time.Second // what was started in the background
	err := cmd.Start()
	if err == nil {
		w.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		err = cmd.Wait()
	}
	if err != nil && !last && strings.Contains(out.String(), "address already in use") {
		return false
	}
	line, printed := judgeOutput(w, name, out.String())
	if err != nil {
		w.Errorf("%s:%d: %v\n%s", name, line, err, printed)
	}
	return true
}

// placeholder is a word of capital letters that stands for something, and no
// variable.
var placeholder = regexp.MustCompile(`(\s)(ID|HOST|KEY|SECRET|WAITING)(\s)`)

func filled(name, command string) string {
	for range 2 { // the first one takes the blank between two of them
		command = placeholder.ReplaceAllStringFunc(command, func(found string) string {
			m := placeholder.FindStringSubmatch(found)
			return m[1] + map[string]string{"ID": ids[name], "HOST": "$HOST", "KEY": keyFor(name), "SECRET": nodeSecret, "WAITING": "$WAITING"}[m[2]] + m[3]
		})
	}
	return command
}

func keyFor(name string) string {
	if name == "docs/recordings.md" {
		return "greenlight" // it is given one of another's
	}
	return frontendKey
}

// prelude takes the place of the machine: what belongs to other programs than
// ours only looks whether it is asked for something that there is.
const prelude = `set -euo pipefail
trap 'kill -KILL $(jobs -p) 2>/dev/null || true' EXIT
unit() { for word; do case $word in
	-*) continue ;; b3scale|b3scaleagent|b3scalenoded|postgresql|redis-server|nginx|bbb-web|prometheus) return ;; esac; done
	echo "no such unit: $*"; return 1; }
systemctl() {
	unit "$@"
	case ${NEW:+$1} in start) env -u B3SCALE_API_URL B3SCALE_DB_URL="$NEW" b3scaled & ;; esac
}
journalctl() { unit "$@" && echo "a line about an orphan"; }
sudo() { "$@"; }
ssh() { shift; "$@"; }
timedatectl() { :; }
chronyc() { :; }
bbb-conf() { :; }
make() {
	command make -n -C "$CHECKOUT" "$@" >/dev/null
	case $* in demo*) b3scale-demo ${2:+"${2#ARGS=}"} ;; esac
}
b3scaleagent() { B3SCALE_API_ACCESS_TOKEN=$AGENT_TOKEN command b3scaleagent "$@"; }
settle() { # nobody types so fast: servers that were added have been asked by then
	for i in $(seq 300); do
		case $(b3scalectl show backends 2>&1) in *NodeState:?*init*) ;; *)
			[ -z "${ADOPTS:-}" ] || [ -n "$(b3scalectl show meetings 2>&1)" ] && return ;;
		esac
		sleep 0.1
	done
}
`

// authorize keeps a token, as operators have one.
const authorize = "echo \"$SECRET\" | b3scalectl auth authorize >/dev/null\n"

const mark = "\x01@@"

// script is a block as it is run. Of a console, the lines behind a $ are
// commands; what follows them must be printed.
func script(language, text string, line int, filled func(string) string) string {
	if language == "sh" {
		return fmt.Sprintf("printf '\\n%s%d\\n'\n%s", mark, line, filled(text))
	}
	var b strings.Builder
	var wanted []string
	flush := func() {
		if len(wanted) > 0 {
			fmt.Fprintf(&b, "\nprintf '\\n%swant\\n'; cat <<'WANTED'\n%s\nWANTED\n", mark, strings.Join(wanted, "\n"))
		}
		wanted = nil
	}
	for one := range strings.Lines(text) {
		one = strings.TrimSuffix(one, "\n")
		if command, ok := strings.CutPrefix(one, "$ "); ok {
			flush()
			fmt.Fprintf(&b, "printf '\\n%s%d\\n'\n%s", mark, line, filled(command))
		} else if strings.HasSuffix(b.String(), "\\") {
			b.WriteString("\n" + one)
		} else {
			wanted = append(wanted, one)
		}
		line++
	}
	flush()
	return b.String()
}

// judgeOutput compares what was printed with what a console shows. It tells
// where it ended, and what was printed there.
func judgeOutput(t testing.TB, name, out string) (line int, last string) {
	t.Helper()
	for part := range strings.SplitSeq(out, mark) {
		first, rest, _ := strings.Cut(part, "\n")
		if first != "want" {
			if n, err := strconv.Atoi(first); err == nil {
				line = n
			}
			last = rest
			continue
		}
		want := strings.TrimSpace(rest)
		pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", "(?s:.*?)")
		if !regexp.MustCompile(`^\s*` + pattern + `\s*$`).MatchString(last) {
			t.Errorf("%s:%d: it prints\n%s\nand the page shows\n%s", name, line, last, want)
		}
	}
	return line, last
}

// binaries builds our programs once, as contributors do.
func binaries(t testing.TB) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var built = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", scratch, "b3scale/cmd/...").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return scratch, nil
})

func checkout(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// scratch is a directory for what all tests share.
var scratch string

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "b3scale-doctest-"); err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	return m.Run()
}
