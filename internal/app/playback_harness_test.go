package app_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/auth"
	"b3scale/internal/nginxtest"
	"b3scale/internal/recordings"
	"b3scale/internal/sqlstore"
)

const (
	apiHost      = "b3scale.example.org"
	playbackHost = "play.example.org"
	playbackKey  = "a-secret-of-at-least-32-random-bytes"
)

// Recordings of the first frontend, but for the foreign one. What is in their
// files tells whose they are.
const (
	guarded  = "3f0c5fd8a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600001" // protected
	guarded2 = "3f0c5fd8a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600002" // protected, too
	foreign  = "b7aa5fd8a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600003" // protected, of the other frontend
	open1    = "5d1e5fd8a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600004" // everybody may play it
	hidden   = "6e2f5fd8a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600005" // unpublished, its files are about to be moved
	stray    = "7f305fd8a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600006" // files that are not imported yet
	pres     = "c0ffee00a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600999" // of a presentation in a recording
)

// theater is a b3scaled and an nginx with our sample configuration in front of
// the files.
type theater struct {
	*instance
	nginx     *nginxtest.Server
	frontends map[string]string // ids by key
	keys      auth.Keys
}

func startTheater(t *testing.T, more ...string) *theater {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files() {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "unpublished/presentation", hidden, "metadata.xml"), filepath.Join(dir, "published/presentation", open1, "link.xml")); err != nil {
		t.Fatal(err)
	}
	th := &theater{frontends: map[string]string{}, keys: auth.NewKeys(playbackKey, "")}
	database := file(t)
	th.fill(t, database)
	env := append([]string{
		"B3SCALE_API_JWT_SECRET=" + playbackKey, "B3SCALE_API_URL=https://" + apiHost, "B3SCALE_TRUSTED_PROXIES=127.0.0.1",
		"B3SCALE_RECORDINGS_PUBLISHED_PATH=" + dir + "/published", "B3SCALE_RECORDINGS_UNPUBLISHED_PATH=" + dir + "/unpublished",
		"B3SCALE_RECORDINGS_PLAYBACK_HOST=" + playbackHost, "B3SCALE_ACCESS_LOG=all",
	}, more...)
	th.instance = start(t, environ(database, env...))
	eventually(t, "it is ready", th.ready)

	sample, err := os.ReadFile("../../deploy/nginx/b3scale-playback.conf")
	if err != nil {
		t.Fatal(err)
	}
	th.nginx = nginxtest.Start(t, []string{playbackHost, apiHost}, func(listen string) string {
		return "types { text/html html; image/png png; application/xml xml; }\n" +
			strings.NewReplacer("listen 443 ssl;", listen+" default_server;", "/srv/recordings", dir, "root /var/bigbluebutton", "root "+dir, "127.0.0.1:42353", th.Addr()).Replace(string(sample)) +
			"server { " + listen + "; server_name " + apiHost + "; location / { proxy_pass " + th.URL() + "; proxy_set_header X-Forwarded-For $remote_addr; } }"
	})
	return th
}

// files are all that there are, with what is in them.
func files() map[string]string {
	all := map[string]string{
		"playback/presentation/2.3/index.html":                       "the player",
		"playback/presentation/2.3/static/js/app.js":                 "code of the player",
		"unpublished/presentation/" + hidden + "/x":                  "of " + hidden,
		"unpublished/presentation/" + hidden + "/metadata.xml":       "of " + hidden,
		"published/metadata.xml":                                     "of the tree",
		"published/presentation/.b3scale-new/metadata.xml":           "of a copy",
		"published/presentation/.b3scale-" + open1 + "/metadata.xml": "of a copy",
	}
	for _, id := range []string{guarded, guarded2, foreign, open1, hidden, stray} {
		for _, name := range []string{
			"presentation/" + id + "/metadata.xml", "presentation/" + id + "/presentation/" + pres + "/thumbnails/thumb-1.png",
			"video/" + id + "/index.html", "video/" + id + "/video-0.m4v", "podcast/" + id + "/audio.ogg", "notes/" + id + "/notes.pdf", "screenshare/" + id + "/index.html",
		} {
			all["published/"+name] = "of " + id
		}
	}
	all["published/presentation/"+stray+"/"+open1+"/metadata.xml"] = "of " + stray
	return all
}

