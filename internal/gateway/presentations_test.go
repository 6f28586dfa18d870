package gateway_test

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
)

// The default presentation of these tests, as it reaches a node.
const (
	showURL  = "https://files.example.org/b/Begr%C3%BC%C3%9Fung.pdf?v=1&w=2"
	showXML  = `<document url="https://files.example.org/b/Begr%C3%BC%C3%9Fung.pdf?v=1&amp;w=2" filename="Begrüßung.pdf"/>`
	showBody = `<modules><module name="presentation">` + showXML + `</module></modules>`
)

func showing(force bool) b3scale.FrontendSettings {
	return b3scale.FrontendSettings{DefaultPresentation: &b3scale.DefaultPresentation{URL: showURL, Force: force}}
}

const clientSettings = `<module name="clientSettingsOverride" ><![CDATA[{"public":{"a":"<b>&c ]] </modules>"}}]]></module>`

// What a create brings, and what the node gets.
func TestDefaultPresentation(t *testing.T) {
	t.Parallel()
	const own = `<module name='presentation'><document url="https://example.org/own.pdf"/></module>`
	const module = `<module name="presentation">` + showXML + `</module>`
	for _, c := range []struct {
		name         string
		query        string
		body         string
		form         bool
		want, forced string // body at the node; "" for a GET without one
		documents    int
	}{
		{name: "GET", want: showBody, forced: showBody},
		{name: "form", form: true, want: showBody, forced: showBody},
		{name: "empty parameter", query: "&preUploadedPresentation=", want: showBody, forced: showBody},
		{name: "parameter", query: "&preUploadedPresentation=https://example.org/own.pdf&preUploadedPresentationName=own&preUploadedPresentationOverrideDefault=false", want: "", forced: showBody},
		{name: "parameter in a form", query: "&preUploadedPresentation=https://example.org/own.pdf", form: true, want: "form", forced: showBody},
		{name: "no modules", body: `<modules/>`, want: showBody, forced: showBody},
		{name: "no modules, long", body: "<?xml version=\"1.0\"?>\n<modules>\n  <!-- none -->\n</modules>\n",
			want: "<?xml version=\"1.0\"?>\n<modules>\n  <!-- none -->\n" + module + "</modules>\n", forced: "<?xml version=\"1.0\"?>\n<modules>\n  <!-- none -->\n" + module + "</modules>\n"},
		{name: "client settings", body: "<modules>\n\t" + clientSettings + "\r\n</modules>",
			want: "<modules>\n\t" + clientSettings + "\r\n" + module + "</modules>", forced: "<modules>\n\t" + clientSettings + "\r\n" + module + "</modules>"},
		{name: "client settings and a parameter", query: "&preUploadedPresentation=https://example.org/own.pdf", body: "<modules>" + clientSettings + "</modules>",
			want: "<modules>" + clientSettings + "</modules>", forced: "<modules>" + clientSettings + module + "</modules>"},
		{name: "empty presentation", body: `<modules><module name="presentation"> <!-- later --> </module>` + clientSettings + `</modules>`,
			want:   `<modules><module name="presentation"> <!-- later --> ` + showXML + `</module>` + clientSettings + `</modules>`,
			forced: `<modules>` + clientSettings + module + `</modules>`},
		{name: "empty presentation, short", body: `<modules><module name="presentation"/></modules>`, want: showBody, forced: showBody},
		{name: "own", body: "<modules>" + own + clientSettings + "</modules>", want: "<modules>" + own + clientSettings + "</modules>", forced: "<modules>" + clientSettings + module + "</modules>"},
		{name: "empty and own", body: `<modules><module name="presentation"/>` + own + "</modules>", want: `<modules><module name="presentation"/>` + own + "</modules>", forced: showBody},
		{name: "two own", body: "<modules>\n" + own + "\n" + clientSettings + "\n" + own + "\n</modules>",
			want: "<modules>\n" + own + "\n" + clientSettings + "\n" + own + "\n</modules>", forced: "<modules>\n" + clientSettings + "\n" + module + "</modules>"},
		{name: "own under an escaped name", body: `<modules><module name="&#112;resentation"><document url="u"/></module></modules>`,
			want: `<modules><module name="&#112;resentation"><document url="u"/></module></modules>`, forced: showBody},
		{name: "other module", body: `<modules><module name="Presentation"><document url="u"/></module></modules>`,
			want: `<modules><module name="Presentation"><document url="u"/></module>` + module + `</modules>`, forced: `<modules><module name="Presentation"><document url="u"/></module>` + module + `</modules>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{})
			for level, policy := range map[string]func(force bool){
				"all":        func(force bool) { h.policy(showing(force), b3scale.FrontendSettings{}) },
				"own":        func(force bool) { h.policy(b3scale.FrontendSettings{}, showing(force)) },
				"own second": func(force bool) { h.policy(showing(!force), showing(force)) },
			} {
				for force, want := range map[bool]string{false: c.want, true: c.forced} {
					policy(force)
					id := strings.ReplaceAll(level, " ", "")
					if force {
						id += "-forced"
					}
					query := "name=Room&meetingID=" + id + c.query
					var got reply
					switch {
					case c.form:
						got = h.post(apiURL(keyOne, "create"), formType, bbb.SignedQuery("create", "", secretOne)+"&"+query)
					case c.body != "":
						got = h.post(signed("create", query), xmlType, c.body)
					default:
						got = h.call("create", query)
					}
					if got.outcome(t) != bbb.Success {
						t.Fatalf("%s: got %v", id, got)
					}
					sent := h.only()
					h.forget()
					if want == "form" {
						if sent.ContentType != formType || sent.Params.Get("preUploadedPresentation") == "" {
							t.Errorf("%s: the node got %s with %s", id, sent.ContentType, sent.Body)
						}
						continue
					}
					if string(sent.Body) != want {
						t.Errorf("%s: the node got\n%s, want\n%s", id, sent.Body, want)
					}
					method, contentType := http.MethodPost, xmlType
					if want == "" {
						method, contentType = http.MethodGet, ""
					}
					if sent.Method != method || sent.ContentType != contentType {
						t.Errorf("%s: the node got a %s of %q", id, sent.Method, sent.ContentType)
					}
					if force && strings.Contains(sent.Params.Encode(), "preUploaded") {
						t.Errorf("%s: the node got %s", id, sent.Params.Encode())
					}
					// The parameters are in the address, all of them.
					query, _, _ = bbb.SplitChecksum(sent.RawQuery)
					if inQuery := bbb.ParseParams(query); inQuery.Get("meetingID") != nodeID(id) || inQuery.Get("name") != "Room" {
						t.Errorf("%s: the query at the node is %s", id, query)
					}
				}
			}
		})
	}
}

// A frontend may have none where all others have one.
func TestNoDefaultPresentation(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.policy(showing(true), b3scale.FrontendSettings{DefaultPresentation: &b3scale.DefaultPresentation{Force: true}})
	for id, own := range map[string]string{"without": "", "with": "https://example.org/own.pdf"} {
		if got := h.call("create", "name=Room&meetingID="+id+"&preUploadedPresentation="+own); got.outcome(t) != bbb.Success {
			t.Fatalf("%s: got %v", id, got)
		}
		if sent := h.only(); sent.Method != http.MethodGet || len(sent.Body) > 0 || sent.Params.Get("preUploadedPresentation") != own {
			t.Errorf("%s: the node got a %s with %s and %q", id, sent.Method, sent.Params.Encode(), sent.Body)
		}
		h.forget()
	}
	h.do(request{target: signedBy(keyTwo, secretTwo, "create", "name=Room&meetingID=room")})
	if sent := h.only(); string(sent.Body) != showBody {
		t.Errorf("of the other frontend the node got %q", sent.Body)
	}
}

// Documents inside the body pass unharmed up to the limit, whether ours is
// added, not needed, or takes their place beside large other modules.
func TestLargeDocumentsPass(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	random := make([]byte, 3<<20)
	_, _ = rand.Read(random)
	text := base64.StdEncoding.EncodeToString(random)
	inline := `<module name="presentation"><document name="big.pdf">` + text + `</document><document url="https://example.org/b.pdf?a=1&amp;b=2"/></module>`
	other := `<module name="other">` + text + `</module>`
	for _, c := range []struct {
		name       string
		settings   b3scale.FrontendSettings
		body, want string
	}{
		{"no policy", b3scale.FrontendSettings{}, "<modules>" + inline + "</modules>", "<modules>" + inline + "</modules>"},
		{"own", showing(false), "<modules>" + inline + "</modules>", "<modules>" + inline + "</modules>"},
		{"added", showing(false), "<modules>" + other + "</modules>", "<modules>" + other + `<module name="presentation">` + showXML + "</module></modules>"},
		{"replaced", showing(true), "<modules>" + inline + other + "</modules>", "<modules>" + other + `<module name="presentation">` + showXML + "</module></modules>"},
	} {
		h.policy(b3scale.FrontendSettings{}, c.settings)
		got := h.post(signed("create", "name=Room&meetingID=room-"+strings.ReplaceAll(c.name, " ", "-")), xmlType, c.body)
		if got.outcome(t) != bbb.Success {
			t.Fatalf("%s: got %v", c.name, got)
		}
		if sent := h.only(); string(sent.Body) != c.want {
			t.Errorf("%s: the node got %d bytes, want %d others", c.name, len(sent.Body), len(c.want))
		}
		h.forget()
	}
	// insertDocument is the client's own affair.
	h.policy(b3scale.FrontendSettings{}, showing(true))
	body := "<modules>" + inline + "</modules>"
	if got := h.post(signed("insertDocument", "meetingID=room-own"), xmlType, body); got.outcome(t) != bbb.Success {
		t.Errorf("insertDocument: got %v", got)
	}
	if sent := h.only(); string(sent.Body) != body {
		t.Errorf("insertDocument: the node got %d bytes, want %d", len(sent.Body), len(body))
	}
}

// Malformed XML is refused before any rule is applied, and nothing is placed.
func TestMalformedXMLWithDefaultPresentation(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.policy(showing(true), b3scale.FrontendSettings{})
	for _, body := range []string{"<modules>", "<modules><module name=presentation/></modules>", "<modules></module>", "<modules/><modules/>"} {
		got := h.post(signed("create", "name=Room&meetingID=room"), xmlType, body)
		if got.outcome(t) != "validationError" {
			t.Errorf("%s: got %v", body, got)
		}
		h.untouched(body)
	}
}
