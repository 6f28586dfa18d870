package bbb_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"b3scale/bbb"
)

func listOf(p bbb.Params) []string {
	var all []string
	for name, value := range p.All() {
		all = append(all, name+"="+value)
	}
	return all
}

func TestParseParams(t *testing.T) {
	t.Parallel()
	cases := []struct {
		raw  string
		want []string
	}{
		{"", nil},
		{"&", nil},
		{"a", []string{"a="}},
		{"a=", []string{"a="}},
		{"=b", []string{"=b"}},
		{"a=b=c", []string{"a=b=c"}},
		{"b=2&a=1&b=3", []string{"b=2", "a=1", "b=3"}},
		{"a=1&&b=2&", []string{"a=1", "b=2"}},
		{"a=1;b=2", []string{"a=1;b=2"}},
		{"a=x+y%20z%2Bw", []string{"a=x y z+w"}},
		{"a+b=1&a%20b=2", []string{"a b=1", "a b=2"}},
		{"%61=%62", []string{"a=b"}},
		{"a=100%", []string{"a=100%"}},
		{"a=%4", []string{"a=%4"}},
		{"a=%4g%G4%%41", []string{"a=%4g%G4%A"}},
		{"a=%c3%A9", []string{"a=é"}},
		{"a=é", []string{"a=é"}},
		{"a=%ff", []string{"a=\xff"}},
		{"a=%26%3D%00", []string{"a=&=\x00"}},
	}
	for _, c := range cases {
		p := bbb.ParseParams(c.raw)
		if got := listOf(p); !slices.Equal(got, c.want) {
			t.Errorf("%q gives %q, want %q", c.raw, got, c.want)
		}
		if p.Len() != len(c.want) {
			t.Errorf("%q: Len = %d, want %d", c.raw, p.Len(), len(c.want))
		}
	}
}

func TestUnchangedParamsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	raws := []string{
		"", "a", "a=", "=", "b=2&a=1&b=3", "a=x+y&b=x%20y", "a=%c3%a9&b=%C3%A9", "a=1;b=2", "a=100%", "a=%zz", "a=%41bc",
		"a='()*!~-._", "a=/?:@,$", `a="<>[]{}|\^` + "`", "%61=1",
	}
	for _, raw := range raws {
		p := bbb.ParseParams(raw)
		if got := p.Encode(); got != raw {
			t.Errorf("%q comes out as %q", raw, got)
		}
		p.Add("z", "a b&c=é")
		want := strings.TrimPrefix(raw+"&z=a+b%26c%3D%C3%A9", "&")
		if got := p.Encode(); got != want {
			t.Errorf("with one more it is %q, want %q", got, want)
		}
	}
	p := bbb.ParseParams("&a=1&&b=2&")
	if got := p.Encode(); got != "a=1&b=2" {
		t.Errorf("empty parts come out as %q, want none", got)
	}
}

// A form may hold bytes that would break a request line or end a query.
func TestEncodeIsAlwaysAQuery(t *testing.T) {
	t.Parallel()
	cases := []struct{ raw, want string }{
		{"a=x y&b=x+y", "a=x+y&b=x+y"},
		{"a=1#b&c=%2f", "a=1%23b&c=%2f"},
		{"a=é&b=%c3%a9", "a=%C3%A9&b=%c3%a9"},
		{"a=1\r\nX: y", "a=1%0D%0AX%3A+y"},
		{"a=\x00\x7f\xff", "a=%00%7F%FF"},
		{"a b=1", "a+b=1"},
		{"a=1 HTTP/1.1", "a=1+HTTP%2F1.1"},
	}
	for _, c := range cases {
		p := bbb.ParseParams(c.raw)
		got := p.Encode()
		if got != c.want {
			t.Errorf("%q comes out as %q, want %q", c.raw, got, c.want)
		}
		req, err := http.NewRequest(http.MethodGet, "http://node.example.org/?"+got, nil)
		if err != nil {
			t.Errorf("%q: %v", got, err)
		} else if req.URL.RequestURI() != "/?"+got {
			t.Errorf("%q is sent as %q", got, req.URL.RequestURI())
		}
	}
}

