package packages_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The RPM packages are read, not installed: there is no system of that kind here.
func TestRPM(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("rpm"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("rpm reads the packages: run scripts/install-test-needs")
	}
	rpms := packages(t, "rpm")
	// Without a database of its own it complains of the machine's.
	query := func(name string, args ...string) string {
		t.Helper()
		return command(t, nil, "rpm", append([]string{"--dbpath", t.TempDir(), "--nosignature", "-qp", rpms[name]}, args...)...)
	}
	for name, want := range map[string][]string{
		"b3scale":      {"/usr/bin/b3scaled", "/usr/lib/systemd/system/b3scale.service", "/usr/lib/sysusers.d/b3scale.conf", "/usr/lib/b3scale/allow-recordings"},
		"b3scaleagent": {"/usr/bin/b3scaleagent", "/usr/lib/systemd/system/b3scaleagent.service", "/usr/share/b3scaleagent/b3scaleagent.env"},
		"b3scalenoded": {"/usr/bin/b3scalenoded", "/usr/lib/systemd/system/b3scalenoded.service"},
		"b3scalectl":   {"/usr/bin/b3scalectl", "/usr/share/man/man1/b3scalectl.1.gz", "/usr/share/zsh/site-functions/_b3scalectl"},
	} {
		files := query(name, "--queryformat", "[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME}\n]")
		for _, file := range want {
			mode := " 100644 root\n"
			if strings.HasPrefix(file, "/usr/bin/") || file == "/usr/lib/b3scale/allow-recordings" {
				mode = " 100755 root\n"
			}
			if !strings.Contains(files, file+mode) {
				t.Errorf("%s: no %s%s in\n%s", name, file, mode, files)
			}
		}
		if strings.Contains(files, "/etc/") || strings.Contains(files, "/var/") {
			t.Errorf("%s has files of the operator:\n%s", name, files)
		}
		if got := query(name, "--queryformat", "%{EPOCH}:%{VERSION} %{LICENSE}"); got != "1:9.8.7~test AGPL-3.0" {
			t.Errorf("%s is %s", name, got)
		}
		scripts := query(name, "--scripts")
		if strings.Contains(scripts, "@package@") || strings.Contains(scripts, "systemd-sysusers "+name+".conf") != (name != "b3scalectl") {
			t.Errorf("scripts of %s:\n%s", name, scripts)
		}
	}
}

// The same tree gives the same packages.
func TestTheSameAgain(t *testing.T) {
	t.Parallel()
	first := map[string]string{"deb": packages(t, "deb")["b3scaleagent"], "rpm": packages(t, "rpm")["b3scaleagent"]}
	dir := t.TempDir()
	release(t, dir, "-only", "deb,rpm", "-package", "b3scaleagent")
	for format, file := range first {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, filepath.Base(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("the %s differs from one made a moment later", format)
		}
	}
}
