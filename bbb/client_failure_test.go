package bbb_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"b3scale/bbb"
)

// params of the calls below; none of it may be in an error.
const private = "meetingID=private-room&password=private-word"

// do makes a call that must fail, and looks at the outcome, the causes and the text.
func do(ctx context.Context, t *testing.T, opts bbb.ClientOptions, node bbb.Node, want bbb.Outcome, causes ...error) {
	t.Helper()
	call := bbb.Call{Name: "end", Params: bbb.ParseParams(private)}
	_, err := newClient(t, opts).Do(ctx, node, call)
	if err == nil {
		t.Fatalf("it succeeded, want %q", want)
	}
	if got := bbb.OutcomeOf(err); got != want {
		t.Errorf("outcome %q, want %q: %v", got, want, err)
	}
	if got := bbb.OutcomeOf(fmt.Errorf("wrapped: %w", err)); got != want {
		t.Errorf("wrapped, the outcome is %q, want %q", got, want)
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%q", err)} {
		for _, bad := range []string{secret, bbb.Sign("end", private, secret), "checksum", "private"} {
			if strings.Contains(text, bad) {
				t.Errorf("%q is in the error: %s", bad, text)
			}
		}
	}
	if !strings.HasPrefix(err.Error(), "end: "+want.String()+": ") {
		t.Errorf("the error does not say what failed: %v", err)
	}
	for _, cause := range causes {
		if !errors.Is(err, cause) {
			t.Errorf("%v does not wrap %v", err, cause)
		}
	}
}

// listen starts a server below HTTP. handle gets every connection and may
// leave it open.
func listen(t *testing.T, handle func(net.Conn)) bbb.Node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			handle(conn)
		}
	}()
	return bbb.Node{BaseURL: "http://" + l.Addr().String() + path, Secret: secret}
}

// raw answers each request with the given bytes and closes the connection.
func raw(t *testing.T, response string) bbb.Node {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(conn))
		_, _ = io.WriteString(conn, response)
		_ = conn.Close()
	})
}