func TestGetLookupCount(t *testing.T) {
	t.Parallel()
	p := bbb.ParseParams("a=1&a=2&b=&%63=3")
	if got := p.Get("a"); got != "1" {
		t.Errorf("Get(a) = %q, want the first", got)
	}
	if got, ok := p.Lookup("b"); got != "" || !ok {
		t.Errorf("Lookup(b) = %q, %t, want empty and true", got, ok)
	}
	if got, ok := p.Lookup("x"); got != "" || ok {
		t.Errorf("Lookup(x) = %q, %t, want empty and false", got, ok)
	}
	if p.Count("a") != 2 || p.Count("c") != 1 || p.Count("A") != 0 {
		t.Errorf("counts are %d %d %d, want 2 1 0", p.Count("a"), p.Count("c"), p.Count("A"))
	}
	var none bbb.Params
	if none.Get("a") != "" || none.Len() != 0 || none.Encode() != "" {
		t.Error("the zero Params are not empty")
	}
}

func TestChangeParams(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, raw string
		change    func(p *bbb.Params)
		want      string
	}{
		{"set in place", "a=%41&b=%42&c=%43", func(p *bbb.Params) { p.Set("b", "x y") }, "a=%41&b=x+y&c=%43"},
		{"set to the same", "a=%41&b=%42", func(p *bbb.Params) { p.Set("a", "A") }, "a=%41&b=%42"},
		{"set a new one", "a=%41", func(p *bbb.Params) { p.Set("b", "") }, "a=%41&b="},
		{"set the only one", "", func(p *bbb.Params) { p.Set("b", "1") }, "b=1"},
		{"set duplicates", "a=1&b=%42&a=2&c=3&a=4", func(p *bbb.Params) { p.Set("a", "9") }, "a=9&b=%42&c=3"},
		{"set duplicates to the first", "a=%31&b=2&a=3", func(p *bbb.Params) { p.Set("a", "1") }, "a=%31&b=2"},
		{"set duplicates to the second", "a=%31&b=2&a=%33", func(p *bbb.Params) { p.Set("a", "3") }, "a=3&b=2"},
		{"set an escaped name", "%61=1", func(p *bbb.Params) { p.Set("a", "2") }, "a=2"},
		{"set to empty", "a=1", func(p *bbb.Params) { p.Set("a", "") }, "a="},
		{"set twice", "a=1&b=2", func(p *bbb.Params) { p.Set("a", "x"); p.Set("a", "1") }, "a=1&b=2"},
		{"name with reserved characters", "", func(p *bbb.Params) { p.Set("a&b=c", "d") }, "a%26b%3Dc=d"},
		{"delete", "a=%41&b=1&a=2&c=%43", func(p *bbb.Params) { p.Delete("a") }, "b=1&c=%43"},
		{"delete what is not there", "a=%41", func(p *bbb.Params) { p.Delete("b") }, "a=%41"},
		{"delete all", "a=1&a=2", func(p *bbb.Params) { p.Delete("a") }, ""},
		{"delete and add", "a=%41&b=2", func(p *bbb.Params) { p.Delete("a"); p.Add("a", "A") }, "b=2&a=A"},
		{"add a duplicate", "a=1", func(p *bbb.Params) { p.Add("a", "2") }, "a=1&a=2"},
		{"append", "a=%41", func(p *bbb.Params) { p.Append(bbb.ParseParams("a=%42;&c")) }, "a=%41&a=%42;&c"},
		{"append nothing", "a=%41", func(p *bbb.Params) { p.Append(bbb.Params{}) }, "a=%41"},
	}
	for _, c := range cases {
		p := bbb.ParseParams(c.raw)
		c.change(&p)
		if got := p.Encode(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		again := bbb.ParseParams(p.Encode())
		if got, want := listOf(again), listOf(p); !slices.Equal(got, want) {
			t.Errorf("%s: reads back as %q, want %q", c.name, got, want)
		}
	}
}

func TestCloneIsIndependent(t *testing.T) {
	t.Parallel()
	p := bbb.ParseParams("a=1&b=2&c=3")
	clone := p.Clone()
	clone.Set("a", "9")
	clone.Delete("b")
	clone.Add("d", "4")
	p.Add("e", "5")
	if got := p.Encode(); got != "a=1&b=2&c=3&e=5" {
		t.Errorf("the original became %q", got)
	}
	if got := clone.Encode(); got != "a=9&c=3&d=4" {
		t.Errorf("the clone is %q", got)
	}
}

func TestAllStops(t *testing.T) {
	t.Parallel()
	p := bbb.ParseParams("a=1&b=2")
	n := 0
	for range p.All() {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d steps, want 1", n)
	}
}
