package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// compile builds programs for one platform.
func (r *release) compile(ctx context.Context, p platform, programs ...string) error {
	r.say("compile for %s/%s", p.os, p.arch)
	symbols := []string{"-s", "-w"}
	for _, pkg := range []string{"main", "b3scale/internal/app"} {
		symbols = append(symbols, "-X "+pkg+".Version="+r.version, "-X "+pkg+".Build="+r.build)
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", strings.Join(symbols, " "), "-o", r.binDir(p) + "/"}
	for _, program := range programs {
		args = append(args, "./cmd/"+program)
		r.binaries = append(r.binaries, r.binary(p, program))
	}
	if err := os.MkdirAll(r.binDir(p), 0o755); err != nil { //nolint:gosec // for everybody
		return err
	}
	return r.command(ctx, []string{"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch}, "", "go", args...)
}

func (r *release) binDir(p platform) string { return filepath.Join(r.work, "bin", p.String()) }

func (r *release) binary(p platform, program string) string {
	if p.os == "windows" {
		program += ".exe"
	}
	return filepath.Join(r.binDir(p), program)
}

// texts writes what b3scalectl says of itself, completions for the shells, and
// gathers the manual and the documentation, which are committed.
func (r *release) texts(ctx context.Context) error {
	here := filepath.Join(r.work, "here")
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", here + "/", "./cmd/b3scalectl"}
	if err := os.MkdirAll(here, 0o755); err != nil { //nolint:gosec // for everybody
		return err
	}
	if err := r.command(ctx, []string{"CGO_ENABLED=0", "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH}, "", "go", args...); err != nil {
		return err
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script, err := exec.CommandContext(ctx, filepath.Join(here, "b3scalectl"), "completion", shell).Output() //nolint:gosec // built above
		if err != nil {
			return fmt.Errorf("completion of %s: %w", shell, err)
		}
		if err := r.stage("completion/"+shell, script); err != nil {
			return err
		}
	}
	if err := r.manual(); err != nil {
		return err
	}
	return r.documentation()
}

// command runs a program in dir, "" for the root of the repository.
func (r *release) command(ctx context.Context, env []string, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // of our own
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

func (r *release) say(format string, args ...any) {
	fmt.Fprintf(r.out, "== release: "+format+"\n", args...)
}
