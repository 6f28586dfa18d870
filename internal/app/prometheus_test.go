package app_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/pgtest"
)

// A real Prometheus looks at two instances at work: every panel has something to
// show, every rule can be evaluated, and nobody is counted twice.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	good, bad := node(t, bbbtest.Options{Name: "good"}), node(t, bbbtest.Options{Name: "bad"})
	env := []string{
		"B3SCALE_DB_URL=" + pgtest.NewDatabase(t), "B3SCALE_DB_POOL_SIZE=8", "B3SCALE_LISTEN_HTTP=127.0.0.1:0",
		"B3SCALE_LOG_LEVEL=debug", "B3SCALE_API_JWT_SECRET=" + jwtSecret,
	}
	env = append(env, trees(t)...)
	site := []*instance{startWatched(t, env, good, bad), startWatched(t, env, good, bad)}
	p := startPrometheus(t, site)
	within(t, time.Minute, "all instances are seen", func() string { return p.is(`count(b3scale_build_info)`, 2) })
	useSite(t, site, good, bad)

	panels := map[string]string{} // queries by title
	for _, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			within(t, time.Minute, d.UID+" has something to choose for "+v.Name, func() string {
				if v.Type == "query" && len(p.values(variables.Replace(v.Definition))) == 0 {
					return "nothing is there"
				}
				return ""
			})
		}
		for _, panel := range d.Panels {
			for _, q := range panel.Targets {
				expr := variables.Replace(q.Expr)
				panels[panel.Title] = expr
				within(t, time.Minute, d.UID+" shows "+panel.Title, func() string {
					if got := p.ask(expr); !got.hasData() && !mayBeEmpty[panel.Title] {
						return fmt.Sprintf("%v for %s", got, expr)
					}
					return ""
				})
			}
		}
	}
	for title, want := range map[string]float64{"Backends enabled": 2, "Instances": 2, "Meetings": 3, "People": 3} {
		expr := panels[title]
		if title == "Meetings" || title == "People" { // others have the same title, and the same numbers
			expr = "sum(" + expr + ")"
		}
		within(t, time.Minute, title, func() string { return p.is(expr, want) })
	}
	p.checkRules(t)
}

// mayBeEmpty are panels that show nothing when all is well.
var mayBeEmpty = map[string]bool{
	"Age of the oldest callback": true, // none waits
}

// checkRules asks what the rules ask, and whether all that they ask about is
// there: an alert of a series that nobody has never fires.
func (p *prometheus) checkRules(t *testing.T) {
	t.Helper()
	// A join gives up on the waiting page after a minute; no callback waits when all is well.
	never := regexp.MustCompile(`^b3scale_frontend_requests_total.*gaveUp|^b3scale_callbacks_oldest_seconds`)
	for _, r := range rulesOf(t) {
		p.ask(r.Expr)
		for _, selector := range selector.FindAllString(r.Expr, -1) {
			if !never.MatchString(selector) && !p.ask(selector).hasData() {
				t.Errorf("%s%s: there is no %s", r.Record, r.Alert, selector)
			}
		}
	}
	within(t, time.Minute, "every rule is evaluated", func() string {
		var rules struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
		p.get("rules", nil, &rules)
		n := 0
		for _, g := range rules.Groups {
			for _, r := range g.Rules {
				if n++; r.Health != "ok" {
					return fmt.Sprintf("%s: %s %s", r.Name, r.Health, r.LastError)
				}
			}
		}
		if n != len(rulesOf(t)) {
			return fmt.Sprintf("%d rules", n)
		}
		return ""
	})
}

// selector is a series of ours with its labels.
var selector = regexp.MustCompile(series.String() + `(\{[^}]*\})?`)

