// Command envgen makes what lists all settings under deploy: samples of the
// environment, those of packages too, and the schema of the chart's values.
//
//	envgen deploy out
//
// It reads below the first directory and writes below the second. So the samples
// know the settings that the programs know, and their words.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "envgen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want two arguments: the directory deploy, and the one to write to")
	}
	from, out := args[0], args[1]
	schema, err := valuesSchema(filepath.Join(from, "helm", "values.schema.base.json"))
	if err != nil {
		return err
	}
	rules, err := os.ReadFile(filepath.Join(from, "prometheus", "b3scale.rules.yml"))
	if err != nil {
		return err
	}
	made, err := packages(from)
	if err != nil {
		return err
	}
	maps.Copy(made, map[string]string{
		"helm/b3scale/values.schema.json":      schema,
		"helm/b3scale/files/b3scale.rules.yml": string(rules), // helm reads nothing outside of the chart
		"samples/env/docker.env":               docker(),
		"samples/env/kubernetes.yaml":          kubernetes(),
	})
	for name, text := range made {
		name = filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // public
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil { //nolint:gosec // public
			return err
		}
	}
	return nil
}
