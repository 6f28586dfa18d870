package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"b3scale/internal/config"
)

// ofTheChart are settings that the chart makes of other values.
var ofTheChart = []string{
	"B3SCALE_LISTEN_HTTP", "B3SCALE_METRICS_LISTEN",
	"B3SCALE_RECORDINGS_PUBLISHED_PATH", "B3SCALE_RECORDINGS_UNPUBLISHED_PATH", "B3SCALE_RECORDINGS_INBOX_PATH",
}

// valuesSchema adds the settings to the schema of the chart's values.
func valuesSchema(base string) (string, error) {
	text, err := os.ReadFile(base)
	if err != nil {
		return "", err
	}
	settings := map[string]any{}
	for _, v := range config.Variables() {
		if !v.Secret && !slices.Contains(ofTheChart, v.Name) {
			settings[v.Name] = map[string]string{"$ref": "#/definitions/setting", "description": v.Meaning}
		}
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		return "", fmt.Errorf("%s: %w", base, err)
	}
	properties, _ := schema["properties"].(map[string]any)
	place, ok := properties["settings"].(map[string]any)
	if !ok {
		return "", fmt.Errorf("%s has no place for settings", base)
	}
	place["properties"] = settings
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	err = out.Encode(schema)
	return b.String(), err
}
