package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSyntaxOfProperties(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]properties{
		"a=b":                            {"a": "b"},
		"a = b ":                         {"a": "b"},
		"  a\t=\tb c":                    {"a": "b c"},
		"a:b":                            {"a": "b"},
		"a b":                            {"a": "b"},
		"a : b":                          {"a": "b"},
		"a=b=c:d":                        {"a": "b=c:d"},
		"a==b":                           {"a": "=b"},
		"a=":                             {"a": ""},
		"a":                              {"a": ""},
		"=b":                             {"": "b"},
		"# a=b\n! c=d\n  # e=f\n\ng=h#i": {"g": "h#i"},
		"a=1\na=2":                       {"a": "2"},
		"a=1\\\n   2\\\n3\nb=4":          {"a": "123", "b": "4"},
		"a=1\\\\\nb=2":                   {"a": `1\`, "b": "2"},
		"a=1\\":                          {"a": "1"},
		"a=1\\\n# no comment\nb=2":       {"a": "1# no comment", "b": "2"},
		"# a\\\nb=2":                     {"b": "2"},
		"a\\ b\\=c=d":                    {"a b=c": "d"},
		`a=\u00e9\t\n\x\:`:               {"a": "é\t\nx:"},
		`a=\u00zz\u1`:                    {"a": "u00zzu1"},
		"a=b\r\nc=d\re=f":                {"a": "b", "c": "d", "e": "f"},
		"\ufeffa=b":                      {"a": "b"},
		"a=é\\é":                         {"a": "éé"},
	} {
		got := make(properties)
		parseProperties(text, got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	p := make(properties)
	parseProperties(`
host=h
url=https://${host}
api=${url}/api/${host}
twice=${host}${host}
broken=${host
strange=$ {host} $host } ${}
gone=${missing}
default=${missing:d} ${host:d} ${missing:}
me=a${me}
one=${two}
two=x${three}
three=${one}
x0=xxxxxxxxxxxxxxxx
`, p)
	for i := range 30 {
		p[fmt.Sprintf("x%d", i+1)] = strings.Repeat(fmt.Sprintf("${x%d}", i), 2)
		p[fmt.Sprintf("e%d", i+1)] = strings.Repeat(fmt.Sprintf("${e%d}", i), 2)
	}
	p["e0"] = ""
	for i := range 100 {
		p[fmt.Sprintf("d%d", i)] = fmt.Sprintf("${d%d}", i+1)
	}
	for key, want := range map[string]string{
		"api": "https://h/api/h", "twice": "hh", "broken": "${host", "default": "d h ",
		"x2":      strings.Repeat("x", 64),
		"strange": "!the reference to : it is not set", "gone": "!the reference to missing: it is not set", "nothing": "!it is not set",
		"me": "!the reference to me leads back", "one": "!leads back to itself",
		"x30": "!too long", "e30": "!too long", "d0": "!too deep",
	} {
		got, err := p.get(key)
		if bad, isBad := strings.CutPrefix(want, "!"); isBad {
			if err == nil || !strings.Contains(err.Error(), bad) || !strings.Contains(err.Error(), key) {
				t.Errorf("%s: got %.50q, %v, want an error with %q", key, got, err, bad)
			}
		} else if err != nil || got != want {
			t.Errorf("%s: got %.50q, %v, want %q", key, got, err, want)
		}
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	const basis = "bigbluebutton.web.serverURL=https://node1.example.org\nsecuritySalt=s3cret\n"
	usual := node{host: "https://node1.example.org/bigbluebutton/api/", secret: "s3cret", redisAddress: "127.0.0.1:6379"}
	with := func(change func(*node)) node {
		n := usual
		change(&n)
		return n
	}
	for _, c := range []struct {
		defaults, overrides string
		want                node
		bad                 string
	}{
		{"", basis, usual, ""},
		{basis, "", usual, ""},
		{"securitySalt=old\nredisHost=redis\n", basis, with(func(n *node) { n.redisAddress = "redis:6379" }), ""},
		{"redisPassword=old\n", basis + "redisPassword=\n", usual, ""},
		{"", basis + "bigbluebutton.web.serverURL=https://node1.example.org/\n", usual, ""},
		{"host=node1.example.org\n", "securitySalt=s3cret\nbigbluebutton.web.serverURL=https://${host}", usual, ""},
		{"", basis + "redisHost=::1\nredisPort=7\n", with(func(n *node) { n.redisAddress = "[::1]:7" }), ""},
		{"", basis + "redisHost=[2001:db8::1]\n", with(func(n *node) { n.redisAddress = "[2001:db8::1]:6379" }), ""},
		{"", basis + `redisPassword=p@ss/w:rd#?%=x` + "\n", with(func(n *node) { n.redisPassword = "p@ss/w:rd#?%=x" }), ""},
		{"", basis + "redisPort=x", node{}, "redisPort"},
		{"", basis + "redisPort=0", node{}, "redisPort"},
		{"", basis + "securitySalt=", node{}, "securitySalt"},
		{"", "securitySalt=s3cret", node{}, "bigbluebutton.web.serverURL"},
		{"", "bigbluebutton.web.serverURL=https://n", node{}, "securitySalt"},
		{"", basis + "bigbluebutton.web.serverURL=n", node{}, "want http"},
		{"", basis + "bigbluebutton.web.serverURL=https://s3cret@n", node{}, "want http"},
		{"", basis + "bigbluebutton.web.serverURL=http://bigbluebutton.example.com", node{}, "not set up"},
		{"", basis + "securitySalt=s3cret${x}", node{}, "securitySalt: the reference to x"},
	} {
		dir := t.TempDir()
		got, err := readNode(write(t, dir, "d", c.defaults), write(t, dir, "o", c.overrides))
		if got != c.want {
			t.Errorf("%q over %q: got %v %q %q, %v", c.overrides, c.defaults, got, got.redisAddress, string(got.redisPassword), err)
		}
		if c.bad == "" != (err == nil) || err != nil && (!strings.Contains(err.Error(), c.bad) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%q: error %v, want %q", c.overrides, err, c.bad)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %v %s", usual, usual, usual, &usual, usual.secret); strings.Contains(got, "s3cret") {
		t.Errorf("the secret is printed: %s", got)
	}
}

func TestFilesOfANode(t *testing.T) {
	t.Parallel()
	n, err := readNode("testdata/node/bigbluebutton.properties", "testdata/node/bbb-web.properties")
	if err != nil || n.host != "https://node1.bbb.example.org/bigbluebutton/api/" || n.secret != "fixture-Secret-6b1f0e9d4c" {
		t.Errorf("%+v, %v", n, err)
	}
	// Half of the files would make a node that is not ours.
	if _, err := readNode("testdata/node/bigbluebutton.properties", "testdata/node"); err == nil {
		t.Error("no error for a file that cannot be read")
	}
	if _, err := readNode("testdata/none", "testdata/nothing"); err == nil || !strings.Contains(err.Error(), "testdata/nothing") {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if got := release("testdata/node/bigbluebutton-release"); got != "3.0.19" {
		t.Errorf("release %q", got)
	}
	if got := release("testdata/none"); got != "" {
		t.Errorf("release %q", got)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
