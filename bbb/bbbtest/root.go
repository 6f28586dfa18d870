package bbbtest

import (
	"encoding/json"
	"mime"
	"strings"
)

// root is the version document. It needs no checksum.
func (c *call) root() reply {
	n := c.node
	revealed := ""
	if n.opts.RevealVersion {
		revealed = n.opts.Version
	}
	fields := []struct{ Name, Value string }{
		{"version", "2.0"}, {"apiVersion", "2.0"}, {"bbbVersion", revealed},
	}
	if n.version.since(3, 0) {
		socket := "ws" + strings.TrimPrefix(n.PublicURL(), "http") + "/graphql"
		sdk := struct{ Name, Value string }{"html5PluginSdkVersion", "0.0.90"}
		if n.version.atLeast(3, 0, 19) {
			fields = append(fields, sdk)
		}
		fields = append(fields,
			struct{ Name, Value string }{"graphqlWebsocketUrl", socket},
			struct{ Name, Value string }{"graphqlApiUrl", n.PublicURL() + "/api/rest"})
		if media, _, err := mime.ParseMediaType(c.contentType); err == nil && media == "application/json" {
			var b strings.Builder
			b.WriteString("{\n    \"response\": {\n        \"returncode\": \"SUCCESS\"")
			for _, f := range fields {
				quoted, _ := json.Marshal(f.Value) // a string always marshals
				b.WriteString(",\n        \"" + f.Name + "\": " + string(quoted))
			}
			b.WriteString("\n    }\n}")
			return jsonReply(b.String())
		}
	}
	x := answer()
	for _, f := range fields {
		x.text(f.Name, f.Value)
	}
	return xmlReply(x.close())
}
