package main

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

type schema map[string]any

// definitions are the schemas of structs, by their names.
type definitions map[string]schema

// special are the types that JSON shows otherwise than Go.
var special = map[reflect.Type]schema{
	reflect.TypeFor[resource.Quantity]():       {"type": []string{"string", "number"}, "pattern": `^[+-]?[0-9.]+([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$`},
	reflect.TypeFor[intstr.IntOrString]():      {"type": []string{"string", "integer"}},
	reflect.TypeFor[meta.Time]():               {"type": "string"},
	reflect.TypeFor[meta.MicroTime]():          {"type": "string"},
	reflect.TypeFor[meta.Duration]():           {"type": "string"},
	reflect.TypeFor[meta.FieldsV1]():           {"type": "object"},
	reflect.TypeFor[json.RawMessage]():         {},
	reflect.TypeFor[map[string][]byte]():       {"type": "object", "additionalProperties": schema{"type": "string"}},
	reflect.TypeFor[meta.ManagedFieldsEntry](): {"type": "object"},
}

// of is the schema of a type. Structs become definitions: some contain
// themselves.
func (d definitions) of(t reflect.Type) schema {
	if s, ok := special[t]; ok {
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.of(t.Elem())
	case reflect.Struct:
		name := path.Base(path.Dir(t.PkgPath())) + "." + t.Name()
		if _, ok := d[name]; !ok {
			d[name] = nil
			d[name] = d.object(t)
		}
		return schema{"$ref": "#/$defs/" + name}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return schema{"type": "string"}
		}
		return schema{"type": "array", "items": d.of(t.Elem())}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": d.of(t.Elem())}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint64:
		return schema{"type": "integer"}
	case reflect.Float64:
		return schema{"type": "number"}
	case reflect.Interface:
		return schema{}
	}
	panic(fmt.Sprintf("kubeschema: no schema for %s", t))
}

// object refuses names that the struct does not have, which Kubernetes would
// silently drop. What has no omitempty must be there.
func (d definitions) object(t reflect.Type) schema {
	properties := schema{}
	var required []string
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		for field := range fields(t) {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case name == "-" || !field.IsExported():
			case name == "": // embedded
				add(field.Type)
			case name == "status": // Kubernetes writes it, not we
			default:
				properties[name] = d.of(field.Type)
				if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
					required = append(required, name)
				}
			}
		}
	}
	add(t)
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		slices.Sort(required)
		s["required"] = required
	}
	return s
}

func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
