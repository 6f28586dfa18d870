package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"b3scale/bbb"
	"b3scale/internal/config"
	"b3scale/internal/recordings"
	"b3scale/internal/sqlstore"
)

// errProblems makes check fail after it has told everything.
var errProblems = errors.New("there are problems, see above")

// check tells every problem at once, and what to do about it. It changes
// nothing.
func check(ctx context.Context, cfg config.Config, stdout io.Writer) error {
	c := &checkup{cfg: cfg, out: stdout}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cfg.NodeRoots(), MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	c.client = &http.Client{Transport: transport, Timeout: checkPatience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.listeners(ctx)
	c.store(ctx)
	c.apiURL(ctx)
	if c.problems {
		return errProblems
	}
	return nil
}

const (
	// checkPatience is how long check waits for one answer.
	checkPatience = 5 * time.Second
	// maxSkew is how far clocks may be apart: tokens and leases have times in
	// them.
	maxSkew = 5 * time.Second
	// soon is when a certificate should be on its way to be renewed.
	soon = 14 * 24 * time.Hour
)

// checkup is one run of check.
type checkup struct {
	cfg      config.Config
	out      io.Writer
	client   *http.Client
	problems bool
}

// tell says how something is, and what to do when err says that it is wrong.
func (c *checkup) tell(what string, err error, todo string) {
	if err == nil {
		_, _ = fmt.Fprintf(c.out, "ok       %s\n", what)
		return
	}
	c.problems = true
	_, _ = fmt.Fprintf(c.out, "problem  %s: %v\n", what, err)
	if todo != "" {
		_, _ = fmt.Fprintf(c.out, "         do: %s\n", todo)
	}
}

// warn says what will be wrong one day. It does not fail the check.
func (c *checkup) warn(what, why, todo string) {
	_, _ = fmt.Fprintf(c.out, "warning  %s: %s\n         do: %s\n", what, why, todo)
}

// listeners keeps each one open until all are: two of the same address are
// found only then.
func (c *checkup) listeners(ctx context.Context) {
	for _, l := range []struct{ name, address string }{{nameListen, c.cfg.Listen}, {nameMetricsListen, c.cfg.MetricsListen}} {
		if l.address == "" {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.address)
		if err == nil {
			defer func() { _ = listener.Close() }() // nobody has come
		}
		c.tell("listen on "+l.name+"="+l.address, err, "stop what listens there (b3scaled itself, when it runs), or choose another address")
	}
}

func (c *checkup) store(ctx context.Context) {
	cfg := c.cfg
	store := fmt.Sprintf("store %s", cfg.Store)
	migrates := cfg.AutoMigrate
	cfg.AutoMigrate = false
	_, missing := os.Stat(cfg.Store.Path)
	if cfg.Store.Kind == config.SQLite && errors.Is(missing, fs.ErrNotExist) && migrates {
		c.tell(store+": it is created at the first start", nil, "")
		c.recordings()
		return
	}
	a, err := New(ctx, cfg, slog.New(slog.DiscardHandler), Options{})
	schema, old := errors.AsType[sqlstore.SchemaError](err)
	switch {
	case err == nil:
		c.tell(store, nil, "")
		c.clock(ctx, a)
		c.backends(ctx, a)
		_ = a.Stop() // it only read
	case migrates && schema.Missing:
		c.tell(store+": it is created at the first start", nil, "")
	case migrates && old:
		c.tell(store+": it is migrated at the next start", nil, "")
	case old:
		c.tell(store, err, "b3scaled migrate, or set B3SCALE_DB_AUTO_MIGRATE=true")
	case cfg.Store.Kind == config.SQLite:
		c.tell(store, err, "see that the directory is writable for this user, and that no other b3scaled has the file open: only one may")
	default:
		c.tell(store, err, "try the same with psql; see that B3SCALE_DB_URL names the right host, user, password and database")
	}
	c.recordings()
}

// clock compares ours with that of the database.
func (c *checkup) clock(ctx context.Context, a *App) {
	begin := time.Now()
	now, err := a.store.Now(ctx)
	if err == nil {
		err = skewed(now.Time(), begin, time.Now())
	}
	c.tell("clock", err, "let a time service such as chrony run on both machines")
}

// skewed is an error unless a clock showed that time between two of ours.
func skewed(theirs, begin, end time.Time) error {
	switch {
	case theirs.Before(begin.Add(-maxSkew)):
		return fmt.Errorf("it is %s behind ours", begin.Sub(theirs).Round(time.Second))
	case theirs.After(end.Add(maxSkew)):
		return fmt.Errorf("it is %s ahead of ours", theirs.Sub(end).Round(time.Second))
	default:
		return nil
	}
}

// recordings tries the trees.
func (c *checkup) recordings() {
	if !c.cfg.RecordingsOn() {
		c.tell("recordings are not kept: B3SCALE_RECORDINGS_PUBLISHED_PATH is not set", nil, "")
		return
	}
	library := recordings.New(nil, nil, slog.New(slog.DiscardHandler), withTrees(recordings.Options{}, c.cfg))
	problems := library.Probe()
	for _, err := range problems {
		c.tell("recordings", err, "make the directory, writable for the user of b3scaled; under systemd list it in ReadWritePaths")
	}
	if len(problems) > 0 {
		return
	}
	c.tell("recordings in "+c.cfg.RecordingsPublished+" and "+c.cfg.RecordingsUnpublished, nil, "")
	if apart, err := library.Apart(); err == nil && apart {
		c.warn("recordings", "the directories are on different file systems: publishing copies all files", "put them on one, if recordings are large")
	}
	if !c.cfg.ProtectedPlayback {
		c.warn("recordings", "protected ones cannot be played", "set B3SCALE_API_URL, B3SCALE_API_JWT_SECRET and B3SCALE_RECORDINGS_PLAYBACK_HOST; "+
			"their hosts need a domain in common")
	}
}

// apiURL looks whether something answers there. While b3scaled is not running
// that is the proxy before it.
func (c *checkup) apiURL(ctx context.Context) {
	if c.cfg.APIURL == "" {
		c.warn("B3SCALE_API_URL", "it is not set: callbacks do not pass through here, and protected recordings cannot be played", "set it to where nodes and browsers reach this API")
		return
	}
	what := "B3SCALE_API_URL=" + c.cfg.APIURL
	answer, err := c.ask(ctx, strings.TrimRight(c.cfg.APIURL, "/")+"/healthz")
	c.tell(what, err, "nodes and browsers must reach it from where they are: see its name, certificate and the proxy there")
	if err == nil {
		c.certificate(what, answer)
	}
}

// reply is an answer, as far as check is interested.
type reply struct {
	begin, end time.Time
	date       string
	tls        *tls.ConnectionState
	body       []byte
}

func (c *checkup) ask(ctx context.Context, address string) (reply, error) {
	r := reply{begin: time.Now()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return r, errors.New("that is no address")
	}
	resp, err := c.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // what was asked is in the line already
		}
		return r, err
	}
	defer func() { _ = resp.Body.Close() }()
	r.end, r.date, r.tls = time.Now(), resp.Header.Get("Date"), resp.TLS
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return r, err
}

