package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/auth"
	"b3scale/internal/config"
)

// What the demo shows. The secret is no secret: it lives as long as the demo.
const (
	frontendKey    = "demo"
	frontendSecret = "demo-secret"
	nodes          = 3
)

// Main is the command b3scale-demo. It returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("b3scale-demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	once := flags.Bool("once", false, "drive create, join, getMeetings and end through HTTP, print what happened, exit")
	listen := flags.String("listen", "127.0.0.1:42353", "address of b3scaled; a free port is taken if it is in use")
	verbose := flags.Bool("v", false, "show the log of b3scaled")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		_, _ = fmt.Fprintf(stderr, "b3scale-demo: %q is no flag; see -help\n", flags.Arg(0))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	log := slog.New(slog.DiscardHandler)
	if *verbose {
		log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	if *once {
		*listen = "127.0.0.1:0"
	}
	if err := run(ctx, *once, *listen, log, stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, "b3scale-demo:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, once bool, listen string, log *slog.Logger, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "b3scale-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	servers, why := startEventServers(ctx, dir)
	for _, s := range servers {
		defer s.stop()
	}
	kept, err := newShelf(dir, log)
	if err != nil {
		return err
	}
	var all []*bbbtest.Node
	var backends []b3scale.Backend
	for i := range nodes {
		opts := bbbtest.Options{Name: fmt.Sprintf("bbb%d", i+1), Secret: b3scale.NewID(), RecordingsDir: kept.inbox(), Published: kept.published(ctx)}
		if why == nil {
			opts.Events = servers[i].publish
		}
		node := bbbtest.New(opts)
		if err := node.Listen("127.0.0.1:0"); err != nil {
			return err
		}
		defer node.Close()
		all = append(all, node)
		backends = append(backends, b3scale.Backend{
			Host: node.BaseURL(), Secret: b3scale.Secret(node.API().Secret), AdminState: b3scale.AdminReady, LoadFactor: 1,
		})
	}
	secret := b3scale.Secret(b3scale.NewID())
	keys := auth.NewKeys(secret, "")
	token, err := keys.Mint(auth.Claims{Subject: "demo", Scopes: auth.Scopes{auth.Admin}})
	if err != nil {
		return err
	}
	told, err := listenForEnds(ctx)
	if err != nil {
		return err
	}
	defer told.close()
	a, err := start(ctx, filepath.Join(dir, "b3scale.db"), listen, secret, kept, backends, log)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := a.Stop(); err == nil {
			err = stopErr
		}
	}()
	kept.open(a.URL(), token)
	if why == nil {
		var stop func()
		stop, why = startAgents(ctx, a, keys, dir, all, servers, log)
		if why != nil {
			stop()
		}
		defer stop()
	}
	frontend := bbb.Node{BaseURL: a.URL() + "/bbb/" + frontendKey + "/bigbluebutton/api/", Secret: frontendSecret}
	if once {
		return drive(ctx, frontend, told, a.URL(), token, counting(why), backends, stdout)
	}
	invite(stdout, frontend, told, a.URL(), token, counting(why), backends)
	for id, err := told.wait(ctx); err == nil; id, err = told.wait(ctx) {
		_, _ = fmt.Fprintf(stdout, "The frontend is told that %s is over.\n", id)
	}
	_, _ = fmt.Fprintln(stdout, "\nStopping.")
	return nil
}

// start runs b3scaled on a fresh database. Servers must know where it listens
// before it does: a free port may be taken meanwhile, and then it is another.
func start(ctx context.Context, database, listen string, secret b3scale.Secret, kept *shelf, backends []b3scale.Backend, log *slog.Logger) (a *app.App, err error) {
	for range 5 {
		if listen, err = free(ctx, listen); err != nil {
			return nil, err
		}
		a, err = startAt(ctx, database, listen, secret, kept, backends, log)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return a, err
		}
	}
	return nil, err
}

// free is the address itself, or one with another port if it is in use, perhaps
// by another demo.
func free(ctx context.Context, address string) (string, error) {
	conn, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		conn, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", err
	}
	return conn.Addr().String(), conn.Close()
}

func startAt(ctx context.Context, database, listen string, secret b3scale.Secret, kept *shelf, backends []b3scale.Backend, log *slog.Logger) (*app.App, error) {
	cfg, _, err := config.Load(append(kept.settings(),
		"B3SCALE_DB_URL=sqlite:"+database, "B3SCALE_LISTEN_HTTP="+listen, "B3SCALE_API_JWT_SECRET="+secret.Reveal(),
		"B3SCALE_API_URL=http://"+listen, "B3SCALE_CALLBACK_ALLOW=127.0.0.1",
	), config.Options{})
	if err != nil {
		return nil, err
	}
	a, err := app.New(ctx, cfg, log, app.Options{})
	if err != nil {
		return nil, err
	}
	frontend := b3scale.Frontend{Key: frontendKey, Secret: frontendSecret, Active: true}
	if err := a.Seed(ctx, []b3scale.Frontend{frontend}, backends); err != nil {
		_ = a.Stop()
		return nil, err
	}
	if err := a.Start(ctx); err != nil {
		_ = a.Stop()
		return nil, err
	}
	return a, nil
}

// invite prints what a newcomer needs to look around.
func invite(out io.Writer, frontend bbb.Node, told *listener, url, token, counting string, backends []b3scale.Backend) {
	_, _ = fmt.Fprintf(out, `b3scale is running with %d simulated BigBlueButton servers,
%s.

  Gateway URL  %s
  Secret       %s
  Health       %s/readyz

Open these in a browser, in this order. b3scale places the meeting on one of
the servers; every join then lands on the same one.

  1. create    %s

  2. join as   %s
     Ada

  3. join as   %s
     Bob

  4. list      %s

  5. end       %s
     The server tells b3scale, and b3scale tells the frontend: see below.

  6. recording %s

Operators use the REST API, described at %s/docs/api/v1:

  curl -H "Authorization: Bearer %s" '%s/api/v1/backends?pretty'

The servers:
`, len(backends), counting, frontend.BaseURL, frontend.Secret, url,
		frontend.URL("create", told.createQuery()),
		frontend.URL("join", "fullName=Ada&meetingID=physics-101&role=MODERATOR"),
		frontend.URL("join", "fullName=Bob&meetingID=physics-101&role=VIEWER"),
		frontend.URL("getMeetings", ""),
		frontend.URL("end", "meetingID=physics-101"),
		frontend.URL("getRecordings", "meetingID=physics-101"),
		url, token, url)
	for _, b := range backends {
		_, _ = fmt.Fprintf(out, "  %s\n", b.Host)
	}
	_, _ = fmt.Fprintln(out, "\nCtrl-C stops everything.")
}
