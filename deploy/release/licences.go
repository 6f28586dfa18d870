package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// licences collects the texts that must go with binaries: those of Go and of every
// module that is linked into a program on any platform. scripts/check-licences says
// which kinds there may be.
func (r *release) licences(ctx context.Context) error {
	seen := make(map[string]string) // the line of a module: its directory
	for _, goos := range []string{"linux", "darwin", "windows"} {
		cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-f",
			"{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}",
			"./cmd/b3scaled", "./cmd/b3scalectl", "./cmd/b3scaleagent", "./cmd/b3scalenoded")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos)
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("list the modules: %w\n%s", err, complaint.String())
		}
		for line := range strings.Lines(string(out)) {
			if name, dir, found := strings.Cut(strings.TrimSpace(line), "\t"); found {
				seen[name] = dir
			}
		}
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find the licence of Go: %w", err)
	}
	seen["Go"] = strings.TrimSpace(string(root))
	var names []string
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	text := new(bytes.Buffer)
	fmt.Fprint(text, "These programs contain what others have written. Thanks to them all.\n")
	for _, name := range names {
		found := 0
		entries, err := os.ReadDir(seen[name])
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if !isLicence(entry.Name()) || entry.IsDir() {
				continue
			}
			content, err := os.ReadFile(filepath.Join(seen[name], entry.Name()))
			if err != nil {
				return err
			}
			line := strings.Repeat("=", 78)
			fmt.Fprintf(text, "\n%s\n%s, %s\n%s\n\n%s\n", line, name, entry.Name(), line, bytes.TrimSpace(content))
			found++
		}
		if found == 0 {
			return fmt.Errorf("%s has no licence in %s", name, seen[name])
		}
	}
	return r.stage("licences", text.Bytes())
}

func isLicence(name string) bool {
	name = strings.ToLower(name)
	for _, start := range []string{"licen", "copying", "unlicense", "notice", "patents"} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return false
}
