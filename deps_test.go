package b3scale_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "b3scale"

// house says which of our packages each package may import; imports go down.
// Paths are relative to the module, the root is ".". Tests may import anything.
// Rows for rooms that are not built yet are the plan. Widening a row changes
// the shape of the house: ask first whether the code stands in the wrong room.
var house = map[string][]string{
	// Ground: the standard library only, see TestGroundIsStandardLibraryOnly.
	".":   {},
	"bbb": {},

	"internal/sqlstore": {"."},

	// Organs: memory, files, outbox.
	"internal/routing":    {"."},
	"internal/recordings": {".", "bbb"},
	"internal/callbacks":  {".", "bbb"},
	"internal/policy":     {".", "bbb"},

	// The mind.
	"internal/cluster": {".", "bbb", "internal/routing", "internal/recordings", "internal/callbacks"},

	// Doors.
	"internal/gateway/pages": {},
	"internal/gateway":       {".", "bbb", "internal/cluster", "internal/policy", "internal/auth", "internal/gateway/pages", "internal/web"},
	"internal/adminapi":      {".", "bbb", "internal/cluster", "internal/policy", "internal/routing", "internal/auth", "internal/gateway/pages", "internal/web"},
	"internal/console":       {".", "bbb", "internal/cluster", "internal/auth", "internal/web"},
	"internal/apiclient":     {},
	"internal/agent":         {"bbb", "internal/apiclient"},
	"internal/ctl":           {".", "bbb", "internal/apiclient", "internal/auth"},

	// Small helpers.
	"internal/auth":    {".", "internal/web"},
	"internal/config":  {"."},
	"internal/metrics": {".", "internal/routing", "internal/cluster"},
	"internal/web":     {".", "bbb"},

	// The only room that sees all others. What only tests use stays out.
	"internal/app": {
		".", "bbb", "internal/adminapi", "internal/agent", "internal/apiclient", "internal/auth",
		"internal/callbacks", "internal/cluster", "internal/config", "internal/console", "internal/gateway",
		"internal/metrics", "internal/recordings", "internal/routing", "internal/sqlstore", "internal/web",
	},

	"cmd/b3scaled":     {"internal/app", "internal/config"},
	"cmd/b3scalenoded": {"internal/app", "internal/config"},
	"cmd/b3scaleagent": {"internal/agent", "internal/config"},
	"cmd/b3scalectl":   {"internal/ctl"},

	// Makes files that are committed; never in a production binary.
	"internal/adminapi/docsgen": {},
	"internal/ctl/ctlgen":       {"internal/ctl"},
	"deploy/dashgen":            {},
	"deploy/envgen":             {"internal/config"},
	"deploy/release":            {},
	"docs/confgen":              {"internal/config"},
	"docs/markdown":             {},
	"docs/sitegen":              {"docs/markdown"},
	"docs/doctest":              {},

	// For tests, demonstrations and measurements; never in a production binary.
	"bbb/bbbtest":        {".", "bbb"},
	"internal/storetest": {"."},
	"internal/pgtest":    {},
	"internal/nginxtest": {},
	"internal/logtest":   {"bbb/bbbtest"},
	"cmd/bbbsim":         {"bbb/bbbtest", "internal/app"},
	"internal/demo":      {".", "bbb", "bbb/bbbtest", "internal/agent", "internal/app", "internal/auth", "internal/config"},
	"cmd/b3scale-demo":   {"internal/app", "internal/demo"},
	"bench": {
		".", "bbb", "bbb/bbbtest", "internal/app", "internal/auth", "internal/cluster", "internal/config",
		"internal/gateway", "internal/pgtest", "internal/routing", "internal/sqlstore", "internal/web",
	},
}

// production lists the commands that operators run.
var production = []string{"cmd/b3scaled", "cmd/b3scalectl", "cmd/b3scaleagent", "cmd/b3scalenoded"}

// forTests lists the packages that no production command may reach.
var forTests = []string{"bbb/bbbtest", "internal/demo", "internal/storetest", "internal/pgtest", "internal/nginxtest", "internal/logtest"}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	for dir, p := range packages(t) {
		allowed, ok := house[dir]
		if !ok {
			t.Errorf("package %s has no row in the table house of deps_test.go: add one with the packages it may import", dir)
			continue
		}
		for _, imported := range p.ours() {
			if !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s; the table house in deps_test.go allows it %v", dir, imported, allowed)
			}
		}
	}
}

// Everybody depends on the ground packages, other projects too if they like:
// what they need, everybody would need.
func TestGroundIsStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	all := packages(t)
	for _, dir := range []string{".", "bbb"} {
		p, ok := all[dir]
		if !ok {
			continue
		}
		for imported := range p.imports {
			// Only host names have a dot in the first element.
			first, _, _ := strings.Cut(imported, "/")
			if first == module || strings.Contains(first, ".") {
				t.Errorf("%s imports %s, want the standard library only", dir, imported)
			}
		}
	}
}

func TestProductionReachesNoTestPackage(t *testing.T) {
	t.Parallel()
	all := packages(t)
	for _, command := range production {
		seen := map[string]string{} // package → who imports it
		var walk func(dir string)
		walk = func(dir string) {
			p, ok := all[dir]
			if !ok {
				return
			}
			for _, imported := range p.ours() {
				if _, ok := seen[imported]; !ok {
					seen[imported] = dir
					walk(imported)
				}
			}
		}
		walk(command)
		for _, dir := range forTests {
			if by, ok := seen[dir]; ok {
				t.Errorf("%s reaches %s through %s", command, dir, by)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for dir, p := range packages(t) {
		if !p.documented {
			t.Errorf("package %s has no package comment: say in its doc.go what it is for", dir)
		}
	}
}

// What a command does can only be tested outside of its main function.
func TestMainsAreSmall(t *testing.T) {
	t.Parallel()
	const limit = 60
	mains, err := filepath.Glob("cmd/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range mains {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); lines >= limit {
			t.Errorf("%s has %d lines, want less than %d: move the rest into a package", name, lines, limit)
		}
	}
}

// pkg is what these tests need to know of a package without its tests.
type pkg struct {
	imports    map[string]bool
	documented bool
}

// ours lists the imports from this module as directories.
func (p *pkg) ours() []string {
	var dirs []string
	for _, imported := range slices.Sorted(maps.Keys(p.imports)) {
		if imported == module {
			dirs = append(dirs, ".")
		} else if dir, ok := strings.CutPrefix(imported, module+"/"); ok {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// packages reads every package of this module, keyed by directory. It reads
// the files instead of asking the go command, so that no build tag and no
// other platform hides an import.
func packages(t *testing.T) map[string]*pkg {
	t.Helper()
	found := map[string]*pkg{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && notOurs(name) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(filepath.ToSlash(name))
		if found[dir] == nil {
			found[dir] = &pkg{imports: map[string]bool{}}
		}
		return found[dir].add(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (p *pkg) add(file *ast.File) error {
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		p.imports[imported] = true
	}
	if file.Doc != nil {
		p.documented = true
	}
	return nil
}

// notOurs reports whether the go command would pass over the directory too:
// hidden, test data, or the root of another module.
func notOurs(dir string) bool {
	base := filepath.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
