package doctest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/auth"
	"b3scale/internal/config"
	"b3scale/internal/logtest"
	"b3scale/internal/pgtest"
)

const (
	apiSecret      = "the-api-secret-of-the-documentation"
	nodeSecret     = "the-secret-of-all-nodes-0123456789"
	frontendSecret = "the-secret-of-the-frontend-0123456"
	frontendKey    = "moodle"
	meetingID      = "physics-101"
	recordingID    = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1767225600123"
)

// kind is what is there before the first command of a page.
type kind int

// The kinds.
const (
	lived  kind = iota // a daemon with three backends, a frontend, a meeting, a recording, a callback
	empty              // a daemon and three servers that it does not know
	source             // three servers, and a checkout that was built
)

// world is where the commands of a page run.
type world struct {
	testing.TB
	dir   string // where they are run
	nodes []*bbbtest.Node
	keys  auth.Keys
	url   string
	env   []string
	words []string // what stands in pages, and what is there instead
}

func newWorld(t testing.TB, name string, k kind) *world {
	t.Helper()
	for _, secret := range []string{apiSecret, nodeSecret, frontendSecret} {
		logtest.Secret(secret)
	}
	w := &world{TB: t, dir: t.TempDir(), keys: auth.NewKeys(apiSecret, "")}
	for i := range 3 {
		node := bbbtest.New(bbbtest.Options{Name: fmt.Sprint("bbb", i+1), Secret: nodeSecret})
		if err := node.Listen("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(node.Close)
		logtest.Node(t, node)
		w.nodes = append(w.nodes, node)
	}
	slices.SortFunc(w.nodes, func(a, b *bbbtest.Node) int { return cmp.Compare(a.BaseURL(), b.BaseURL()) }) // as they are listed
	for i, node := range w.nodes {
		w.words = append(w.words, fmt.Sprintf("https://bbb%d.example.org", i+1), strings.TrimSuffix(node.BaseURL(), "/bigbluebutton/api/"))
	}
	for _, tree := range []string{"published", "unpublished", "inbox", "backup"} {
		w.must(os.Mkdir(filepath.Join(w.dir, tree), 0o755))
	}
	w.must(os.Symlink(binaries(t), filepath.Join(w.dir, "bin")))
	w.env = []string{
		"HOME=" + w.dir, "LC_ALL=C.UTF-8", "PATH=" + binaries(t) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"SALT=" + nodeSecret, "SECRET=" + apiSecret, "HOST=" + w.nodes[0].BaseURL(),
		"B3SCALE_LOG_LEVEL=error", // what runs in the background must not write between the lines of a console
	}
	if k == source {
		w.reserve()
	} else {
		w.url = w.start(k == lived)
		w.env = append(w.env, "TOKEN="+w.token(auth.Admin, "ada"), "URL="+w.url, "B3SCALE_LISTEN_HTTP=127.0.0.1:0")
	}
	if name != "docs/moving-over.md" { // it says so itself, and b3scaled would take it for its own address
		w.env = append(w.env, "B3SCALE_API_URL="+w.url)
	}
	for _, address := range []string{"https://b3scale.example.org", "https://your.host", "http://127.0.0.1:42353", "http://10.0.0.11:42353"} {
		w.words = append(w.words, address, w.url)
	}
	w.words = append(w.words, "127.0.0.1:42353", strings.TrimPrefix(w.url, "http://"), "/var/lib/b3scale/", w.dir+"/", "/var/backups/", w.dir+"/backup/", "/srv/recordings/", w.dir+"/", "/run/secrets/", w.dir+"/", "--timeout 3h", "--timeout 1s")
	w.must(os.WriteFile(filepath.Join(w.dir, "jwt"), []byte(apiSecret), 0o600))
	w.furnish(name)
	return w
}

// furnish adds what single pages speak of.
func (w *world) furnish(name string) {
	w.Helper()
	switch name {
	case "README.md":
		w.words = append(w.words, "http://127.0.0.1:8091/", strings.TrimSuffix(w.nodes[0].BaseURL(), "bigbluebutton/api/"), "bbbsim-secret", nodeSecret)
	case "docs/agent.md", "docs/runbook.md":
		w.prepareAgent()
	case "docs/contributing.md":
		w.prepareSimulation()
	case "docs/moving-over.md":
		w.prepareOld()
	case "docs/backup.md":
		w.copyOf("sql", "docs/backup.md", "forget.sql")
	}
	switch name {
	case "docs/high-availability.md", "docs/moving-over.md":
		w.env = append(w.env, "NEW="+pgtest.NewDatabase(w))
	case "docs/runbook.md", "docs/backup.md":
		w.env = append(w.env, "B3SCALE_DB_URL="+pgtest.NewDatabase(w))
		migrate := exec.Command(filepath.Join(binaries(w), "b3scaled"), "migrate")
		migrate.Env = w.env
		out, err := migrate.CombinedOutput()
		if err != nil {
			w.Fatalf("migrate: %v\n%s", err, out)
		}
	}
}

// trees are where recordings are kept.
func (w *world) trees() []string {
	return []string{
		"B3SCALE_RECORDINGS_PUBLISHED_PATH=" + filepath.Join(w.dir, "published"), "B3SCALE_RECORDINGS_UNPUBLISHED_PATH=" + filepath.Join(w.dir, "unpublished"),
		"B3SCALE_RECORDINGS_INBOX_PATH=" + filepath.Join(w.dir, "inbox"),
	}
}

// start runs a daemon in this process, with a database in the directory.
func (w *world) start(seeded bool) string {
	w.Helper()
	cfg, _, err := config.Load(append(w.trees(),
		"B3SCALE_DB_URL=sqlite:"+filepath.Join(w.dir, "b3scale.db"), "B3SCALE_LISTEN_HTTP=127.0.0.1:0",
		"B3SCALE_API_JWT_SECRET="+apiSecret, "B3SCALE_API_URL=http://b3scale.invalid", "B3SCALE_LOG_LEVEL="+logtest.Level(),
	), config.Options{})
	w.must(err)
	log, level := app.NewLog(cfg, logtest.Writer())
	a, err := app.New(w.Context(), cfg, log, app.Options{Level: level})
	w.must(err)
	w.Cleanup(func() {
		if err := a.Stop(); err != nil {
			w.Error(err)
		}
	})
	if seeded {
		var backends []b3scale.Backend
		for _, node := range w.nodes {
			backends = append(backends, b3scale.Backend{Host: node.BaseURL(), Secret: nodeSecret, AdminState: b3scale.AdminReady, LoadFactor: 1})
		}
		w.must(a.Seed(w.Context(), []b3scale.Frontend{
			{Key: frontendKey, Secret: frontendSecret, Active: true}, {Key: "greenlight", Secret: frontendSecret, Active: true},
		}, backends))
	}
	w.must(a.Start(w.Context()))
	if seeded {
		w.live(a)
	}
	return a.URL()
}

// live makes a meeting, tells of one that is over, and imports a recording.
func (w *world) live(a *app.App) {
	w.Helper()
	frontend := bbb.Node{BaseURL: a.URL() + "/bbb/" + frontendKey + "/bigbluebutton/api/", Secret: frontendSecret}
	w.until("a meeting is created", func() bool {
		return strings.Contains(w.call(http.MethodGet, frontend.URL("create", "meetingID="+meetingID+"&name=Physics"), nil, ""), "SUCCESS")
	})
	w.env = append(w.env, "CALLBACK="+w.callback(a, "127.0.0.1:1", "refused"), "WAITING="+w.callback(a, "lms.invalid", "waiting"),
		"RECORDING="+recordingID, "MEETING="+meetingID)
	w.call(http.MethodPost, a.URL()+"/api/v1/recordings-import", w.recording("inbox"), w.token(auth.Admin, "test"))
}

// recording puts the files of one into a tree.
func (w *world) recording(tree string) []byte {
	w.Helper()
	dir := filepath.Join(w.dir, tree, "presentation", recordingID)
	w.must(os.MkdirAll(dir, 0o755))
	document := fmt.Appendf(nil, `<recording><id>%s</id><state>published</state><published>true</published>
<start_time>1767225600123</start_time><end_time>1767229200123</end_time><participants>2</participants>
<meta><meetingId>%s</meetingId><meetingName>Physics</meetingName></meta>
<playback><format>presentation</format><link>https://bbb1.example.org/playback/presentation/2.3/%[1]s</link><duration>3600000</duration></playback></recording>`,
		recordingID, b3scale.EncodeMeetingID(frontendKey, meetingID))
	w.must(os.WriteFile(filepath.Join(dir, "metadata.xml"), document, 0o600))
	w.must(os.WriteFile(filepath.Join(w.dir, "metadata.xml"), document, 0o600))
	return document
}

// callback is what a server tells the frontend: that a meeting is over.
func (w *world) callback(a *app.App, host, state string) (id string) {
	w.Helper()
	token, err := w.keys.MintCallback(b3scale.CallbackTicket{
		FrontendID: a.Cluster().Frontend(frontendKey).ID, Target: "http://" + host + "/end", Kind: b3scale.CallbackEnd, MeetingID: host, Origin: b3scale.Origin{Generation: 1},
	})
	w.must(err)
	w.call(http.MethodGet, a.URL()+"/api/v1/callbacks/proxy/"+token, nil, "")
	w.until("the callback is "+state, func() bool {
		list := w.call(http.MethodGet, a.URL()+"/api/v1/callbacks?state="+state, nil, w.token(auth.Admin, "test"))
		_, rest, _ := strings.Cut(list, `"id":"`)
		id, _, _ = strings.Cut(rest, `"`)
		return id != ""
	})
	return id
}

// prepareAgent makes the first server one with an agent, and its files.
func (w *world) prepareAgent() {
	w.Helper()
	redis := miniredis.RunT(w)
	host, port, err := net.SplitHostPort(redis.Addr())
	w.must(err)
	u, err := url.Parse(w.nodes[0].BaseURL())
	w.must(err)
	file := filepath.Join(w.dir, "bbb-web.properties")
	text := fmt.Sprintf("bigbluebutton.web.serverURL=http://%s\nsecuritySalt=%s\nredisHost=%s\nredisPort=%s\n", u.Host, nodeSecret, host, port)
	w.must(os.WriteFile(file, []byte(text), 0o600))
	token := w.token(auth.Node, "bbb1")
	w.call(http.MethodPost, w.url+"/api/v1/backends", fmt.Appendf(nil, `{"bbb":{"host":%q,"secret":%q}}`, w.nodes[0].BaseURL(), nodeSecret), token)
	w.env = append(w.env, "BBB_CONFIG="+file, "AGENT_TOKEN="+token)
}

func (w *world) token(scope auth.Scope, subject string) string {
	w.Helper()
	token, err := w.keys.Mint(auth.Claims{Subject: subject, Scopes: auth.Scopes{scope}})
	w.must(err)
	return token
}

// reserve finds an address for a daemon that the page starts itself.
func (w *world) reserve() {
	w.Helper()
	address := w.free()
	w.url = "http://" + address
	w.env = append(w.env, "B3SCALE_LISTEN_HTTP="+address)
}

func (w *world) call(method, address string, body []byte, token string) string {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	w.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer func() { _ = resp.Body.Close() }()
	var answer bytes.Buffer
	_, err = answer.ReadFrom(resp.Body)
	w.must(err)
	if resp.StatusCode != http.StatusOK {
		w.Fatalf("%s %s: %d %s", method, address, resp.StatusCode, &answer)
	}
	return answer.String()
}

func (w *world) until(what string, done func() bool) {
	w.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatal("it did not come to this: ", what)
		}
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}
