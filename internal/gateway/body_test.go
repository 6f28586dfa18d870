package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"b3scale/bbb"
	"b3scale/internal/gateway"
)

const (
	formType = "application/x-www-form-urlencoded"
	xmlType  = "application/xml"
)

const slides = `<?xml version="1.0" encoding="UTF-8"?>
<modules>	<!-- bytes that a rewrite would change -->
  <module name='presentation'>
    <document url="https://files.example.org/a.pdf?x=1&amp;y=2" filename="ä.pdf"  current="true"/>
    <document name="b.txt">PGh0bWw+</document>
  </module>
  <module name="clientSettingsOverride"><![CDATA[{"public":{"a":"<b>&c"}}]]></module>
</modules>
`

// BBB's checksum never covers XML, so it is the query that is signed, and the
// bytes of the body are nobody's to change.
func TestXMLBodiesReachTheNodeUnchanged(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("there")
	for _, c := range []struct{ name, call, query, contentType, body string }{
		{"create", "create", "name=Room&meetingID=one", xmlType, slides},
		{"text/xml", "create", "name=Room&meetingID=two", "text/xml", slides},
		{"with charset", "create", "name=Room&meetingID=three", "text/xml; charset=utf-8", slides},
		{"labelled as a form", "create", "name=Room&meetingID=four", formType, slides},
		{"not labelled", "create", "name=Room&meetingID=five", "", slides},
		{"blanks around", "create", "name=Room&meetingID=six", xmlType, "\r\n  <modules/>\n"},
		{"insertDocument", "insertDocument", "meetingID=there", xmlType, slides},
	} {
		got := h.post(signed(c.call, c.query), c.contentType, c.body)
		if outcome := got.outcome(t); outcome != bbb.Success {
			t.Errorf("%s: got %v", c.name, got)
		}
		sent := h.only()
		if string(sent.Body) != c.body || sent.Method != http.MethodPost || sent.ContentType != xmlType {
			t.Errorf("%s: the node got a %s of %s with %q", c.name, sent.Method, sent.ContentType, sent.Body)
		}
		if id := sent.Params.Get("meetingID"); !strings.HasPrefix(id, nodeID("")[:8]) {
			t.Errorf("%s: meetingID at the node is %q", c.name, id)
		}
		h.forget()
	}
	if room, _ := h.nodes[0].Room(nodeID("one")); room.Documents != 2 {
		t.Errorf("the room got %d documents, want 2", room.Documents)
	}
}

func TestMultipartForms(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, f := range [][2]string{{"name", "Grüße & mehr"}, {"meetingID", "room"}, {"welcome", "a=b;c\nd"}, {"checksum", bbb.Sign("create", "", secretOne)}} {
		_ = w.WriteField(f[0], f[1])
	}
	file, _ := w.CreateFormFile("file", "slides.pdf")
	_, _ = file.Write([]byte("%PDF"))
	_ = w.Close()
	if got := h.post(apiURL(keyOne, "create"), w.FormDataContentType(), body.String()); got.outcome(t) != bbb.Success {
		t.Fatalf("got %v", got)
	}
	sent := h.only().Params
	for name, want := range map[string]string{"name": "Grüße & mehr", "meetingID": nodeID("room"), "welcome": "a=b;c\nd", "file": "", "checksum": ""} {
		if got := sent.Get(name); got != want {
			t.Errorf("%s at the node is %q, want %q", name, got, want)
		}
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{gateway: gateway.Options{MaxBody: 1 << 10, MaxPresentation: 4 << 10}})
	h.create("there")
	create := signed("create", "name=Room&meetingID=new")
	large := func(n int) string { return "<modules>" + strings.Repeat("x", n) + "</modules>" }
	for _, c := range []struct {
		name, target, contentType, body string
		status                          int
		want                            string
	}{
		{"no XML where none belongs", signed("end", "meetingID=there"), xmlType, slides, 200, "unsupportedContentType"},
		{"form to insertDocument as XML", signed("insertDocument", "meetingID=there"), xmlType, "a=b", 200, "unsupportedContentType"},
		{"JSON", create, "application/json", "{}", 200, "unsupportedContentType"},
		{"text", create, "text/plain", "a=b", 200, "unsupportedContentType"},
		{"no content type", create, "", "a=b", 200, "unsupportedContentType"},
		{"odd content type", create, ";;;", "a=b", 200, "unsupportedContentType"},
		{"multipart without a boundary", create, "multipart/form-data", "a=b", 200, "validationError"},
		{"multipart cut off", create, "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb", 200, "validationError"},

		{"broken XML", create, xmlType, "<modules><module>", 200, "validationError"},
		{"two documents", create, xmlType, "<modules/><modules/>", 200, "validationError"},
		{"document type", create, xmlType, `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><modules>&e;</modules>`, 200, "validationError"},
		{"deep", create, xmlType, strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100), 200, "validationError"},

		{"XML too large", create, xmlType, large(4 << 10), 413, "sizeError"},
		{"XML too large, unsigned", apiURL(keyOne, "create"), xmlType, large(1 << 10), 413, "sizeError"},
		{"XML too large for the call", signed("end", "meetingID=there"), xmlType, large(1 << 10), 413, "sizeError"},
		{"form too large", signed("end", "meetingID=there"), formType, "a=" + strings.Repeat("x", 1<<10), 413, "sizeError"},
		{"form too large where XML may be larger", create, formType, "a=" + strings.Repeat("x", 1<<10), 413, "sizeError"},
		{"multipart too large where XML may be larger", create, "multipart/form-data; boundary=x", "--x" + strings.Repeat("x", 1<<10), 413, "sizeError"},
		{"form too large, unsigned", apiURL(keyOne, "create"), formType, "a=" + strings.Repeat("x", 1<<10), 413, "sizeError"},
	} {
		got := h.post(c.target, c.contentType, c.body)
		if got.status != c.status || got.outcome(t) != c.want {
			t.Errorf("%s: got %v, want %d %s", c.name, got, c.status, c.want)
		}
		h.untouched(c.name)
	}
	if got := h.post(create, xmlType, large(3<<10)); got.outcome(t) != bbb.Success {
		t.Errorf("XML below its limit: got %v", got)
	}
}

