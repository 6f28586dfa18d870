package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
)

// stage keeps a file for packages and archives below the work directory.
func (r *release) stage(name string, content []byte) error {
	file := filepath.Join(r.work, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // for everybody
		return err
	}
	return os.WriteFile(file, content, 0o644) //nolint:gosec // as above
}

// manual compresses the pages of the manual as Debian has them.
func (r *release) manual() error {
	pages, err := filepath.Glob("docs/man/*.1")
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		packed, err := gzipped(text)
		if err != nil {
			return err
		}
		if err := r.stage("man/"+filepath.Base(page)+".gz", packed); err != nil {
			return err
		}
	}
	return nil
}

// documentation is for those who have no other at three in the morning.
func (r *release) documentation() error {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		return err
	}
	for _, page := range append(pages, "CHANGELOG.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		if err := r.stage("docs/"+filepath.Base(page), text); err != nil {
			return err
		}
	}
	return nil
}

// gzipped holds no name and no time.
func gzipped(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
