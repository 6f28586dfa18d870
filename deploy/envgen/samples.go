package main

import (
	"fmt"
	"strings"

	"b3scale/internal/config"
)

const madeBy = "# Made from the program by deploy/envgen: make generate.\n"

// docker is an env file for containers. Those of systemd come with the packages.
func docker() string {
	return `# All settings of b3scaled in a container: for docker run --env-file, or env_file in a compose file.
# Lines are NAME=VALUE, without quotes and export. What is commented out shows what counts anyway.
# The image sets the database and the address already. To read the database from a file, set
# B3SCALE_DB_URL to nothing, and B3SCALE_DB_URL_FILE to its name.
` + madeBy + "\n" + config.Sample(config.Variables(), map[string]string{
		"B3SCALE_DB_URL": "sqlite:/var/lib/b3scale/b3scale.db", "B3SCALE_LISTEN_HTTP": ":42353",
	})
}

// kubernetes is for those who do not use the chart: a ConfigMap, and a Secret
// with what is read from files.
func kubernetes() string {
	var b strings.Builder
	b.WriteString(`# All settings of b3scaled for Kubernetes without the chart. The ConfigMap belongs into envFrom of the pod; the
# Secret is mounted at /etc/b3scale/secrets. What is commented out shows what counts anyway.
` + madeBy + `apiVersion: v1
kind: ConfigMap
metadata:
  name: b3scale
data:
`)
	sample := config.Sample(config.Variables(), map[string]string{
		"B3SCALE_DB_URL":      "", // the image sets another one
		"B3SCALE_LISTEN_HTTP": ":42353", "B3SCALE_METRICS_LISTEN": ":9101",
	})
	for line := range strings.Lines(sample) {
		name, value, isSetting := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case strings.TrimSpace(line) == "":
		case strings.HasPrefix(line, "# ") || !isSetting:
			b.WriteString("  " + line)
		default:
			if name == "B3SCALE_DB_URL" || !isSecret(name) {
				fmt.Fprintf(&b, "  %s: %q\n", name, value)
			}
			if isSecret(name) {
				fmt.Fprintf(&b, "  %s_FILE: /etc/b3scale/secrets/%s\n", name, secretFile(name))
			}
		}
	}
	b.WriteString("---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: b3scale\nstringData:\n")
	for _, v := range config.Variables() {
		switch {
		case v.Name == "B3SCALE_DB_URL":
			fmt.Fprintf(&b, "  %s: postgres://b3scale:PASSWORD@db.example.org/b3scale?sslmode=verify-full\n", secretFile(v.Name))
		case v.Secret:
			fmt.Fprintf(&b, "  #%s: \"\"\n", secretFile(v.Name))
		}
	}
	return b.String()
}

func isSecret(name string) bool {
	for _, v := range config.Variables() {
		if v.Name == strings.TrimPrefix(name, "#") {
			return v.Secret
		}
	}
	return false
}

// secretFile is B3SCALE_DB_URL as file names are written: db-url.
func secretFile(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(name, "#"), "B3SCALE_"), "API_")
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}
