// Command ctlgen writes what b3scalectl carries or comes with, and what is
// made from other files: the contract of the REST API as JSON, and the manual.
//
// usage: ctlgen CONTRACT.yaml OPENAPI.json MANDIR
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra/doc"
	"go.yaml.in/yaml/v4"

	"b3scale/internal/ctl"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: ctlgen CONTRACT.yaml OPENAPI.json MANDIR")
		os.Exit(1)
	}
	if err := generate(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "ctlgen:", err)
		os.Exit(1)
	}
}

func generate(contract, schema, man string) error {
	text, err := os.ReadFile(contract)
	if err != nil {
		return err
	}
	asJSON, err := toJSON(text)
	if err != nil {
		return fmt.Errorf("%s: %w", contract, err)
	}
	if err := os.WriteFile(schema, asJSON, 0o644); err != nil { //nolint:gosec // it is committed, not a secret
		return err
	}
	return manual(man)
}

// toJSON keeps the order of members.
func toJSON(text []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	var flat bytes.Buffer
	if err := writeNode(&flat, document.Content[0]); err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, flat.Bytes(), "", "   "); err != nil {
		return nil, err
	}
	return append(indented.Bytes(), '\n'), nil
}

func writeNode(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		return writeNested(b, n)
	case yaml.ScalarNode:
		var value any
		if err := n.Decode(&value); err != nil {
			return err
		}
		if at, isTime := value.(time.Time); isTime { // an example without quotes
			value = at.Format(time.RFC3339Nano)
		}
		return writeValue(b, value)
	}
	return fmt.Errorf("line %d: neither a value nor a map nor a list", n.Line)
}

func writeNested(b *bytes.Buffer, n *yaml.Node) error {
	begin, end, step := byte('['), byte(']'), 1
	if n.Kind == yaml.MappingNode {
		begin, end, step = '{', '}', 2
	}
	b.WriteByte(begin)
	i := 0
	for item := range slices.Chunk(n.Content, step) {
		if i++; i > 1 {
			b.WriteByte(',')
		}
		if n.Kind == yaml.MappingNode {
			if err := writeValue(b, item[0].Value); err != nil {
				return err
			}
			b.WriteByte(':')
		}
		if err := writeNode(b, item[step-1]); err != nil {
			return err
		}
	}
	b.WriteByte(end)
	return nil
}

func writeValue(b *bytes.Buffer, value any) error {
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// manual writes one page per command. Pages have no date: the same sources
// must always make the same pages.
func manual(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "b3scalectl*.1"))
	if err != nil {
		return err
	}
	for _, page := range old {
		if err := os.Remove(page); err != nil {
			return err
		}
	}
	header := doc.GenManHeader{Section: "1", Source: "b3scale", Manual: "b3scale", Date: &time.Time{}}
	if err := doc.GenManTree(ctl.Command(), &header, dir); err != nil {
		return err
	}
	pages, err := filepath.Glob(filepath.Join(dir, "b3scalectl*.1"))
	if err != nil {
		return err
	}
	noDate := time.Time{}.Format("Jan 2006")
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		text = []byte(strings.Replace(string(text), noDate, "", 1))
		if err := os.WriteFile(page, text, 0o644); err != nil { //nolint:gosec // it is committed, not a secret
			return err
		}
	}
	return nil
}
