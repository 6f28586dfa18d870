package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Variable documents one setting.
type Variable struct {
	Name    string
	Default string // empty: unset
	Meaning string
	Accepts string
	Secret  bool // may also be read from the file that Name_FILE names

	field reflect.StructField
}

// Variables lists the settings of b3scaled in the order of Config's fields.
func Variables() []Variable { return variables(reflect.TypeFor[Config]()) }

func variables(t reflect.Type) []Variable {
	var vars []Variable
	for i := range t.NumField() {
		field := t.Field(i)
		name := field.Tag.Get("env")
		if name == "" {
			continue
		}
		vars = append(vars, Variable{
			Name:    name,
			Default: field.Tag.Get("envDefault"),
			Meaning: field.Tag.Get("help"),
			Accepts: accepts(field),
			Secret:  field.Tag.Get("secret") == "true",
			field:   field,
		})
	}
	return vars
}

// accepts says in words which values a field takes.
func accepts(field reflect.StructField) string {
	bounds := field.Tag.Get("min") + " to " + field.Tag.Get("max")
	switch field.Type {
	case reflect.TypeFor[bool]():
		return "yes, true, 1 or no, false, 0"
	case reflect.TypeFor[int]():
		return bounds
	case reflect.TypeFor[time.Duration]():
		return bounds + "; a bare number means seconds"
	case reflect.TypeFor[Bytes]():
		return bounds + "; a bare number means bytes"
	}
	return field.Tag.Get("accepts")
}

// helpWidth keeps the help readable in a terminal of usual size.
const helpWidth = 100

// Describe is the part of b3scaled --help that explains every variable.
func Describe() string { return daemon().describe() }

func (p program) describe() string {
	width := 0
	var secretFiles []string
	for _, v := range p.vars {
		width = max(width, len(v.Name))
		if v.Secret {
			secretFiles = append(secretFiles, v.Name+fileSuffix)
		}
	}
	var b strings.Builder
	for _, v := range p.vars {
		name := v.Name
		for _, text := range []string{v.Meaning, facts(v)} {
			for _, line := range wrap(text, helpWidth-width-4) {
				fmt.Fprintf(&b, "  %-*s  %s\n", width, name, line)
				name = ""
			}
		}
	}
	fmt.Fprintf(&b, "\nAn empty value counts as unset. Secrets can be read from a file: %s.\n", strings.Join(secretFiles, ", "))
	fmt.Fprintf(&b, "When %s is empty, these files are read in order and win over the environment:\n%s\n", p.sentinel, strings.Join(p.envFiles, ", "))
	return b.String()
}

func facts(v Variable) string {
	if v.Default == "" {
		return "accepted: " + v.Accepts
	}
	return "default " + v.Default + "; accepted: " + v.Accepts
}

// wrap breaks text between words into lines of at most width bytes.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
