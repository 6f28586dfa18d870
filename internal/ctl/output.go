package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// The formats of --output.
const (
	plain      = "plain"
	asTable    = "table"
	asJSON     = "json"
	asYAML     = "yaml"
	jsonIndent = "   " // as scripts have always got it
)

var formats = []string{plain, asTable, asJSON, asYAML}

func (s *session) checkOutput() error {
	if s.json {
		s.output = asJSON
	}
	if !slices.Contains(formats, s.output) {
		return fmt.Errorf("--output %s: want one of %s", s.output, strings.Join(formats, ", "))
	}
	return nil
}

// show prints what the API answered in the format that is wanted. In JSON and
// YAML that is all of it, also what we do not know.
func (s *session) show(answer []byte, lines func(), rows func() table) error {
	switch s.output {
	case asJSON:
		return s.showJSON(answer)
	case asYAML:
		return s.showYAML(answer)
	case asTable:
		s.print(rows())
	default:
		lines()
	}
	return nil
}

func (s *session) showJSON(text []byte) error {
	indented, err := indent(text)
	if err != nil {
		return err
	}
	_, err = s.Out.Write(append(indented, '\n'))
	return err
}

func indent(text []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(text), "", jsonIndent); err != nil {
		return nil, errors.New("the answer is not that of a b3scale server: is the address right?")
	}
	return escaped(b.Bytes()), nil
}

// escaped writes what terminals would obey as \uXXXX. Such characters are
// nowhere but in texts, and those below DEL are never there as they are: that
// would be no JSON, and the YAML is made so.
func escaped(text []byte) []byte {
	var b bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if broken := r == utf8.RuneError && size == 1; broken || r >= 0x7f && isObeyed(r) {
			_, _ = fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.Write(text[:size])
		}
		text = text[size:]
	}
	return b.Bytes()
}

// compact is a JSON text on one line.
func compact(text []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return string(text)
	}
	return string(escaped(b.Bytes()))
}

func (s *session) showYAML(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // as they are written
	node, err := yamlOf(decoder)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(node), encoder.Close()); err != nil {
		return err
	}
	_, err = s.Out.Write(escaped(b.Bytes()))
	return err
}

// yamlOf reads the next value. Members stay in their order.
func yamlOf(in *json.Decoder) (*yaml.Node, error) {
	next, err := in.Token()
	if err != nil {
		return nil, err
	}
	delim, nested := next.(json.Delim)
	if !nested {
		return scalar(next), nil
	}
	node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if delim == '[' {
		node = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	}
	for in.More() { // names of members are values, too
		child, err := yamlOf(in)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, child)
	}
	if len(node.Content) == 0 {
		node.Style = yaml.FlowStyle
	}
	_, err = in.Token() // its end
	return node, err
}

// mistakable are texts that some reader of YAML takes for a truth value, a
// number or a time.
var mistakable = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off)$|^[-+.0-9]`)

func scalar(value json.Token) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	switch v := value.(type) {
	case string:
		node.Tag, node.Value = "!!str", v
		if mistakable.MatchString(v) || strings.ContainsFunc(v, isObeyed) { // only between quotes can these be escaped
			node.Style = yaml.DoubleQuotedStyle
		}
	case bool:
		node.Tag, node.Value = "!!bool", fmt.Sprint(v)
	case json.Number:
		node.Tag, node.Value = "!!float", v.String()
		if _, err := v.Int64(); err == nil {
			node.Tag = "!!int"
		}
	}
	return node
}

// objects are the elements of an array as the server wrote them.
func objects(array []byte) []json.RawMessage {
	var all []json.RawMessage
	_ = json.Unmarshal(array, &all) // the client has read it already
	return all
}

// settingsOf are the settings of a backend or frontend as the server wrote
// them.
func settingsOf(object []byte) json.RawMessage {
	var has struct{ Settings json.RawMessage }
	_ = json.Unmarshal(object, &has) // see objects
	return has.Settings
}

// asText is a value of ours as JSON.
func asText(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // structs of texts, numbers and times always have a JSON
	return b.Bytes()
}

// print writes a table, in colour where that is seen.
func (s *session) print(t table) { t.write(s.Out, s.coloured()) }

// coloured reports whether colours are seen, and liked.
func (s *session) coloured() bool {
	return isTerminal(s.Out) && s.getenv("NO_COLOR") == "" && s.getenv("TERM") != "dumb"
}
