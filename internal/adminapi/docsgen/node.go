package main

import (
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v4"
)

// node is a place in the document. The zero node is absent: asking it for
// anything gives nothing.
type node struct {
	*yaml.Node
	root *yaml.Node
}

// get is the member with this name, behind a reference if it is one.
func (n node) get(name string) node { return n.raw(name).resolve() }

// raw is the member with this name as it stands there.
func (n node) raw(name string) node {
	for key, value := range n.members() {
		if key == name {
			return value
		}
	}
	return node{}
}

// members calls yield for the members of a mapping in their order.
func (n node) members() func(yield func(string, node) bool) {
	return func(yield func(string, node) bool) {
		if n.Node == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, node{n.Content[i+1], n.root}) {
				return
			}
		}
	}
}

func (n node) items() []node {
	if n.Node == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]node, len(n.Content))
	for i, item := range n.Content {
		items[i] = node{item, n.root}
	}
	return items
}

func (n node) text() string {
	if n.Node == nil {
		return ""
	}
	return n.Value
}

func (n node) texts() []string {
	var texts []string
	for _, item := range n.items() {
		texts = append(texts, item.Value)
	}
	return texts
}

func (n node) absent() bool { return n.Node == nil }

// reference is the name that n refers to, "" when it is no reference.
func (n node) reference() string { return n.raw("$ref").text() }

func (n node) resolve() node {
	to := n.reference()
	if to == "" {
		return n
	}
	found := node{n.root, n.root}
	for name := range strings.SplitSeq(strings.TrimPrefix(to, "#/"), "/") {
		found = found.get(strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
	}
	return found
}

// json is an example as it goes over the wire, its members in their order.
func (n node) json() string {
	var b strings.Builder
	n.writeJSON(&b, "\n")
	return b.String()
}

func (n node) writeJSON(b *strings.Builder, line string) {
	inner := line + "  "
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) > 0:
		separator := "{"
		for name, value := range n.members() {
			b.WriteString(separator + inner + quoted(name) + ": ")
			value.writeJSON(b, inner)
			separator = ","
		}
		b.WriteString(line + "}")
	case n.Kind == yaml.MappingNode:
		b.WriteString("{}")
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		separator := "["
		for _, item := range n.items() {
			b.WriteString(separator + inner)
			item.writeJSON(b, inner)
			separator = ","
		}
		b.WriteString(line + "]")
	case n.Kind == yaml.SequenceNode:
		b.WriteString("[]")
	case n.Tag == "!!str" || n.Tag == "!!timestamp":
		b.WriteString(quoted(n.Value))
	default:
		b.WriteString(n.Value) // numbers, true, false and null are written the same
	}
}

func quoted(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text always has a JSON
	return strings.TrimSuffix(b.String(), "\n")
}
