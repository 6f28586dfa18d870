package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/auth"
	"b3scale/internal/pgtest"
	"b3scale/internal/recordings"
)

const recordingsPlayback = "https://play.example.org"

// archive is a daemon that keeps recordings, and the trees of their files.
type archive struct {
	*instance
	dir   string
	admin string
}

// recordingsEnviron has three trees in dir.
func recordingsEnviron(t testing.TB, database, dir string, more ...string) []string {
	t.Helper()
	env := append([]string{
		"B3SCALE_API_JWT_SECRET=" + jwtSecret, "B3SCALE_API_URL=https://b3scale.example.org",
		"B3SCALE_RECORDINGS_PLAYBACK_HOST=" + recordingsPlayback,
	}, more...)
	for _, tree := range []string{"published", "unpublished", "inbox"} {
		path := filepath.Join(dir, tree)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		env = append(env, "B3SCALE_RECORDINGS_"+strings.ToUpper(tree)+"_PATH="+path)
	}
	env = environ(database, env...)
	if strings.HasPrefix(database, "postgres") {
		env[0] = "B3SCALE_DB_URL=" + database
	}
	return env
}

func startArchive(t *testing.T, database string) *archive {
	t.Helper()
	a := &archive{dir: t.TempDir(), admin: token(t, "ada-operator", auth.Admin)}
	a.instance = start(t, recordingsEnviron(t, database, a.dir))
	return a
}

// do asks the REST API as an operator.
func (a *archive) do(method, path, body string) (status int, answer string) {
	a.Helper()
	return operate(a, a.URL(), a.admin, method, path, body)
}

