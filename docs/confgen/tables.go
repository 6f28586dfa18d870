package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"b3scale/internal/config"
)

// group is a table of settings of b3scaled, by how their names begin.
type group struct {
	title    string
	prefixes []string
}

var groups = []group{
	{"Database", []string{"B3SCALE_DB_"}},
	{"Addresses and tokens", []string{"B3SCALE_LISTEN_HTTP", "B3SCALE_TRUSTED_PROXIES", "B3SCALE_API_", "B3SCALE_CALLBACK_"}},
	{"Recordings", []string{"B3SCALE_RECORDINGS_"}},
	{"Logs and metrics", []string{"B3SCALE_LOG_", "B3SCALE_ACCESS_LOG", "B3SCALE_METRICS_"}},
	{"BigBlueButton servers", []string{"B3SCALE_PROBE_", "B3SCALE_LOST_", "B3SCALE_OBSERVE", "B3SCALE_NODE_CA_", "B3SCALE_REVERSE_PROXY_MODE"}},
	{"Placement", []string{"B3SCALE_MEETING_SIZE"}},
	{"Requests", []string{"B3SCALE_HTTP_", "B3SCALE_MAX_", "B3SCALE_GATEWAY_", "B3SCALE_NODE_CALLS_"}},
}

// part is what stands between the two marks of one program.
var part = regexp.MustCompile(`(?s)(<!-- settings of (\w+) -->\n).*?(<!-- end -->)`)

// fill replaces what stands between the marks of a page.
func fill(page []byte) ([]byte, error) {
	var failed error
	filled := part.ReplaceAllFunc(page, func(found []byte) []byte {
		m := part.FindSubmatch(found)
		tables, err := tablesOf(string(m[2]))
		if err != nil {
			failed = err
		}
		return slices.Concat(m[1], []byte("\n"+tables+"\n"), m[3])
	})
	if strings.Count(string(page), "<!-- settings of ") != len(part.FindAll(page, -1)) {
		return nil, fmt.Errorf("a mark has no end")
	}
	return filled, failed
}

func tablesOf(program string) (string, error) {
	switch program {
	case "b3scaled":
		return grouped(config.Variables())
	case "b3scaleagent":
		return table(config.AgentVariables()), nil
	case "b3scalenoded":
		return table(config.NodedVariables()), nil
	}
	return "", fmt.Errorf("nobody knows the settings of %q", program)
}

func grouped(all []config.Variable) (string, error) {
	var b strings.Builder
	shown := 0
	for _, g := range groups {
		var vars []config.Variable
		for _, v := range all {
			if slices.ContainsFunc(g.prefixes, func(prefix string) bool { return strings.HasPrefix(v.Name, prefix) }) {
				vars = append(vars, v)
			}
		}
		shown += len(vars)
		fmt.Fprintf(&b, "### %s\n\n%s\n", g.title, table(vars))
	}
	if shown != len(all) {
		return "", fmt.Errorf("%d of %d settings are in a group: see groups", shown, len(all))
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func table(vars []config.Variable) string {
	var b strings.Builder
	b.WriteString("| Variable | Default | Meaning |\n| --- | --- | --- |\n")
	for _, v := range vars {
		usual := ""
		if v.Default != "" {
			usual = "`" + v.Default + "`"
		}
		name := "`" + v.Name + "`"
		if v.Secret {
			name += " (or `" + v.Name + "_FILE`)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s. *Accepted:* %s |\n", name, usual, cell(upper(v.Meaning)), cell(v.Accepts))
	}
	return b.String()
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// cell keeps signs of Markdown from being any.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`).Replace(text)
}
