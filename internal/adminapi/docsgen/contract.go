package main

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// contract is what the page shows of the document.
type contract struct {
	Title       string
	Version     string
	Description template.HTML
	Tags        []*tag
	Errors      []response
	Schemas     []schema
}

type tag struct {
	Name        string
	Description template.HTML
	Operations  []operation
}

type operation struct {
	ID          string
	Method      string
	Path        string
	Summary     string
	Description template.HTML
	Public      bool // needs no token
	Scopes      []string
	Parameters  []field
	Body        *body
	Successes   []response
	Errors      []response
}

type response struct {
	Status      string
	Description template.HTML
	Headers     []field
	Body        *body
}

type body struct {
	ContentType string
	Type        kind
	Examples    []example
}

type example struct {
	Summary string
	JSON    string
}

type schema struct {
	Name        string
	Description template.HTML
	Type        kind
	Values      []string
	Fields      []field
}

type field struct {
	Name        string
	In          string // path or query, for parameters
	Type        kind
	Required    bool
	Description template.HTML
	Example     string
}

// kind is a type in words: Before, then the schema it refers to, then After.
type kind struct {
	Before, Schema, After string
	Nullable              bool
}

func parse(text []byte) (*contract, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 {
		return nil, fmt.Errorf("the document is empty")
	}
	root := node{document.Content[0], document.Content[0]}
	info := root.get("info")
	c := &contract{
		Title:       info.get("title").text(),
		Version:     info.get("version").text(),
		Description: markdown(info.get("description").text()),
	}
	for _, t := range root.get("tags").items() {
		c.Tags = append(c.Tags, &tag{
			Name:        t.get("name").text(),
			Description: markdown(t.get("description").text()),
		})
	}
	for path, item := range root.get("paths").members() {
		if err := c.addPath(path, item); err != nil {
			return nil, err
		}
	}
	for name, s := range root.get("components").get("schemas").members() {
		c.Schemas = append(c.Schemas, schemaOf(name, s))
	}
	slices.SortFunc(c.Schemas, func(a, b schema) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Errors, func(a, b response) int { return strings.Compare(a.Status, b.Status) })
	return c, nil
}

func (c *contract) addPath(path string, item node) error {
	for method, op := range item.members() {
		if method == "parameters" {
			continue
		}
		name := op.get("tags").texts()
		i := slices.IndexFunc(c.Tags, func(t *tag) bool { return len(name) == 1 && t.Name == name[0] })
		scopes := op.get("x-scopes")
		if i < 0 || scopes.absent() {
			return fmt.Errorf("%s %s: want one of the tags, and x-scopes", method, path)
		}
		o := operation{
			ID:          op.get("operationId").text(),
			Method:      strings.ToUpper(method),
			Path:        path,
			Summary:     op.get("summary").text(),
			Description: markdown(op.get("description").text()),
			Public:      !op.get("security").absent() && len(op.get("security").items()) == 0,
			Scopes:      scopes.texts(),
			Body:        bodyOf(op.get("requestBody")),
		}
		for _, p := range append(item.get("parameters").items(), op.get("parameters").items()...) {
			o.Parameters = append(o.Parameters, parameterOf(p.resolve()))
		}
		for status, r := range op.get("responses").members() {
			answer := responseOf(status, r.resolve())
			if status < "400" {
				o.Successes = append(o.Successes, answer)
				continue
			}
			o.Errors = append(o.Errors, answer)
			if !slices.ContainsFunc(c.Errors, func(e response) bool { return e.Status == status }) {
				c.Errors = append(c.Errors, answer)
			}
		}
		c.Tags[i].Operations = append(c.Tags[i].Operations, o)
	}
	return nil
}

func parameterOf(p node) field {
	f := field{
		Name:        p.get("name").text(),
		In:          p.get("in").text(),
		Type:        kindOf(p.raw("schema")),
		Required:    p.get("required").text() == "true",
		Description: markdown(p.get("description").text()),
		Example:     p.get("example").text(),
	}
	if f.Example == "" {
		f.Example = p.get("schema").get("example").text()
	}
	return f
}

func responseOf(status string, r node) response {
	answer := response{Status: status, Description: markdown(r.get("description").text()), Body: bodyOf(r)}
	for name, h := range r.get("headers").members() {
		header := parameterOf(h.resolve())
		header.Name = name
		answer.Headers = append(answer.Headers, header)
	}
	return answer
}

func bodyOf(n node) *body {
	for contentType, content := range n.get("content").members() {
		b := &body{ContentType: contentType}
		b.Type = kindOf(content.raw("schema"))
		if e := content.get("example"); !e.absent() {
			b.Examples = append(b.Examples, example{JSON: e.json()})
		}
		for _, e := range content.get("examples").members() {
			b.Examples = append(b.Examples, example{Summary: e.get("summary").text(), JSON: e.get("value").json()})
		}
		return b
	}
	return nil
}

func schemaOf(name string, s node) schema {
	out := schema{
		Name:        name,
		Description: markdown(s.get("description").text()),
		Type:        kindOf(s),
		Values:      s.get("enum").texts(),
	}
	required := s.get("required").texts()
	for member, m := range s.get("properties").members() {
		out.Fields = append(out.Fields, field{
			Name:        member,
			Type:        kindOf(m),
			Required:    slices.Contains(required, member),
			Description: markdown(m.resolve().get("description").text()),
		})
	}
	return out
}

func kindOf(s node) kind {
	if to := s.reference(); to != "" {
		return kind{Schema: to[strings.LastIndex(to, "/")+1:], Nullable: s.resolve().get("nullable").text() == "true"}
	}
	k := kind{Nullable: s.get("nullable").text() == "true"}
	switch typ := s.get("type").text(); {
	case typ == "array":
		of := kindOf(s.raw("items"))
		k.Before, k.Schema = "list of "+of.Before, of.Schema
	case !s.get("additionalProperties").get("type").absent():
		k.Before = "map to " + kindOf(s.raw("additionalProperties")).Before
	case typ == "":
		k.Before = "any"
	default:
		k.Before = typ
	}
	if s.get("format").text() == "date-time" {
		k.Before = "time"
	}
	var bounds []string
	for _, bound := range []struct{ name, word string }{{"minimum", "at least "}, {"maximum", "at most "}} {
		if n := s.get(bound.name); !n.absent() {
			bounds = append(bounds, bound.word+n.text())
		}
	}
	if len(bounds) > 0 {
		k.After += ", " + strings.Join(bounds, ", ")
	}
	return k
}
