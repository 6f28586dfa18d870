package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

const join = "/bbb/school/bigbluebutton/api/join?fullName=Ada+(x)&meetingID=a%20b&checksum=abc"

// write answers a request with page.
func write(method, accept string, status int, page Page) *http.Response {
	r := httptest.NewRequest(method, "/b3s/retry-join/x", nil)
	r.Header.Set("Accept-Language", accept)
	w := httptest.NewRecorder()
	New().Write(w, r, status, page)
	return w.Result()
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// hostile is what an attacker would like to see on our pages.
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(2)>`

var everyPage = map[string]Page{
	"waiting":            Waiting{Next: join, After: 5 * time.Second, Attempt: 3, Join: join},
	"waiting at first":   Waiting{Next: join},
	"waiting by hand":    Waiting{},
	"waiting, hostile":   Waiting{Next: "/" + strings.ReplaceAll(hostile, " ", "+"), After: time.Second, Join: "/?" + strings.ReplaceAll(hostile, " ", "+")},
	"waiting, script":    Waiting{Next: "javascript:alert(1)", Join: "javascript:alert(1)"},
	"gave up":            GaveUp{Join: join},
	"gave up, hostile":   GaveUp{Join: "/" + hostile},
	"not found":          NotFound{},
	"limit reached":      LimitReached{Join: join},
	"limit, no link":     LimitReached{},
	"limit, hostile":     LimitReached{Join: "/" + hostile},
	"too many":           TooManyRequests{Join: join},
	"too many, hostile":  TooManyRequests{Join: "//example.org" + hostile},
	"unavailable":        Unavailable{},
	"bad request":        BadRequest{},
	"recording over":     RecordingLinkOver{},
	"no recording":       NoRecording{},
	"recording away":     RecordingUnavailable{},
	"bad request, worse": BadRequest{Message: hostile},
}

func TestEveryPageInEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, lang := range languages() {
		for name, page := range everyPage {
			resp := write(http.MethodGet, lang.tag, http.StatusOK, page)
			body := bodyOf(t, resp)
			where := lang.tag + ", " + name

			if !strings.Contains(body, `<html lang="`+lang.tag+`">`) || resp.Header.Get("Content-Language") != lang.tag {
				t.Errorf("%s: wrong language", where)
			}
			if strings.Count(body, `role="status"`) != 1 || strings.Count(body, "<h1>") != 1 {
				t.Errorf("%s: want one status and one heading", where)
			}
			if strings.ContainsAny(strings.ReplaceAll(body, pageCSS, ""), "{}") {
				t.Errorf("%s: a placeholder is left:\n%s", where, body)
			}
			checkMarkup(t, where, body)
		}
	}
}

// checkMarkup reads the page as a browser would and accepts nothing that runs
// or loads.
func checkMarkup(t *testing.T, where, body string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(body))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s: not well-formed: %v", where, err)
			return
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch element.Name.Local {
		case "html", "head", "meta", "title", "style", "body", "main", "div", "h1", "p", "a":
		default:
			t.Errorf("%s: element <%s>", where, element.Name.Local)
		}
		for _, attr := range element.Attr {
			switch attr.Name.Local {
			case "lang", "charset", "name", "content", "class", "role", "aria-hidden":
			case "href":
				if !strings.HasPrefix(attr.Value, "/") || strings.HasPrefix(attr.Value, "//") {
					t.Errorf("%s: link to %s", where, attr.Value)
				}
			default:
				t.Errorf("%s: attribute %s=%q", where, attr.Name.Local, attr.Value)
			}
		}
	}
}

func TestMessageIsShownAsText(t *testing.T) {
	t.Parallel()
	body := bodyOf(t, write(http.MethodGet, "", http.StatusBadRequest, BadRequest{Message: "a <b> & c"}))
	if want := "a &lt;b&gt; &amp; c"; !strings.Contains(body, want) {
		t.Errorf("page does not contain %q:\n%s", want, body)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	resp := write(http.MethodGet, "de", http.StatusNotFound, NotFound{})
	if got, want := resp.StatusCode, http.StatusNotFound; got != want {
		t.Errorf("status %d, want %d", got, want)
	}
	body := bodyOf(t, resp)
	_, rest, _ := strings.Cut(body, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	for name, want := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"Content-Language":        "de",
		"Content-Length":          strconv.Itoa(len(body)),
		"Cache-Control":           "no-store",
		"Vary":                    "Accept-Language",
		"Referrer-Policy":         "no-referrer",
		"X-Content-Type-Options":  "nosniff",
		"X-Robots-Tag":            "noindex",
		"Refresh":                 "",
		"X-Frame-Options":         "",
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestHeadHasNoBody(t *testing.T) {
	t.Parallel()
	page := Waiting{Next: join, After: 3 * time.Second}
	get, head := write(http.MethodGet, "", 200, page), write(http.MethodHead, "", 200, page)
	if body := bodyOf(t, head); body != "" {
		t.Errorf("body %q", body)
	}
	for _, name := range []string{"Content-Length", "Content-Type", "Refresh"} {
		if got, want := head.Header.Get(name), get.Header.Get(name); got != want || want == "" {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestOnlyWaitingReloads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		page Page
		want string
	}{
		{Waiting{Next: join, After: 5 * time.Second}, "5; url=" + join},
		{Waiting{Next: join, After: 1500 * time.Millisecond}, "2; url=" + join},
		{Waiting{Next: join}, "1; url=" + join}, // never at once
		{Waiting{Next: "/näher"}, "1; url=/n%C3%A4her"},
		{Waiting{Next: "https://example.org/", Join: join}, ""},
		{Waiting{Next: "//example.org/"}, ""},
		{Waiting{Join: join}, ""},
		{GaveUp{Join: join}, ""},
		{NotFound{}, ""},
		{LimitReached{Join: join}, ""},
		{TooManyRequests{Join: join}, ""},
		{Unavailable{}, ""},
		{BadRequest{Message: join}, ""},
	} {
		resp := write(http.MethodGet, "", http.StatusOK, c.page)
		if got := resp.Header.Get("Refresh"); got != c.want {
			t.Errorf("%+v: refresh %q, want %q", c.page, got, c.want)
		}
		if strings.Contains(bodyOf(t, resp), "http-equiv") {
			t.Errorf("%+v: reloads by itself", c.page)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	escaped := strings.ReplaceAll(join, "&", "&amp;")
	escaped = strings.ReplaceAll(escaped, "+", "&#43;")
	for _, c := range []struct {
		page Page
		want string // empty: no link
	}{
		{Waiting{Next: "/wait", Join: join}, escaped},
		{Waiting{Next: join}, escaped},
		{Waiting{Next: "//example.org", Join: join}, ""},
		{Waiting{Next: "/wait", Join: "https://example.org"}, ""},
		{GaveUp{Join: join}, escaped},
		{GaveUp{Join: `/\example.org`}, ""},
		{GaveUp{}, ""},
		{LimitReached{Join: join}, escaped},
		{LimitReached{Join: "https://example.org"}, ""},
		{LimitReached{}, ""},
		{TooManyRequests{Join: join}, escaped},
		{TooManyRequests{Join: "//example.org"}, ""},
		{TooManyRequests{}, ""},
		{NotFound{}, ""},
	} {
		body := bodyOf(t, write(http.MethodGet, "", http.StatusOK, c.page))
		got := ""
		if _, rest, found := strings.Cut(body, `<a href="`); found {
			got, _, _ = strings.Cut(rest, `"`)
		}
		if got = strings.ReplaceAll(got, "+", "&#43;"); got != c.want {
			t.Errorf("%+v: link %q, want %q", c.page, got, c.want)
		}
	}
}

