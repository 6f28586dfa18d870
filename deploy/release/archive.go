package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// file is one entry of an archive.
type file struct {
	name   string // in the archive
	source string // on this machine
	mode   int64
}

// linuxFiles are all programs with what an operator needs who installs no package.
func (r *release) linuxFiles(p platform) []file {
	files := []file{}
	for _, pkg := range packaged {
		files = append(files, file{"bin/" + pkg.program, r.binary(p, pkg.program), 0o755})
		if pkg.unit != "" {
			dir := filepath.Join("deploy/package", pkg.name)
			files = append(files,
				file{"systemd/" + pkg.unit + ".service", filepath.Join(dir, pkg.unit+".service"), 0o644},
				file{"sysusers.d/" + pkg.unit + ".conf", filepath.Join(dir, "sysusers.conf"), 0o644},
				file{"default/" + pkg.unit, filepath.Join(dir, "env"), 0o644})
		}
	}
	return append(files, r.ctlTexts()...)
}

// ctlFiles are the command line with its texts, for any platform.
func (r *release) ctlFiles(p platform) []file {
	binary := r.binary(p, "b3scalectl")
	return append([]file{{filepath.Base(binary), binary, 0o755}}, r.ctlTexts()...)
}

func (r *release) ctlTexts() []file {
	files := []file{
		{"LICENSE", "LICENSE", 0o644},
		{"CHANGELOG.md", "CHANGELOG.md", 0o644},
		{"THIRD-PARTY-LICENSES", filepath.Join(r.work, "licences"), 0o644},
	}
	for _, shell := range []string{"bash", "fish", "zsh"} {
		files = append(files, file{"completion/" + shell, filepath.Join(r.work, "completion", shell), 0o644})
	}
	pages, _ := filepath.Glob(filepath.Join(r.work, "man", "*")) // the pattern is well formed
	for _, page := range pages {
		files = append(files, file{"man/" + filepath.Base(page), page, 0o644})
	}
	return files
}

// archive makes NAME_VERSION_OS_ARCH.tar.gz, for Windows .zip. All is in one
// directory of that name.
func (r *release) archive(name string, p platform, files []file) error {
	base := fmt.Sprintf("%s_%s_%s_%s", name, fileVersion(r.version), p.os, p.arch)
	suffix, write := ".tar.gz", r.tarball
	if p.os == "windows" {
		suffix, write = ".zip", r.zip
	}
	r.say("%s", base+suffix)
	out, err := os.Create(filepath.Join(r.dist, base+suffix))
	if err != nil {
		return err
	}
	err = write(out, base, files)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// fileVersion is a version as it may stand in the name of a file.
func fileVersion(version string) string {
	return strings.Trim(notInThem.ReplaceAllString(strings.TrimPrefix(version, "v"), "-"), ".")
}

func (r *release) tarball(out io.Writer, dir string, files []file) error {
	packed, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(packed)
	for _, f := range files {
		err := f.copy(func(size int64) (io.Writer, error) {
			head := &tar.Header{
				Typeflag: tar.TypeReg, Name: path.Join(dir, f.name), Size: size, Mode: f.mode,
				ModTime: r.at, Uname: "root", Gname: "root", Format: tar.FormatPAX,
			}
			return archive, archive.WriteHeader(head)
		})
		if err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return packed.Close()
}

func (r *release) zip(out io.Writer, dir string, files []file) error {
	archive := zip.NewWriter(out)
	for _, f := range files {
		err := f.copy(func(int64) (io.Writer, error) {
			head := &zip.FileHeader{Name: path.Join(dir, f.name), Method: zip.Deflate, Modified: r.at}
			head.SetMode(os.FileMode(f.mode))
			return archive.CreateHeader(head)
		})
		if err != nil {
			return err
		}
	}
	return archive.Close()
}

// copy writes the content to where begin says.
func (f file) copy(begin func(size int64) (io.Writer, error)) error {
	in, err := os.Open(f.source)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := begin(info.Size())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}
