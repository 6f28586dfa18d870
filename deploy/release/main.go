// Command release makes what we give to operators: archives, Debian and RPM
// packages, a list of all that is linked, and checksums. The same commit gives the
// same bytes, on whatever machine and in whatever directory, with the same Go.
//
// It runs in the root of the repository: make release.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is one run.
type release struct {
	version string    // as --version shows it
	build   string    // the commit, ditto
	at      time.Time // of the commit; every file in every archive has it
	dist    string    // where the results go
	work    string    // removed at the end
	out     io.Writer

	binaries []string // all that were built and are given away
}

// platform is an operating system and a processor, in Go's words.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "_" + p.arch }

func run(ctx context.Context, args []string, out, help io.Writer) error {
	r := release{out: out}
	var only, name, arch string
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(help)
	flags.StringVar(&r.version, "version", "dev", "`version` that the programs show and the packages have")
	flags.StringVar(&r.build, "build", "0000000", "the `commit`, in short")
	flags.StringVar(&r.dist, "dist", "dist", "`directory` for the results; what it holds is removed")
	flags.StringVar(&only, "only", "", "make nothing but packages, of these `formats`: deb, rpm or deb,rpm")
	flags.StringVar(&arch, "arch", runtime.GOARCH, "with -only: for this `processor`, amd64 or arm64")
	flags.StringVar(&name, "package", "", "with -only: this `package` alone")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var err error
	if r.at, err = commitTime(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "b3scale-release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	if r.dist, err = filepath.Abs(r.dist); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(r.dist), os.MkdirAll(r.dist, 0o755)); err != nil { //nolint:gosec // for everybody
		return err
	}
	if only != "" {
		return r.packagesOnly(ctx, strings.Split(only, ","), name, arch)
	}
	return r.all(ctx)
}

// all is what a release has.
func (r *release) all(ctx context.Context) error {
	if err := r.licences(ctx); err != nil {
		return err
	}
	if err := r.texts(ctx); err != nil {
		return err
	}
	for _, p := range []platform{{"linux", "amd64"}, {"linux", "arm64"}} {
		if err := r.compile(ctx, p, "b3scaled", "b3scalectl", "b3scaleagent", "b3scalenoded"); err != nil {
			return err
		}
		if err := r.archive("b3scale", p, r.linuxFiles(p)); err != nil {
			return err
		}
		if err := r.archive("b3scalectl", p, r.ctlFiles(p)); err != nil {
			return err
		}
		for _, format := range []string{"deb", "rpm"} {
			if err := r.packages(ctx, format, "", p.arch); err != nil {
				return err
			}
		}
	}
	for _, p := range []platform{{"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"}} {
		if err := r.compile(ctx, p, "b3scalectl"); err != nil {
			return err
		}
		if err := r.archive("b3scalectl", p, r.ctlFiles(p)); err != nil {
			return err
		}
	}
	if err := r.billOfMaterials(); err != nil {
		return err
	}
	return r.checksums()
}

// packagesOnly is a part of all, for those who want to install what they changed.
func (r *release) packagesOnly(ctx context.Context, formats []string, name, arch string) error {
	var programs []string
	for _, p := range packaged {
		if name == "" || name == p.name {
			programs = append(programs, p.program)
		}
	}
	if len(programs) == 0 {
		return fmt.Errorf("there is no package %q", name)
	}
	if err := r.licences(ctx); err != nil {
		return err
	}
	if err := r.texts(ctx); err != nil {
		return err
	}
	if err := r.compile(ctx, platform{"linux", arch}, programs...); err != nil {
		return err
	}
	for _, format := range formats {
		if err := r.packages(ctx, format, name, arch); err != nil {
			return err
		}
	}
	return nil
}

// commitTime reads SOURCE_DATE_EPOCH, which scripts/release sets to the time of the commit.
func commitTime(seconds string) (time.Time, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(seconds), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%q is no number of seconds", seconds)
	}
	return time.Unix(n, 0).UTC(), nil
}