func TestWaitingTellsWhen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		page Waiting
		want string
	}{
		{Waiting{Next: join, After: 8 * time.Second, Attempt: 4}, "again by itself in 8 seconds."},
		{Waiting{Next: join, After: 8 * time.Second, Attempt: 4}, "Attempt 4"},
		{Waiting{Next: join, After: time.Second, Attempt: 1}, "again by itself in a moment."},
		{Waiting{}, "open your invitation link again in a minute."},
	} {
		if body := bodyOf(t, write(http.MethodGet, "en", 200, c.page)); !strings.Contains(body, c.want) {
			t.Errorf("%+v: no %q in\n%s", c.page, c.want, body)
		}
	}
}

func TestSitePath(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		join:                      join,
		"/":                       "/",
		"/a?b=%zz;c&d='\"":        "/a?b=%zz;c&d='\"",
		"/bbb@example.org":        "/bbb@example.org",
		"/straße":                 "/stra%C3%9Fe",
		"/\xff":                   "/%FF",
		"":                        "",
		"a":                       "",
		"//example.org":           "",
		"///example.org":          "",
		`/\example.org`:           "",
		`\\example.org`:           "",
		"/\t/example.org":         "",
		"/a\r\nSet-Cookie: x=y":   "",
		"/a b":                    "",
		"/a\x00":                  "",
		"https://example.org/":    "",
		"javascript:alert(1)":     "",
		" /a":                     "",
		"data:text/html,<script>": "",
	} {
		if got := sitePath(target); got != want {
			t.Errorf("%q: got %q, want %q", target, got, want)
		}
	}
}
