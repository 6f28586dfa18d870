package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sync/errgroup"
)

// packaged lists our packages and the unit that each one brings.
var packaged = []struct{ name, unit, program string }{
	{"b3scale", "b3scale", "b3scaled"},
	{"b3scaleagent", "b3scaleagent", "b3scaleagent"},
	{"b3scalenoded", "b3scalenoded", "b3scalenoded"},
	{"b3scalectl", "", "b3scalectl"},
}

// packages makes all of one format for one processor, or the one of a name. The paths in their
// nfpm.yaml start in the work directory: what is compiled lies there, and what
// is committed is copied to it.
func (r *release) packages(ctx context.Context, format, only, arch string) error {
	nfpm, err := r.nfpm(ctx)
	if err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(r.work, "package"), os.DirFS("deploy/package")); err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Join(r.work, "package"))
	licence, err := os.ReadFile("LICENSE")
	if err != nil {
		return err
	}
	if err := r.stage("LICENSE", licence); err != nil {
		return err
	}
	version := packageVersion(r.version, r.build, r.at.Format("20060102150405"))
	env := []string{"PACKAGE_VERSION=" + version, "PACKAGE_ARCH=" + arch, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.at.Unix())}
	var all errgroup.Group // most of the time goes into compressing
	for _, p := range packaged {
		if only != "" && only != p.name {
			continue
		}
		if p.unit != "" {
			if err := r.maintainerScripts(p.name); err != nil {
				return err
			}
		}
		r.say("%s %s of %s", format, version, p.name)
		config := filepath.Join("package", p.name, "nfpm.yaml")
		all.Go(func() error {
			return r.command(ctx, env, r.work, nfpm, "package", "--config", config, "--packager", format, "--target", r.dist+"/")
		})
	}
	return all.Wait()
}

// nfpm is where Go keeps the program that makes packages; it builds it the
// first time, in the version of tools/nfpm.
func (r *release) nfpm(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "-modfile=tools/nfpm/go.mod", "-n", "nfpm")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build nfpm: %w\n%s", err, complaint.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// maintainerScripts fills in the name of a package. They are the same for all.
func (r *release) maintainerScripts(name string) error {
	for _, script := range []string{"preremove", "postinstall", "postremove"} {
		text, err := os.ReadFile(filepath.Join("deploy/package/scripts", script))
		if err != nil {
			return err
		}
		filled := strings.ReplaceAll(string(text), "@package@", name)
		if err := r.stage(filepath.Join("package", name, script), []byte(filled)); err != nil {
			return err
		}
	}
	return nil
}

var (
	tagged    = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(?:-([0-9A-Za-z.]+?))?(?:-(\d+)-g([0-9a-f]+))?(-dirty)?$`)
	notInThem = regexp.MustCompile(`[^0-9A-Za-z.+~]`)
)

// packageVersion turns what git describe says into a version that dpkg and rpm
// put in the right order: v1.2.0-rc.1 before v1.2.0, that before what follows
// it, and what has no tag before all.
func packageVersion(version, build, at string) string {
	m := tagged.FindStringSubmatch(version)
	if m == nil {
		return "0.0.0+" + at + "." + notInThem.ReplaceAllString(build, ".")
	}
	text := m[1]
	if m[2] != "" {
		text += "~" + m[2]
	}
	if m[3] != "" {
		text += "+" + m[3] + "." + m[4]
	}
	if m[5] != "" {
		text += "+dirty"
	}
	return text
}