func operate(t testing.TB, base, bearer, method, path, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// deliver puts the files of a recording's format into the inbox and imports
// its metadata.
func (a *archive) deliver(document string) (id, format string) {
	a.Helper()
	r, err := recordings.ParseMetadata([]byte(document))
	if err != nil {
		a.Fatal(err)
	}
	id, format = r.ID, r.Formats[0].Type
	putFiles(a, a.dir, id, format, document)
	if status, body := a.do(http.MethodPost, "/api/v1/recordings-import?override_frontend_key="+frontendKey, document); status != http.StatusOK {
		a.Fatalf("import: status %d, %s", status, body)
	}
	return id, format
}

func putFiles(t testing.TB, dir, id, format, document string) {
	t.Helper()
	dir = filepath.Join(dir, "inbox", format, id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"metadata.xml": document, "film": format + " of " + id} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// trees tells which of them have the files.
func (a *archive) trees(id, format string) string {
	var found []string
	for _, tree := range []string{"published", "unpublished", "inbox"} {
		if text, err := os.ReadFile(filepath.Join(a.dir, tree, format, id, "film")); err == nil && string(text) == format+" of "+id {
			found = append(found, tree)
		}
	}
	return strings.Join(found, ",")
}

// agrees fails unless rows and files do.
func (a *archive) agrees() {
	a.Helper()
	status, body := a.do(http.MethodPost, "/api/v1/recordings-check", `{"repair":false}`)
	var answer struct {
		Differences []json.RawMessage `json:"differences"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || len(answer.Differences) > 0 {
		a.Fatalf("check: status %d, %s", status, body)
	}
}

// list gives the recordings that the frontend sees.
func (a *archive) list(query string) []bbb.Element {
	a.Helper()
	status, body := a.call("getRecordings", query)
	doc, err := bbb.ParseXML([]byte(body))
	if err != nil || status != http.StatusOK || doc.Root().Child("returncode").Text() != bbb.Success {
		a.Fatalf("getRecordings: status %d, %v, %s", status, err, body)
	}
	return slices.Collect(doc.Root().Child("recordings").Children())
}

func (a *archive) changes(call, query, want string) {
	a.Helper()
	if status, body := a.call(call, query); status != http.StatusOK || body != "<response><returncode>SUCCESS</returncode>"+want+"</response>" {
		a.Fatalf("%s?%s: status %d, %s", call, query, status, body)
	}
}

// Every recording that nodes may deliver goes through its life: imported,
// listed, hidden, shown, protected, deleted. Rows and files agree after every
// step.
func TestRecordingsLife(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob("../recordings/testdata/*.xml")
	if err != nil || len(documents) < 10 {
		t.Fatal(documents, err)
	}
	for name, database := range map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { return file(t) },
		"PostgreSQL": func(t *testing.T) string { return pgtest.NewDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := startArchive(t, database(t))
			for _, path := range documents {
				document, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if name := filepath.Base(path); name == "presentation-processing.xml" { // is not published by nodes either
					a.refuses(string(document))
				} else {
					a.lives(name, string(document))
				}
			}
		})
	}
}

// refuses tries to import what is not finished.
func (a *archive) refuses(document string) {
	a.Helper()
	status, body := a.do(http.MethodPost, "/api/v1/recordings-import?override_frontend_key="+frontendKey, document)
	if status != http.StatusBadRequest || !strings.Contains(body, "not finished") {
		a.Errorf("import of what is not finished: status %d, %s", status, body)
	}
}

func (a *archive) lives(name, document string) {
	a.Helper()
	id, format := a.deliver(document)
	r := a.shown(id)
	home := "unpublished"
	if r.Published {
		home = "published"
	}
	if got := a.trees(id, format); got != home {
		a.Fatalf("%s: imported, its files are in %q, want %q", name, got, home)
	}
	a.agrees()
	listed := a.list("recordID=" + id + "&state=any")
	if len(listed) != 1 || listed[0].Child("state").Text() != r.State || strings.Contains(string(listed[0].Raw()), "b3s-frontend") {
		a.Fatalf("%s: listed as %v", name, listed)
	}
	if usual := len(a.list("recordID="+id)) == 1; usual != (r.State == "published" || r.State == "unpublished") {
		a.Errorf("%s: in the usual list: %v, its state is %q", name, usual, r.State)
	}
	for _, published := range []string{"false", "true", "false", "true"} {
		a.changes("publishRecordings", "recordID="+id+"&publish="+published, "<published>"+published+"</published>")
		home = map[string]string{"true": "published", "false": "unpublished"}[published]
		if got := a.trees(id, format); got != home {
			a.Fatalf("%s: published %s, its files are in %q", name, published, got)
		}
		if listed := a.list("recordID=" + id + "&state=" + home); len(listed) != 1 || listed[0].Child("published").Text() != published {
			a.Fatalf("%s: published %s, listed as %v", name, published, listed)
		}
		a.agrees()
	}
	address := func() string {
		listed := a.list("recordID=" + id)
		for playback := range listed[0].Child("playback").Children() {
			return playback.Child("url").Text()
		}
		return "" // there are only figures
	}
	if got := address(); got != "" && !strings.HasPrefix(got, recordingsPlayback+"/") {
		a.Errorf("%s: played at %s", name, got)
	}
	a.changes("updateRecordings", "recordID="+id+"&protect=true&meta_course="+url.QueryEscape(`7 & <"8">`), "<updated>true</updated>")
	if got := address(); got != "" && !strings.HasPrefix(got, "https://b3scale.example.org/api/v1/protected/recordings/") {
		a.Errorf("%s: protected, but played at %s", name, got)
	}
	if found := a.list("meta_course=" + url.QueryEscape(`7 & <"8">`)); len(found) != 1 {
		a.Errorf("%s: not found by its metadata", name)
	}
	a.agrees()
	a.changes("deleteRecordings", "recordID="+id, "<deleted>true</deleted>")
	if got := a.trees(id, format); got != "" || len(a.list("state=any")) != 0 {
		a.Fatalf("%s: deleted, but its files are in %q", name, got)
	}
	a.agrees()
}

func (a *archive) shown(id string) (r struct {
	Published bool
	State     string
}) {
	a.Helper()
	status, body := a.do(http.MethodGet, "/api/v1/recordings/"+id, "")
	answer := struct{ Recording any }{&r}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		a.Fatalf("status %d, %v, %s", status, err, body)
	}
	return r
}

// The formats of one recording come one after the other, in any order, and are
// one recording: as a node lists it.
func TestRecordingOfManyFormats(t *testing.T) {
	t.Parallel()
	a := startArchive(t, file(t))
	var id string
	for _, name := range []string{"video", "presentation", "screenshare", "podcast", "notes", "data-metrics"} {
		document, err := os.ReadFile("../recordings/testdata/" + name + ".xml")
		if err != nil {
			t.Fatal(err)
		}
		id, _ = a.deliver(string(document))
	}
	want, err := os.ReadFile("../../bbb/testdata/responses/getRecordings.success.xml")
	if err != nil {
		want, err = os.ReadFile("../gateway/testdata/responses/getRecordings.success.xml")
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := bbb.ParseXML(want)
	if err != nil {
		t.Fatal(err)
	}
	listed := a.list("")
	if len(listed) != 1 {
		t.Fatalf("listed as %v", listed)
	}
	for node := range doc.Root().Child("recordings").Children() {
		if node.Child("recordID").Text() != id {
			continue
		}
		for element := range node.Children() {
			got := listed[0].Child(element.Name())
			switch element.Name() {
			case "name": // nodes escape it twice
				if got.Text() != "Physics & Chemistry 101" {
					t.Errorf("name %q", got.Text())
				}
			case "metadata", "playback", "data", "size": // the fixtures differ in what is there
			default:
				if got.Text() != element.Text() {
					t.Errorf("%s is %q, a node says %q", element.Name(), got.Text(), element.Text())
				}
			}
		}
		for format := range node.Child("playback").Children() {
			i := slices.IndexFunc(slices.Collect(listed[0].Child("playback").Children()), func(e bbb.Element) bool {
				return e.Child("type").Text() == format.Child("type").Text()
			})
			got := slices.Collect(listed[0].Child("playback").Children())[i]
			for _, name := range []string{"processingTime", "length", "size"} {
				if got.Child(name).Text() != format.Child(name).Text() {
					t.Errorf("%s of %s is %q, a node says %q", name, format.Child("type").Text(), got.Child(name).Text(), format.Child(name).Text())
				}
			}
			at, _ := url.Parse(format.Child("url").Text())
			if want := recordingsPlayback + at.Path; got.Child("url").Text() != want {
				t.Errorf("url %q, want %q", got.Child("url").Text(), want)
			}
		}
	}
	a.agrees()
}

// recordingOf is a metadata.xml of a meeting of the frontend.
func recordingOf(id, format string) string {
	return fmt.Sprintf(`<recording><id>%s</id><state>published</state><published>true</published><start_time>1767225600123</start_time>`+
		`<end_time>1767229500123</end_time><meeting id=%[1]q externalId=%[3]q name="Class" breakout="false"/><meta><meetingId>%[3]s</meetingId></meta>`+
		`<playback><format>%[2]s</format><link>https://node/playback/%[2]s/%[1]s</link><duration>60000</duration></playback></recording>`,
		id, format, b3scale.EncodeMeetingID(frontendKey, "class"))
}