func short(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestRefusedMeansThatNothingWasSent(t *testing.T) {
	t.Parallel()
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		node := bbb.Node{BaseURL: "http://" + l.Addr().String() + path, Secret: secret}
		do(t.Context(), t, bbb.ClientOptions{}, node, bbb.Refused)
	})
	t.Run("connecting takes too long", func(t *testing.T) {
		t.Parallel()
		node := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
		do(t.Context(), t, bbb.ClientOptions{DialTimeout: 1}, node, bbb.Refused)
	})
	t.Run("the deadline has passed", func(t *testing.T) {
		t.Parallel()
		node := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		do(ctx, t, bbb.ClientOptions{}, node, bbb.Refused, context.Canceled)
	})
	t.Run("unknown authority", func(t *testing.T) {
		t.Parallel()
		node, _ := serveTLS(t)
		do(t.Context(), t, bbb.ClientOptions{RootCAs: x509.NewCertPool()}, node, bbb.Refused)
	})
	t.Run("certificate of somebody else", func(t *testing.T) {
		t.Parallel()
		node, pool := serveTLS(t)
		node.BaseURL = strings.Replace(node.BaseURL, "127.0.0.1", "localhost", 1)
		do(t.Context(), t, bbb.ClientOptions{RootCAs: pool}, node, bbb.Refused)
	})
	t.Run("no TLS there", func(t *testing.T) {
		t.Parallel()
		node := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
		node.BaseURL = strings.Replace(node.BaseURL, "http:", "https:", 1)
		do(t.Context(), t, bbb.ClientOptions{}, node, bbb.Refused)
	})
	t.Run("TLS handshake takes too long", func(t *testing.T) {
		t.Parallel()
		node := listen(t, func(net.Conn) {})
		node.BaseURL = strings.Replace(node.BaseURL, "http:", "https:", 1)
		begin := time.Now()
		do(t.Context(), t, bbb.ClientOptions{DialTimeout: 50 * time.Millisecond}, node, bbb.Refused)
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("the address is none", func(t *testing.T) {
		t.Parallel()
		for _, base := range []string{"", "/", "https://", "bbb1.example.org/", "ftp://127.0.0.1/", "http://127.0.0.1:port/", "http://a b/", "http://%zz/", "\x7f"} {
			do(t.Context(), t, bbb.ClientOptions{}, bbb.Node{BaseURL: base, Secret: secret}, bbb.Refused)
		}
	})
}

func serveTLS(t *testing.T) (bbb.Node, *x509.CertPool) {
	t.Helper()
	srv := httptest.NewUnstartedServer(answer(bbb.RunningAnswer(true)))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains about clients that hang up
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return bbb.Node{BaseURL: srv.URL + path, Secret: secret}, pool
}

func TestTLSWithTheRightAuthority(t *testing.T) {
	t.Parallel()
	node, pool := serveTLS(t)
	got, err := newClient(t, bbb.ClientOptions{RootCAs: pool}).Do(t.Context(), node, bbb.Call{Name: "isMeetingRunning"})
	if err != nil || !got.Succeeded() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestUnknownMeansThatItMayHaveHappened(t *testing.T) {
	t.Parallel()
	t.Run("closed without a word", func(t *testing.T) {
		t.Parallel()
		do(t.Context(), t, bbb.ClientOptions{}, raw(t, ""), bbb.Unknown)
	})
	t.Run("no answer in time", func(t *testing.T) {
		t.Parallel()
		node := listen(t, func(net.Conn) {})
		do(short(t), t, bbb.ClientOptions{}, node, bbb.Unknown, context.DeadlineExceeded)
	})
	t.Run("body cut short", func(t *testing.T) {
		t.Parallel()
		node := raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<response>\n<returncode>SUCCESS</returncode>\n</response>")
		do(t.Context(), t, bbb.ClientOptions{}, node, bbb.Unknown)
	})
	t.Run("chunks cut short", func(t *testing.T) {
		t.Parallel()
		node := raw(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n<response>\r\n")
		do(t.Context(), t, bbb.ClientOptions{}, node, bbb.Unknown)
	})
	t.Run("headers cut short", func(t *testing.T) {
		t.Parallel()
		do(t.Context(), t, bbb.ClientOptions{}, raw(t, "HTTP/1.1 200 OK\r\nContent-"), bbb.Unknown)
	})
	t.Run("not HTTP", func(t *testing.T) {
		t.Parallel()
		do(t.Context(), t, bbb.ClientOptions{}, raw(t, "220 mail.example.org ESMTP\r\n"), bbb.Unknown)
	})
	t.Run("headers that echo the query", func(t *testing.T) {
		t.Parallel()
		for _, broken := range []string{"HTTP/1.1 %s\r\n\r\n", "%s\r\n\r\n", "HTTP/1.1 200 OK\r\nLocation: \x7f%s\r\n\r\n", "HTTP/1.1 200 OK\r\n%s\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n"} {
			node := listen(t, func(conn net.Conn) {
				if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = fmt.Fprintf(conn, broken, r.URL.RawQuery)
				}
				_ = conn.Close()
			})
			do(t.Context(), t, bbb.ClientOptions{}, node, bbb.Unknown)
		}
	})
	t.Run("byte by byte", func(t *testing.T) {
		t.Parallel()
		node := serve(t, func(w http.ResponseWriter, r *http.Request) {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-r.Context().Done():
					return
				case <-tick.C:
					_, _ = io.WriteString(w, " ")
					_ = http.NewResponseController(w).Flush()
				}
			}
		})
		do(short(t), t, bbb.ClientOptions{}, node, bbb.Unknown, context.DeadlineExceeded)
	})
}

// A kept connection that the node has closed meanwhile is no proof of
// anything; the second attempt of net/http must not make one of it.
func TestSecondAttemptStaysUnknown(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_ = l.Close() // nobody else gets in
		defer func() { _ = conn.Close() }()
		in := bufio.NewReader(conn)
		body := bbb.RunningAnswer(true)
		_, _ = http.ReadRequest(in)
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		_, _ = http.ReadRequest(in) // read, perhaps executed, never answered
	}()
	node := bbb.Node{BaseURL: "http://" + l.Addr().String() + path, Secret: secret}
	client := newClient(t, bbb.ClientOptions{})
	if _, err := client.Do(t.Context(), node, bbb.Call{Name: "isMeetingRunning"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(t.Context(), node, bbb.Call{Name: "create"}); bbb.OutcomeOf(err) != bbb.Unknown {
		t.Errorf("%v, want that the outcome is unknown", err)
	}
}

func TestServerErrors(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 204, 400, 403, 404, 429, 500, 502, 503, 504} {
		node := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			if status != http.StatusNoContent {
				_, _ = io.WriteString(w, "<html>"+r.URL.RawQuery)
			}
		})
		do(t.Context(), t, bbb.ClientOptions{}, node, bbb.ServerError)
		_, err := newClient(t, bbb.ClientOptions{}).Do(t.Context(), node, bbb.Call{Name: "end"})
		if want := fmt.Sprintf("end: server error: HTTP status %d", status); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Web servers redirect to https with the query; if that is broken net/http
