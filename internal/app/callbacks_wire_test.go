package app_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/logtest"
)

// callbackFixture is one entry of testdata/callbacks.json.
type callbackFixture struct {
	Method       string            `json:"method"`
	MetaParam    string            `json:"metaParam"`
	URL          string            `json:"url"`
	ContentType  string            `json:"contentType"`
	JWTPayload   map[string]string `json:"jwtPayload"`
	Secret       string            `json:"secret"`
	Body         json.RawMessage   `json:"body"`
	Headers      map[string]string `json:"headers"`
	CallbackURL  string            `json:"callbackURL"`
	RetryPauses  []int             `json:"retryAfterSeconds"`
	Retries      int               `json:"retries"`
	JWTHeader    map[string]string `json:"jwtHeader"`
	ChecksumSha1 string            `json:"checksumSha1"`
	Note         string            `json:"note"`
}

// fixtureID is the meeting that the fixtures are about.
const fixtureID = "phys-101-spring"

// wire is a site that plays the fixtures: the node has their secret, and what
// stands for the frontend's server in them is ours.
type wire struct {
	*callbackSite
	node *bbbtest.Node
}

func newWire(t *testing.T) *wire {
	fixture := fixtures(t)["recordingReady"]
	n := bbbtest.New(bbbtest.Options{Secret: fixture.Secret, CallbackPauses: []time.Duration{time.Millisecond}})
	t.Cleanup(n.Close)
	logtest.Node(t, n)
	return &wire{newCallbackSite(t, []*bbbtest.Node{n}), n}
}

func fixtures(t *testing.T) map[string]callbackFixture {
	t.Helper()
	text, err := os.ReadFile("testdata/callbacks.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]callbackFixture{}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// here moves an address of the fixtures to our server.
func (w *wire) here(address string) string {
	w.Helper()
	path, ok := strings.CutPrefix(address, "https://lms.example.org")
	if !ok {
		w.Fatalf("%q is elsewhere", address)
	}
	return w.lms.URL + path
}

func pathOf(address string) string {
	path, _, _ := strings.Cut(strings.TrimPrefix(address, "https://lms.example.org"), "?")
	return path
}

var fixtureTests = map[string]func(w *wire, f callbackFixture){
	"endCallback": func(w *wire, f callbackFixture) {
		name, address, _ := strings.Cut(f.MetaParam, "=")
		room := w.creates(w.node, fixtureID, name, w.here(address))
		w.ticket(room.Metadata.Get("endcallbackurl"))
		w.node.EndNow(room.ExternalID)
		got := w.arrives(pathOf(f.URL), 1)[0]
		if got.method != f.Method || w.lms.URL+got.url != w.here(f.URL) || got.header.Get("Idempotency-Key") == "" {
			w.Errorf("got %+v, want %s %s", got, f.Method, f.URL)
		}
	},
	"meetingEndedURL": func(w *wire, f callbackFixture) {
		room := w.creates(w.node, fixtureID, "meetingEndedURL", w.here(f.URL))
		w.ticket(room.MeetingEndedURL)
		w.node.EndNow(room.ExternalID)
		if got := w.arrives(pathOf(f.URL), 1)[0]; got.method != f.Method || w.lms.URL+got.url != w.here(f.URL) {
			w.Errorf("got %+v, want %s %s", got, f.Method, f.URL)
		}
	},
	"recordingReady": func(w *wire, f callbackFixture) {
		room := w.creates(w.node, fixtureID, "meta_bbb-recording-ready-url", w.here(f.URL))
		address := room.Metadata.Get("bbb-recording-ready-url")
		payload := jwt.MapClaims{}
		for name, value := range f.JWTPayload {
			payload[name] = value
		}
		payload["meeting_id"] = room.ExternalID
		form := url.Values{"signed_parameters": {signedBy(f.Secret, jwt.SigningMethodHS256, payload)}}.Encode()
		for range 2 { // one for each format
			if status, body := w.knock(f.Method, address, form, "Content-Type", f.ContentType); status != http.StatusOK || body != "" {
				w.Fatalf("answered %d %s", status, body)
			}
		}
		for _, got := range w.arrives(pathOf(f.URL), 2) {
			form, err := url.ParseQuery(got.body)
			if err != nil || got.method != f.Method || got.header.Get("Content-Type") != f.ContentType {
				w.Errorf("got %+v", got)
			}
			claims := claimsOf(w, form.Get("signed_parameters"), f.JWTHeader["alg"])
			if len(claims) != len(f.JWTPayload) {
				w.Errorf("claims %v, want %v", claims, f.JWTPayload)
			}
			for name, want := range f.JWTPayload {
				if claims[name] != want {
					w.Errorf("claims %v, want %v", claims, f.JWTPayload)
				}
			}
		}
		// What the fixture's node says of its own meeting is not about one of ours.
		var own string
		if err := json.Unmarshal(f.Body, &own); err != nil {
			w.Fatal(err)
		}
		if status, _ := w.knock(f.Method, address, own, "Content-Type", f.ContentType); status != http.StatusBadRequest {
			w.Errorf("an id that is not ours: %d, want 400", status)
		}
	},
	"analytics": func(w *wire, f callbackFixture) {
		room := w.creates(w.node, fixtureID, "meta_analytics-callback-url", w.here(f.URL))
		address := room.Metadata.Get("analytics-callback-url")
		body := strings.NewReplacer(fixtureID, room.ExternalID, f.URL, address).Replace(string(f.Body))
		headers := []string{"Content-Type", f.ContentType, "User-Agent", f.Headers["User-Agent"], "Authorization"}
		token := signedBy(f.Secret, jwt.SigningMethodHS512, jwt.MapClaims{"exp": time.Now().Add(24 * time.Hour).Unix()})
		if status, text := w.knock(f.Method, address, body, append(slices.Clone(headers), "Bearer "+token)...); status != http.StatusOK {
			w.Fatalf("answered %d %s", status, text)
		}
		got := w.arrives(pathOf(f.URL), 1)[0]
		if got.method != f.Method || got.header.Get("Content-Type") != f.ContentType || got.header.Get("User-Agent") != f.Headers["User-Agent"] {
			w.Errorf("got %+v", got)
		}
		bearer, _ := strings.CutPrefix(got.header.Get("Authorization"), "Bearer ")
		if exp, err := claimsOf(w, bearer, "HS512").GetExpirationTime(); err != nil || exp == nil {
			w.Errorf("expires %v, %v", exp, err)
		}
		var is, want any
		if err := json.Unmarshal([]byte(got.body), &is); err != nil {
			w.Fatal(err)
		}
		if err := json.Unmarshal([]byte(strings.ReplaceAll(string(f.Body), f.URL, w.here(f.URL))), &want); err != nil {
			w.Fatal(err)
		}
		if !reflect.DeepEqual(is, want) {
			w.Errorf("got %s, want %s", got.body, f.Body)
		}
		// The fixture's own token has expired.
		if status, _ := w.knock(f.Method, address, body, append(headers, f.Headers["Authorization"])...); status != http.StatusForbidden {
			w.Errorf("an expired token: %d, want 403", status)
		}
	},
	// Nodes that send every event to whoever registered: nobody can register
	// through us, and our addresses take no such thing.
	"webhook": func(w *wire, f callbackFixture) {
		if _, body := w.call("hooks/create", "callbackURL="+url.QueryEscape(w.here(f.CallbackURL))); !strings.Contains(body, "unsupportedRequest") && !strings.Contains(body, "checksumError") {
			w.Errorf("hooks/create: %s", body)
		}
		room := w.creates(w.node, fixtureID, "meta_bbb-recording-ready-url", w.here(f.CallbackURL))
		var body string
		if err := json.Unmarshal(f.Body, &body); err != nil {
			w.Fatal(err)
		}
		if status, text := w.knock(f.Method, room.Metadata.Get("bbb-recording-ready-url"), body, "Content-Type", f.ContentType); status != http.StatusBadRequest {
			w.Errorf("answered %d %s, want 400", status, text)
		}
		if got := w.lms.messages(""); len(got) != 0 {
			w.Errorf("passed on: %v", got)
		}
	},
}

func TestCallbackFixtures(t *testing.T) {
	t.Parallel()
	all := fixtures(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		test := fixtureTests[name]
		if test == nil {
			t.Errorf("no test plays %s", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newWire(t), all[name])
		})
	}
}

func signedBy(secret string, method jwt.SigningMethod, claims jwt.MapClaims) string {
	token, err := jwt.NewWithClaims(method, claims).SignedString([]byte(secret))
	if err != nil {
		panic(err)
	}
	return token
}

// claimsOf are those of a token that is signed with the frontend's secret.
func claimsOf(t testing.TB, token, alg string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return []byte(frontendSecret), nil }, jwt.WithValidMethods([]string{alg})); err != nil {
		t.Errorf("%q: %v", token, err)
	}
	return claims
}

