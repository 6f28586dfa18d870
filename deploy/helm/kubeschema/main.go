package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
)

// kinds are the objects that the chart and the samples may make. What is not
// here is refused.
func kinds() []kind {
	return []kind{
		{"apps/v1", "Deployment", reflect.TypeFor[apps.Deployment]()},
		{"v1", "ConfigMap", reflect.TypeFor[core.ConfigMap]()},
		{"v1", "PersistentVolumeClaim", reflect.TypeFor[core.PersistentVolumeClaim]()},
		{"v1", "Secret", reflect.TypeFor[core.Secret]()},
		{"v1", "Service", reflect.TypeFor[core.Service]()},
		{"networking.k8s.io/v1", "Ingress", reflect.TypeFor[networking.Ingress]()},
		{"policy/v1", "PodDisruptionBudget", reflect.TypeFor[policy.PodDisruptionBudget]()},
		{"monitoring.coreos.com/v1", "ServiceMonitor", reflect.TypeFor[monitoring.ServiceMonitor]()},
		{"monitoring.coreos.com/v1", "PrometheusRule", reflect.TypeFor[monitoring.PrometheusRule]()},
	}
}

type kind struct {
	version, name string
	object        reflect.Type
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kubeschema:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument: the file to write")
	}
	defs := definitions{}
	var known, each []schema
	for _, k := range kinds() {
		is := schema{"properties": schema{"apiVersion": constant(k.version), "kind": constant(k.name)}}
		known = append(known, is) // without it, a kind that nobody knows would meet all conditions
		each = append(each, schema{"if": is, "then": defs.of(k.object)})
	}
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	out.SetIndent("", " ")
	err := out.Encode(schema{
		"$schema":  "https://json-schema.org/draft/2020-12/schema",
		"$comment": "made by deploy/helm/kubeschema from the types of k8s.io/api and prometheus-operator; make helm writes it",
		"type":     "object",
		"required": []string{"apiVersion", "kind", "metadata"},
		"anyOf":    known,
		"allOf":    each,
		"$defs":    defs,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], text.Bytes(), 0o644)
}

func constant(value string) schema { return schema{"const": value} }
