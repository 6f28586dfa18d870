// Command dashgen makes the dashboards of deploy/grafana.
//
//	dashgen directory
//
// Grafana's own form of a panel is sixty lines, of which three are ours: what it
// asks, what that is called, and why somebody should look at it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "dashgen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument: the directory to write to")
	}
	for _, d := range []dashboard{cluster(), frontend(), backend(), instance()} {
		var text bytes.Buffer
		out := json.NewEncoder(&text)
		out.SetEscapeHTML(false) // queries compare
		out.SetIndent("", "  ")
		if err := out.Encode(d); err != nil {
			return fmt.Errorf("%s: %w", d.UID, err)
		}
		if err := os.WriteFile(filepath.Join(args[0], d.UID+".json"), text.Bytes(), 0o644); err != nil { //nolint:gosec // public
			return err
		}
	}
	return nil
}
