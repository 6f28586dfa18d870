package bbbtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// release publishes one format of a recording and runs what comes after, and
// reports whether it was published.
func (n *Node) release(rec *recorded, format string) bool {
	metadata, err := n.writeRecording(rec, format)
	if err != nil {
		if n.opts.PublishFailed != nil {
			n.opts.PublishFailed(fmt.Errorf("publish %s of %s: %w", format, rec.InternalID, err))
		}
		return false
	}
	if n.opts.Published != nil {
		n.opts.Published(format, rec.InternalID, metadata)
	}
	return true
}

// writeRecording puts the files of a format there, all at once: they are
// collected under a hidden name.
func (n *Node) writeRecording(rec *recorded, format string) (metadata string, err error) {
	if !isFileName(format) || !isFileName(rec.InternalID) { // callers choose the ids of breakout rooms
		return "", fmt.Errorf("%q is no name for a directory", filepath.Join(format, rec.InternalID))
	}
	parent := filepath.Join(n.opts.RecordingsDir, format)
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // others read recordings
		return "", err
	}
	hidden, err := os.MkdirTemp(parent, ".publish-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(hidden) }() // it has another name if all went well
	files, size := filesOf(rec, format), int64(0)
	for _, f := range files {
		size += int64(len(f.content))
	}
	document := rec.metadata(format, n.version, n.PublicURL(), n.opts.ProcessingTime, size)
	for _, f := range append(files, file{metadataName, document}) {
		if err := f.write(hidden); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(hidden, 0o755); err != nil { //nolint:gosec // see above
		return "", err
	}
	final := filepath.Join(parent, rec.InternalID)
	if err := os.Rename(hidden, final); err != nil {
		return "", err
	}
	return filepath.Join(final, metadataName), nil
}

const metadataName = "metadata.xml"

// file is one below the directory of a recording.
type file struct {
	name    string
	content []byte
}

func (f file) write(dir string) error {
	path := filepath.Join(dir, filepath.FromSlash(f.name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // others read recordings
		return err
	}
	return os.WriteFile(path, f.content, 0o644) //nolint:gosec // see above
}

// isFileName is true for what recorders use in paths.
func isFileName(s string) bool {
	return s != "" && len(s) < 256 && strings.Trim(s, mixed+"_-") == ""
}