func (c *checkup) certificate(what string, r reply) {
	if r.tls == nil || len(r.tls.PeerCertificates) == 0 {
		return
	}
	if until := r.tls.PeerCertificates[0].NotAfter; time.Until(until) < soon {
		c.warn(what, "its certificate ends on "+until.UTC().Format(time.DateOnly), "renew it")
	}
}

func (c *checkup) backends(ctx context.Context, a *App) {
	if err := a.cluster.LoadConfig(ctx); err != nil {
		c.tell("read the backends", err, "")
		return
	}
	backends := a.cluster.Backends()
	if len(backends) == 0 {
		c.warn("backends", "there are none", "b3scalectl set backend URL --secret SECRET, with what bbb-conf --secret shows there")
	}
	for _, b := range backends {
		c.backend(ctx, a, b.ID, b.Host)
	}
}

func (c *checkup) backend(ctx context.Context, a *App, id, host string) {
	what := "backend " + host
	within, cancel := context.WithTimeout(ctx, checkPatience)
	err := a.cluster.Ask(within, id)
	cancel()
	if err != nil {
		c.tell(what, err, adviceFor(err))
		return
	}
	r, err := c.ask(ctx, host)
	if err != nil { // it has answered a moment ago
		c.tell(what, err, adviceFor(err))
		return
	}
	c.tell(what+versionIn(r.body), nil, "")
	c.certificate(what, r)
	if theirs, err := http.ParseTime(r.date); err == nil {
		if err := skewed(theirs, r.begin.Truncate(time.Second), r.end); err != nil {
			c.warn(what, "its clock: "+err.Error(), "let a time service such as chrony run there")
		}
	}
}

// versionIn is what a node tells of itself, for people.
func versionIn(answer []byte) string {
	doc, err := bbb.ParseXML(answer)
	if err != nil {
		return ""
	}
	if version := doc.Root().Child("bbbVersion").Text(); version != "" {
		return ": BigBlueButton " + version
	}
	if version := doc.Root().Child("version").Text(); version != "" {
		return ": API " + version
	}
	return ""
}

// adviceFor is what to do about a backend that fails.
func adviceFor(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "renew its certificate, or name the authority in B3SCALE_NODE_CA_FILE"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "name the authority of its certificate in B3SCALE_NODE_CA_FILE"
	}
	if strings.Contains(err.Error(), "secret") { // the node has refused ours
		return "compare its secret with what bbb-conf --secret shows there; b3scalectl set backend URL --secret SECRET"
	}
	return "see that it runs (bbb-conf --check there), that its address ends in /bigbluebutton/api/, and that no firewall is between"
}