// All that a node tells of a meeting by itself, with an agent or without, and
// the place is free before the next list.
func TestNodesTellOfWholeMeetings(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{CallbackPauses: []time.Duration{time.Millisecond}, RecordingFormats: []string{"presentation", "video"}})
	s := newCallbackSite(t, []*bbbtest.Node{n})
	room := s.creates(n, "class", "record", "true", "autoStartRecording", "true", "meta_endCallbackUrl", s.lms.URL+"/end",
		"META_BBB-Recording-Ready-URL", s.lms.URL+"/nothing", "meta_bbb-recording-ready-url", s.lms.URL+"/ready",
		"meta_analytics-callback-url", s.lms.URL+"/figures", "meetingEndedURL", s.lms.URL+"/ended")
	if !n.EndNow(room.ExternalID) {
		t.Fatal("no room")
	}
	eventually(t, "the place is free", func() bool {
		return s.Cluster().Room(b3scale.MeetingKey{FrontendID: s.frontend(frontendKey).ID, MeetingID: "class"}) == nil
	})
	if got := s.arrives("/end", 1)[0].url; got != "/end?recordingmarks=true&meetingID=class" {
		t.Errorf("end: %s", got)
	}
	s.arrives("/ended", 1)
	s.arrives("/figures", 1)
	s.arrives("/nothing", 0)
	s.arrives("/ready", 2)
	for _, m := range s.lms.messages("") {
		if strings.Contains(m.url+m.body, room.ExternalID) || strings.Contains(m.body, "/proxy/") {
			t.Errorf("%s shows ids or addresses of ours: %s", m.url, m.body)
		}
	}
}
