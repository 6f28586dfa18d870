package packages_test

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

const (
	version = "v9.8.7-test"
	build   = "abc1234"
)

// shown is what --version says: b3scalectl writes it as the existing product's does.
var shown = regexp.MustCompile(`^b3scale[a-z]+ (v\.)?` + regexp.QuoteMeta(version) + `[ \t]` + build + `\n$`)

// made are the packages of the tree as it is, by name.
type made map[string]string

var (
	scratch string // for all tests
	once    sync.Once
)

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "b3scale-packages-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// packages makes those of both formats, once.
func packages(t *testing.T, format string) made {
	t.Helper()
	dir := filepath.Join(scratch, "dist")
	once.Do(func() { release(t, dir, "-only", "deb,rpm") })
	m := made{}
	files, err := filepath.Glob(filepath.Join(dir, "*."+format))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		m[name[:strings.IndexAny(name, "-_")]] = file
	}
	if len(m) != 4 {
		t.Fatalf("got packages %v, want 4", m)
	}
	return m
}

// release runs what make release runs. What it compiles, the test of the
// container compiles too.
func release(t *testing.T, dir string, args ...string) {
	t.Helper()
	args = append(args, "-arch", runtime.GOARCH, "-version", version, "-build", build, "-dist", dir)
	command(t, []string{"SOURCE_DATE_EPOCH=1700000000"}, "scripts/release", args...)
}

// existing are packages that stand for those of the existing product.
func existing(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"b3scale", "b3scaleagent"} {
		command(t, []string{"PACKAGE_ARCH=" + runtime.GOARCH, "GOFLAGS=-buildvcs=false"}, "go", "tool", "-modfile=tools/nfpm/go.mod",
			"nfpm", "package", "--config", "deploy/package/testdata/existing/"+name+".yaml", "--packager", "deb", "--target", dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(files) != 2 {
		t.Fatalf("got %v, %v", files, err)
	}
	return files
}
