package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var commit = time.Unix(1700000000, 0).UTC()

func newRelease(t *testing.T) *release {
	t.Helper()
	return &release{version: "v1.2.3", build: "abc1234", at: commit, dist: t.TempDir(), work: t.TempDir(), out: t.Output()}
}

// dpkg says which of two versions is the later one, as apt would.
func TestVersionsOfPackages(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"v1.2.3":                  "1.2.3",
		"1.2.3":                   "1.2.3",
		"v1.2.3-rc.1":             "1.2.3~rc.1",
		"v1.2.3-5-gabc1234":       "1.2.3+5.abc1234",
		"v1.2.3-rc.1-5-gabc1234":  "1.2.3~rc.1+5.abc1234",
		"v1.2.3-5-gabc1234-dirty": "1.2.3+5.abc1234+dirty",
		"abc1234":                 "0.0.0+20231114221320.abc1234",
		"dev":                     "0.0.0+20231114221320.abc1234",
	} {
		if got := packageVersion(version, "abc1234", "20231114221320"); got != want {
			t.Errorf("%s: got %s, want %s", version, got, want)
		}
	}
	order := []string{"dev", "v1.2.3-rc.1", "v1.2.3-rc.1-5-gabc1234", "v1.2.3-rc.2", "v1.2.3", "v1.2.3-5-gabc1234", "v1.2.3-10-gabc1234", "v1.2.4"}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("dpkg compares versions")
	}
	for i := range len(order) - 1 {
		a, b := packageVersion(order[i], "abc1234", "20231114221320"), packageVersion(order[i+1], "abc1234", "20231114221320")
		if err := exec.CommandContext(t.Context(), "dpkg", "--compare-versions", a, "lt", b).Run(); err != nil {
			t.Errorf("%s is not before %s", a, b)
		}
	}
}

func TestNamesOfFiles(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"v1.2.3": "1.2.3", "feature/x": "feature-x", "v1.2.3-5-gabc": "1.2.3-5-gabc"} {
		if got := fileVersion(version); got != want {
			t.Errorf("%q: got %q, want %q", version, got, want)
		}
	}
}

func TestArchivesAreTheSameAgain(t *testing.T) {
	t.Parallel()
	r := newRelease(t)
	source := filepath.Join(r.work, "x")
	files := []file{{"b", source, 0o755}, {"a/c", source, 0o644}}
	for _, p := range []platform{{"linux", "amd64"}, {"windows", "amd64"}} {
		var made [2][]byte
		for i := range made {
			if err := r.stage("x", []byte("content")); err != nil { // written anew: its time differs
				t.Fatal(err)
			}
			if err := os.Chtimes(source, time.Now(), commit.Add(time.Duration(i)*time.Hour)); err != nil {
				t.Fatal(err)
			}
			if err := r.archive("b3scale", p, files); err != nil {
				t.Fatal(err)
			}
			found, err := filepath.Glob(filepath.Join(r.dist, "b3scale_1.2.3_"+p.String()+".*"))
			if err != nil || len(found) != 1 {
				t.Fatalf("found %v, %v", found, err)
			}
			if made[i], err = os.ReadFile(found[0]); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(made[0], made[1]) {
			t.Errorf("%s: two archives of the same files differ", p)
		}
	}
	if err := r.checksums(); err != nil {
		t.Fatal(err)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = r.dist
	if out, err := check.CombinedOutput(); err != nil || strings.Count(string(out), ": OK\n") != 2 {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
}

func TestTarballKeepsModes(t *testing.T) {
	t.Parallel()
	r := newRelease(t)
	if err := r.stage("x", []byte("content")); err != nil {
		t.Fatal(err)
	}
	if err := r.archive("b3scale", platform{"linux", "amd64"}, []file{{"bin/x", filepath.Join(r.work, "x"), 0o755}}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "tar", "--utc", "-tvzf", filepath.Join(r.dist, "b3scale_1.2.3_linux_amd64.tar.gz")).CombinedOutput()
	if want := "-rwxr-xr-x root/root         7 2023-11-14 22:13 b3scale_1.2.3_linux_amd64/bin/x\n"; err != nil || string(out) != want {
		t.Errorf("tar: %v\n%swant\n%s", err, out, want)
	}
}

// The test itself is a program whose modules are known.
func TestBillOfMaterials(t *testing.T) {
	t.Parallel()
	r := newRelease(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r.binaries = []string{self}
	if err := r.billOfMaterials(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(r.dist, "b3scale_1.2.3.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got bom
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Format != "CycloneDX" || got.Spec != "1.6" || got.Metadata.Timestamp != "2023-11-14T22:13:20Z" || !strings.HasPrefix(got.Serial, "urn:uuid:") {
		t.Errorf("got %+v", got)
	}
	refs := map[string]bool{got.Metadata.Component.Ref: true}
	for _, c := range got.Components {
		if refs[c.Ref] || c.Name == "" || c.Type == "library" && !strings.HasPrefix(c.PURL, "pkg:golang/") {
			t.Errorf("component %+v", c)
		}
		refs[c.Ref] = true
	}
	if !slices.ContainsFunc(got.Components, func(c component) bool { return c.Name == "std" && strings.HasPrefix(c.Version, "1.") }) {
		t.Error("Go's own library is missing")
	}
	for _, d := range got.Dependencies {
		for _, ref := range append(d.DependsOn, d.Ref) {
			if !refs[ref] {
				t.Errorf("%s depends on %s, which is no component", d.Ref, ref)
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, args := range [][]string{{"-x"}, {"now"}, {"-only", "deb", "-package", "none"}} {
		t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
		if err := run(t.Context(), append([]string{"-dist", filepath.Join(t.TempDir(), "dist")}, args...), t.Output(), t.Output()); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "")
	if err := run(t.Context(), []string{"-dist", t.TempDir()}, t.Output(), t.Output()); err == nil {
		t.Error("a release without a time is made")
	}
}