// useSite does what happens in a cluster, and goes on until the test ends.
func useSite(t *testing.T, site []*instance, good, bad *bbbtest.Node) {
	t.Helper()
	bad.SetFault(bbbtest.Fault{Kind: bbbtest.HangUp, Calls: []string{"create"}})
	for _, id := range []string{"room-a", "room-b"} { // the first or the second goes to the other node first
		if status, body := site[0].call("create", "meetingID="+id+"&name=Room"); status != http.StatusOK || !strings.Contains(body, "SUCCESS") {
			t.Fatalf("create: %d %s", status, body)
		}
	}
	for i := range 3 {
		good.Join(b3scale.EncodeMeetingID(frontendKey, "room-a"), bbbtest.Attendee{UserID: fmt.Sprint("u", i), FullName: "Ada", Role: bbbtest.Moderator})
	}
	site[0].tellAgentEvents()
	limited := func(call, query string) string {
		return "/bbb/" + limitedKey + "/bigbluebutton/api/" + call + "?" + bbb.SignedQuery(call, query, frontendSecret)
	}
	stop := make(chan struct{})
	stopped := background(func() error {
		for i := 0; ; i++ {
			d := site[i%len(site)]
			for _, path := range []string{
				signed("create", "meetingID=room-a&name=Room"), signed("getMeetingInfo", "meetingID=room-a"), signed("isMeetingRunning", "meetingID=room-a"),
				signed("join", "meetingID=room-a&fullName=Ada&role=VIEWER"), signed("join", "meetingID=nowhere&fullName=Ada&role=VIEWER"),
				limited("create", fmt.Sprint("name=Room&meetingID=room-", i)), limited("getMeetings", ""),
				"/bbb/" + frontendKey + "/api/join?meetingID=room-a&checksum=0123", "/bbb/nobody/api/join?meetingID=room-a&checksum=0123",
				"/api/v1/backends",
			} {
				d.get(path)
			}
			select {
			case <-stop:
				return nil
			case <-time.After(100 * time.Millisecond): // people think
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		if err := finishes(t, "the traffic", stopped); err != nil {
			t.Error(err)
		}
	})
}

// prometheus is a running one.
type prometheus struct {
	testing.TB
	url string
}

// startPrometheus runs one with our sample of a configuration, which differs in
// what it looks at and how often.
func startPrometheus(t *testing.T, site []*instance) *prometheus {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, configFor(t, site), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	// It ends with the standard input of the shell, however this process ends.
	const keeper = `"$@" </dev/null & while read -r line; do :; done; kill $! 2>/dev/null; wait`
	cmd := exec.Command("sh", "-c", keeper, "keeper", debian(t, "prometheus"), "--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = time.Minute
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("prometheus: %v\n%s", err, log)
		}
	})
	p := &prometheus{TB: t}
	listens := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
	within(t, time.Minute, "prometheus serves", func() string {
		if at := listens.FindStringSubmatch(log.String()); at != nil && strings.Contains(log.String(), "Server is ready") {
			p.url = "http://" + at[1]
			return ""
		}
		return "not yet: " + log.String()
	})
	return p
}

func configFor(t *testing.T, site []*instance) []byte {
	t.Helper()
	var config map[string]any
	if err := yaml.Unmarshal(deployed(t, "prometheus/prometheus.yml"), &config); err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, d := range site {
		targets = append(targets, strings.TrimPrefix(d.MetricsURL(), "http://"))
	}
	rules, err := filepath.Abs("../../deploy/prometheus/b3scale.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	config["global"] = map[string]string{"scrape_interval": "1s", "evaluation_interval": "1s"}
	config["rule_files"] = []string{rules}
	config["scrape_configs"].([]any)[0].(map[string]any)["static_configs"] = []map[string]any{{"targets": targets}}
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// result is what a query brings.
type result []struct {
	Metric map[string]string
	Value  [2]any
}

// hasData reports whether there is a number that a panel can show.
func (r result) hasData() bool {
	for _, s := range r {
		if v, err := strconv.ParseFloat(fmt.Sprint(s.Value[1]), 64); err == nil && !math.IsNaN(v) {
			return true
		}
	}
	return false
}

func (p *prometheus) ask(expr string) result {
	p.Helper()
	var data struct{ Result result }
	p.get("query", url.Values{"query": {expr}}, &data)
	return data.Result
}

// is says what is wrong with the one value of a query, if anything.
func (p *prometheus) is(expr string, want float64) string {
	p.Helper()
	if got := p.ask(expr); len(got) != 1 || fmt.Sprint(got[0].Value[1]) != fmt.Sprint(want) {
		return fmt.Sprintf("%s is %v, want %v", expr, got, want)
	}
	return ""
}

// values are those of a variable, defined as label_values(selector, label).
func (p *prometheus) values(definition string) (values []string) {
	p.Helper()
	inner, found := strings.CutPrefix(strings.TrimSuffix(definition, ")"), "label_values(")
	at := strings.LastIndex(inner, ", ")
	if !found || at < 0 {
		p.Fatalf("odd definition %s", definition)
	}
	p.get("label/"+inner[at+2:]+"/values", url.Values{"match[]": {inner[:at]}}, &values)
	return values
}

func (p *prometheus) get(path string, query url.Values, data any) {
	p.Helper()
	a, err := ask(p.Context(), p.url+"/api/v1/"+path+"?"+query.Encode())
	if err != nil {
		p.Fatal(err)
	}
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil || answer.Status != "success" {
		p.Fatalf("%s %v: %v %s", path, query, err, a.body)
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		p.Fatalf("%s: %v %s", path, err, a.body)
	}
}
