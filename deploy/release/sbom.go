package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The parts of CycloneDX 1.6 that we fill in.
type bom struct {
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Serial       string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     bomMetadata  `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type bomMetadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	PURL    string `json:"purl,omitempty"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// billOfMaterials lists what is linked into each program, as the binaries
// themselves say.
func (r *release) billOfMaterials() error {
	modules := make(map[string]component)
	programs := make(map[string]map[string]bool) // by name: the modules of all its platforms
	for _, binary := range r.binaries {
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			return fmt.Errorf("read what is in %s: %w", binary, err)
		}
		name := strings.TrimSuffix(filepath.Base(binary), ".exe")
		if programs[name] == nil {
			programs[name] = make(map[string]bool)
		}
		linked := []component{module("std", strings.TrimPrefix(info.GoVersion, "go"))}
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			linked = append(linked, module(m.Path, m.Version))
		}
		for _, m := range linked {
			modules[m.Ref] = m
			programs[name][m.Ref] = true
		}
	}
	whole := component{Type: "application", Ref: "b3scale", Name: "b3scale", Version: r.version}
	b := bom{
		Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata:     bomMetadata{Timestamp: r.at.Format("2006-01-02T15:04:05Z"), Component: whole},
		Dependencies: []dependency{{whole.Ref, slices.Sorted(maps.Keys(programs))}},
	}
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		b.Components = append(b.Components, component{Type: "application", Ref: name, Name: name, Version: r.version})
		b.Dependencies = append(b.Dependencies, dependency{name, slices.Sorted(maps.Keys(programs[name]))})
	}
	b.Components = append(b.Components, slices.SortedFunc(maps.Values(modules), func(a, b component) int { return cmp.Compare(a.Ref, b.Ref) })...)
	b.Serial = "urn:uuid:" + nameUUID(r.version, r.build, b.Metadata.Timestamp)
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	name := "b3scale_" + fileVersion(r.version) + ".cdx.json"
	r.say("%s", name)
	return os.WriteFile(filepath.Join(r.dist, name), append(text, '\n'), 0o644) //nolint:gosec // for everybody
}

func module(name, version string) component {
	purl := "pkg:golang/" + name + "@" + url.PathEscape(version)
	return component{Type: "library", Ref: purl, Name: name, Version: version, PURL: purl}
}

// nameUUID is a UUID that the same words give again.
func nameUUID(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\n")))
	id := sum[:16]
	id[6] = id[6]&0x0f | 0x80 // version 8, of our own making
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// checksums writes SHA256SUMS for sha256sum --check.
func (r *release) checksums() error {
	entries, err := os.ReadDir(r.dist) // sorted by name
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(r.dist, entry.Name()))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		fmt.Fprintf(&list, "%s  %s\n", hex.EncodeToString(sum[:]), entry.Name())
	}
	r.say("SHA256SUMS of %d files", len(entries))
	return os.WriteFile(filepath.Join(r.dist, "SHA256SUMS"), []byte(list.String()), 0o644) //nolint:gosec // for everybody
}