// endless is a body that counts what is read of it.
type endless struct{ left, read int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range n {
		p[i] = 'a'
	}
	e.left -= int64(n)
	e.read += int64(n)
	return n, nil
}

// A huge body costs a little more than the limit, or nothing at all when its
// sender is not known.
func TestHugeBodiesAreNotRead(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{gateway: gateway.Options{MaxPresentation: 2 << 20}})
	const huge = 100 << 20
	for _, c := range []struct {
		name, target string
		most         int64
		status       int
	}{
		{"form", apiURL(keyOne, "create"), 1 << 20, 413},
		{"form beside a query", signed("end", "meetingID=room"), 1 << 20, 413},
		{"where XML may come", signed("create", "meetingID=room&name=Room"), 2 << 20, 413},
		{"unknown frontend", apiURL("nobody", "create"), 1 << 20, 413},
		{"wrong checksum", apiURL(keyOne, "create") + "?checksum=00", 0, 200},
		{"unknown frontend beside a query", apiURL("nobody", "create") + "?checksum=00", 0, 200},
		{"index", apiURL(keyOne, ""), 0, 200},
		{"wrong method", "", 0, 405},
	} {
		body := &endless{left: huge}
		r := request{method: http.MethodPost, target: c.target, header: http.Header{"Content-Type": {formType}}, body: body, length: huge}
		if c.status == http.StatusMethodNotAllowed {
			r.method, r.target = http.MethodPut, signed("create", "meetingID=room")
		}
		got := h.do(r)
		if got.status != c.status {
			t.Errorf("%s: got %v, want %d", c.name, got, c.status)
		}
		if body.read > c.most+64<<10 {
			t.Errorf("%s: %d bytes were read, want not more than %d", c.name, body.read, c.most)
		}
		h.untouched(c.name)
	}
}

// brokenBody fails after its text, as a connection does that is cut.
type brokenBody struct{ io.Reader }

func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	for _, r := range []request{
		{target: signed("create", "name=Room&meetingID=room"), header: http.Header{"Content-Type": {xmlType}}, body: brokenBody{strings.NewReader("<modules/>")}},
		{target: apiURL(keyOne, "create"), header: http.Header{"Content-Type": {formType}}, body: brokenBody{strings.NewReader(bbb.SignedQuery("create", "", secretOne) + "&name=Room&meetingID=room")}},
	} {
		r.method = http.MethodPost
		if got := h.do(r); got.status != http.StatusBadRequest || got.outcome(t) != "validationError" {
			t.Errorf("%s: got %v, want 400", r.target, got)
		}
		h.untouched(r.target)
	}
}

// The same over a real connection: half a body, and one that never ends.
func TestBodiesOverTheWire(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	server := httptest.NewServer(h.handler)
	t.Cleanup(server.Close)

	half := dial(t, server)
	send(t, half, "POST "+signed("create", "name=Room&meetingID=room")+" HTTP/1.1\r\nHost: b3scale.test\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<modules>")
	_ = half.(*net.TCPConn).CloseWrite()
	if got := readAll(t, half); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("half a body: got %q, want 400", got)
	}

	flood := dial(t, server)
	send(t, flood, "POST "+apiURL(keyOne, "create")+" HTTP/1.1\r\nHost: b3scale.test\r\nContent-Type: "+formType+"\r\nContent-Length: "+strconv.Itoa(100<<20)+"\r\n\r\n")
	sent := 0
	for chunk := make([]byte, 64<<10); sent < 100<<20; sent += len(chunk) {
		if _, err := flood.Write(chunk); err != nil {
			break
		}
	}
	if sent > 50<<20 { // what the sockets hold comes on top of the limit
		t.Errorf("%d bytes went out before the door closed", sent)
	}
	h.untouched("bodies over the wire")
}

func dial(t *testing.T, server *httptest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