// fill stores the frontends and their recordings.
func (th *theater) fill(t *testing.T, database string) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), database, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{frontendKey, "other"} {
		f, err := store.AddFrontend(t.Context(), b3scale.Frontend{Key: key, Secret: frontendSecret, Active: true}, b3scale.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		th.frontends[key] = f.ID
	}
	for _, id := range []string{guarded, guarded2, foreign, open1, hidden} {
		op, err := store.BeginRecordingOp(t.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: []string{id}}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		r := th.recording(id)
		if ok, err := store.CommitRecordingOp(t.Context(), op, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) {
			return []b3scale.Recording{r}, nil, nil
		}); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if ok, err := store.FinishRecordingOp(t.Context(), op); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// recording is one of the first frontend, but for the foreign one.
func (th *theater) recording(id string) b3scale.Recording {
	r := b3scale.Recording{ID: id, FrontendID: th.frontends[frontendKey], MeetingID: "room", InternalMeetingID: id, Name: "Class", StartMillis: 1767225600000}
	for kind, path := range map[string]string{
		"presentation": "/playback/presentation/2.3/" + id, "video": "/playback/video/" + id + "/", "podcast": "/podcast/" + id + "/audio.ogg",
		"notes": "/notes/" + id + "/notes.pdf", "screenshare": "/recording/screenshare/" + id + "/",
	} {
		r.Formats = append(r.Formats, b3scale.RecordingFormat{Type: kind, URL: "http://node-7.internal" + path})
	}
	switch id {
	case hidden:
		r.SetVisibility(b3scale.RecordingUnpublished)
		r.Metadata[b3scale.MetaProtect] = "true"
	case open1:
		r.SetVisibility(b3scale.RecordingPublic)
	default:
		r.SetVisibility(b3scale.RecordingProtected)
	}
	if id == foreign {
		r.FrontendID = th.frontends["other"]
	}
	return r
}

// link is what the owner of a recording gets for a format.
func (th *theater) link(id, format string) string {
	th.Helper()
	key := frontendKey
	if id == foreign {
		key = "other"
	}
	_, body := th.get("/bbb/" + key + "/bigbluebutton/api/getRecordings?" + bbb.SignedQuery("getRecordings", "recordID="+id, frontendSecret))
	_, after, _ := strings.Cut(body, "<type>"+format+"</type><url>")
	address, _, found := strings.Cut(after, "</url>")
	if !found || !strings.HasPrefix(address, "https://"+apiHost+"/api/v1/protected/recordings/eyJ") {
		th.Fatalf("no link in %s", body)
	}
	return html.UnescapeString(address)
}

// browser keeps cookies and follows links.
func (th *theater) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		th.Fatal(err)
	}
	c := th.nginx.Client()
	c.Jar, c.CheckRedirect = jar, nil
	return c
}

// visit is where a browser ends up, and what it sees there.
func (th *theater) visit(c *http.Client, address string) (status int, at, body string) {
	th.Helper()
	req, err := http.NewRequestWithContext(th.Context(), http.MethodGet, address, nil)
	if err != nil {
		th.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		th.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		th.Fatal(err)
	}
	return resp.StatusCode, resp.Request.URL.String(), string(text)
}

// raw sends a request line as it is, which no client library does.
func (th *theater) raw(host, method, target string, headers ...string) (status int, header http.Header, body string) {
	th.Helper()
	transport := th.nginx.Client().Transport.(*http.Transport)
	ctx, cancel := context.WithTimeout(th.Context(), time.Minute)
	defer cancel()
	plain, err := (&net.Dialer{}).DialContext(ctx, "tcp", th.nginx.Addr)
	if err != nil {
		th.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	conn := tls.Client(plain, &tls.Config{RootCAs: transport.TLSClientConfig.RootCAs, ServerName: host, MinVersion: tls.VersionTLS12})
	text := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
	for _, h := range headers {
		text += h + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		th.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		th.Fatalf("%s %.200q: %v", method, target, err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		th.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(got)
}

// cookie is the header of somebody who may play these, until the given time.
func (th *theater) cookie(until time.Time, grants ...b3scale.PlaybackGrant) string {
	th.Helper()
	for i := range grants {
		grants[i].Until = b3scale.MicrosOf(until)
	}
	token, err := th.keys.MintPlaybackCookie(grants)
	if err != nil {
		th.Fatal(err)
	}
	return "Cookie: " + recordings.CookieName + "=" + token
}