// would complain with the whole address.
func TestBrokenRedirectIsAServerError(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"http://[broken/?", "://?", "http://a b/?", "/%zz?"} {
		node := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", location+r.URL.RawQuery)
			w.WriteHeader(http.StatusFound)
		})
		do(t.Context(), t, bbb.ClientOptions{}, node, bbb.ServerError)
	}
}

func TestMalformedAnswers(t *testing.T) {
	t.Parallel()
	whole := string(readFile(t, "responses/getMeetings.success.3.0.xml"))
	cases := []struct{ name, body string }{
		{"nothing", ""},
		{"HTML", "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head><body><p>soon</body></html>"},
		{"well-formed HTML", "<html><body>soon</body></html>"},
		{"text", "OK"},
		{"JSON", `{"response": {"returncode": "SUCCESS", "version": "2.0"}}`},
		{"half an answer", whole[:len(whole)/2]},
		{"all but the last byte", whole[:len(whole)-1]},
		{"two answers", whole + whole},
		{"answer without a return code", "<response><running>true</running></response>"},
		{"return code further down", "<response><a><returncode>SUCCESS</returncode></a></response>"},
		{"other root", "<answer><returncode>SUCCESS</returncode></answer>"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			do(t.Context(), t, bbb.ClientOptions{}, serve(t, answer([]byte(c.body))), bbb.Malformed)
		})
	}
}

// A broken answer may repeat what was asked, at any place: parsers like to
// quote what they stumble over.
func TestMalformedAnswersThatEchoTheQuery(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{
		"%s", "<%s>", "<response %s>", "<response><%[1]s></%[1]s>", "<response>&%s;</response>", "<response a=%s></response>",
		"<response></%s>", "<!%s><response/>", "<?xml %s?><response>", "<response><![CDATA[%s", `<?xml version="1.0" encoding="%s"?><response/>`,
	} {
		node := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, broken, r.URL.RawQuery)
		})
		do(t.Context(), t, bbb.ClientOptions{}, node, bbb.Malformed)
	}
}

func TestAnswersThatAreTooLarge(t *testing.T) {
	t.Parallel()
	body := bbb.RunningAnswer(true)
	chunked := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush() // now it cannot know the length
		answer(body)(w, r)
	}
	for name, handler := range map[string]http.HandlerFunc{"announced": answer(body), "chunked": chunked} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := serve(t, handler)
			size := int64(len(body))
			do(t.Context(), t, bbb.ClientOptions{MaxAnswer: size - 1}, node, bbb.Malformed)
			if _, err := newClient(t, bbb.ClientOptions{MaxAnswer: size}).Do(t.Context(), node, bbb.Call{Name: "end"}); err != nil {
				t.Errorf("exactly the limit: %v", err)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for o, want := range map[bbb.Outcome]string{
		bbb.Refused: "refused", bbb.Unknown: "unknown", bbb.ServerError: "server error", bbb.Malformed: "malformed answer", 0: "", 99: "",
	} {
		if got := o.String(); got != want {
			t.Errorf("%d is %q, want %q", int(o), got, want)
		}
	}
	for _, err := range []error{nil, io.EOF, bbb.ErrNotFound} {
		if got := bbb.OutcomeOf(err); got != 0 {
			t.Errorf("%v has the outcome %q, want none", err, got)
		}
	}
	cause := errors.New("cause")
	err := &bbb.CallError{Call: "end", Outcome: bbb.Unknown, Err: cause}
	if !errors.Is(err, cause) {
		t.Error("the cause is not wrapped")
	}
}

// The line between refused and unknown is the end of the request's header.
func TestHeaderDecides(t *testing.T) {
	t.Parallel()
	for wrote, want := range map[bool]bbb.Outcome{false: bbb.Refused, true: bbb.Unknown} {
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			if wrote {
				httptrace.ContextClientTrace(r.Context()).WroteHeaders()
			}
			return nil, io.ErrUnexpectedEOF
		})
		do(t.Context(), t, bbb.ClientOptions{Transport: transport}, bbb.Node{BaseURL: "http://node.example.org/"}, want, io.ErrUnexpectedEOF)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
