package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"b3scale"
)

// files stands for the machine's files; names are rooted, as in fs.FS.
func files(content map[string]string) Options {
	dir := make(fstest.MapFS)
	for name, text := range content {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Options{ReadFile: func(name string) ([]byte, error) {
		return fs.ReadFile(dir, strings.TrimPrefix(strings.TrimPrefix(name, "./"), "/"))
	}}
}

// lines gives what Load complains of.
func lines(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error is a %T", err)
	}
	return e.Lines()
}

// strong and reached set what every start without a warning needs.
const (
	strong  = "B3SCALE_API_JWT_SECRET=s3cret-s3cret-s3cret-s3cret-s3cret"
	reached = "B3SCALE_API_URL=https://b3scale.example.org"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	got, warnings, err := Load(nil, files(nil))
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "B3SCALE_API_JWT_SECRET is not set") {
		t.Fatalf("error %v, warnings %q", err, warnings)
	}
	want := Config{
		Store:             StoreURL{Kind: SQLite, Path: "b3scale.db"},
		PoolSize:          32,
		AutoMigrate:       true,
		Listen:            "127.0.0.1:42353",
		LogLevel:          LogLevel(slog.LevelInfo),
		LogFormat:         LogJSON,
		AccessLog:         AccessErrors,
		RequestTimeout:    time.Minute,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,

		MaxBody:             1 << 20,
		MaxPresentationBody: 64 << 20,
		MaxBodies:           1 << 30,
		NodeCalls:           128,
		ProbeInterval:       2 * time.Second,
		LostAfter:           90 * time.Second,
		MetricsCompat:       true,
		MeetingSize:         15,
		MeetingSizeHold:     10 * time.Minute,
		MeetingSizeFade:     20 * time.Minute,

		RecordingsVisibility: InboxPublished,
		PlayerPaths:          PlayerPaths{"/playback/presentation/"},
		CookieOpens:          CookieOpensRecording,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestGoodValues(t *testing.T) {
	t.Parallel()
	networks := func(all ...string) []netip.Prefix {
		var list []netip.Prefix
		for _, one := range all {
			list = append(list, netip.MustParsePrefix(one))
		}
		return list
	}
	for _, c := range []struct {
		line string
		got  func(Config) any
		want any
	}{
		{"B3SCALE_DB_URL=sqlite:/var/lib/b3scale/b3scale.db", func(c Config) any { return c.Store.Path }, "/var/lib/b3scale/b3scale.db"},
		{"B3SCALE_DB_URL= sqlite:with space.db ", func(c Config) any { return c.Store.Path }, "with space.db"},
		{"B3SCALE_DB_URL=postgres://b3scale@db/b3scale", func(c Config) any { return c.Store }, StoreURL{Kind: PostgreSQL, Source: "postgres://b3scale@db/b3scale"}},
		{"B3SCALE_DB_URL=host=db user = b3scale", func(c Config) any { return c.Store }, StoreURL{Kind: PostgreSQL, Source: "host=db user = b3scale"}},
		{"B3SCALE_DB_LISTEN_URL=postgres://b3scale@db/b3scale", func(c Config) any { return c.ListenURL }, ListenURL{Source: "postgres://b3scale@db/b3scale"}},
		{"B3SCALE_DB_LISTEN_URL=host=db", func(c Config) any { return c.ListenURL }, ListenURL{Source: "host=db"}},
		{"B3SCALE_DB_LISTEN_URL=Off", func(c Config) any { return c.ListenURL }, ListenURL{Off: true}},
		{"B3SCALE_DB_POOL_SIZE=2", func(c Config) any { return c.PoolSize }, 2},
		{"B3SCALE_DB_POOL_SIZE=1000", func(c Config) any { return c.PoolSize }, 1000},
		{"B3SCALE_DB_AUTO_MIGRATE=No", func(c Config) any { return c.AutoMigrate }, false},
		{"B3SCALE_LISTEN_HTTP=:80", func(c Config) any { return c.Listen }, ":80"},
		{"B3SCALE_LISTEN_HTTP=[::1]:42353", func(c Config) any { return c.Listen }, "[::1]:42353"},
		{"B3SCALE_LISTEN_HTTP=b3scale.example.org:0", func(c Config) any { return c.Listen }, "b3scale.example.org:0"},
		{"B3SCALE_METRICS_LISTEN=:9090", func(c Config) any { return c.MetricsListen }, ":9090"},
		{"B3SCALE_METRICS_COMPAT=no", func(c Config) any { return c.MetricsCompat }, false},
		{"B3SCALE_METRICS_PER_MEETING=yes", func(c Config) any { return c.MetricsPerMeeting }, true},
		{"B3SCALE_TRUSTED_PROXIES=10.0.0.0/8, 192.0.2.7,,2001:db8::1,", func(c Config) any { return c.TrustedProxies }, networks("10.0.0.0/8", "192.0.2.7/32", "2001:db8::1/128")},
		{"B3SCALE_API_URL=https://b3scale.example.org/", func(c Config) any { return c.APIURL }, "https://b3scale.example.org/"},
		{"B3SCALE_CALLBACK_ALLOW=10.0.0.0/8, LMS.internal", func(c Config) any { return c.CallbackAllow },
			b3scale.CallbackAllow{Networks: networks("10.0.0.0/8"), Hosts: []string{"lms.internal"}}},
		{"B3SCALE_TRUSTED_PROXIES=10.1.2.3/8,::ffff:192.0.2.7", func(c Config) any { return c.TrustedProxies }, networks("10.0.0.0/8", "192.0.2.7/32")},
		{"B3SCALE_API_JWT_SECRET=with = and blanks ", func(c Config) any { return c.JWTSecret.Reveal() }, "with = and blanks"},
		{"B3SCALE_LOG_LEVEL=TRACE", func(c Config) any { return c.LogLevel.Level() }, slog.Level(-8)},
		{"B3SCALE_LOG_LEVEL=debug", func(c Config) any { return c.LogLevel.Level() }, slog.LevelDebug},
		{"B3SCALE_LOG_LEVEL=fatal", func(c Config) any { return c.LogLevel.Level() }, LevelFatal},
		{"B3SCALE_LOG_LEVEL=-1", func(c Config) any { return c.LogLevel.Level() }, LevelTrace},
		{"B3SCALE_LOG_LEVEL=0", func(c Config) any { return c.LogLevel.Level() }, slog.LevelDebug},
		{"B3SCALE_LOG_LEVEL=1", func(c Config) any { return c.LogLevel.Level() }, slog.LevelInfo},
		{"B3SCALE_LOG_LEVEL=2", func(c Config) any { return c.LogLevel.Level() }, slog.LevelWarn},
		{"B3SCALE_LOG_LEVEL=3", func(c Config) any { return c.LogLevel.Level() }, slog.LevelError},
		{"B3SCALE_LOG_LEVEL=5", func(c Config) any { return c.LogLevel.Level() }, LevelPanic},
		{"B3SCALE_ACCESS_LOG=off", func(c Config) any { return c.AccessLog }, AccessOff},
		{"B3SCALE_ACCESS_LOG=Errors", func(c Config) any { return c.AccessLog }, AccessErrors},
		{"B3SCALE_ACCESS_LOG=ALL", func(c Config) any { return c.AccessLog }, AccessAll},
		{"B3SCALE_LOG_FORMAT=json", func(c Config) any { return c.LogFormat }, LogJSON},
		{"B3SCALE_LOG_FORMAT=Structured", func(c Config) any { return c.LogFormat }, LogJSON},
		{"B3SCALE_LOG_FORMAT=plain", func(c Config) any { return c.LogFormat }, LogText},
		{"B3SCALE_LOG_FORMAT=console", func(c Config) any { return c.LogFormat }, LogText},
		{"B3SCALE_LOG_FORMAT=pretty", func(c Config) any { return c.LogFormat }, LogText},
		{"B3SCALE_REVERSE_PROXY_MODE=on", func(c Config) any { return c.ReverseProxyMode }, Unsupported(false)},
		{"B3SCALE_REVERSE_PROXY_MODE=Yes", func(c Config) any { return c.ReverseProxyMode }, Unsupported(true)},
		{"B3SCALE_HTTP_REQUEST_TIMEOUT=30", func(c Config) any { return c.RequestTimeout }, 30 * time.Second},
		{"B3SCALE_HTTP_READ_HEADER_TIMEOUT=1500ms", func(c Config) any { return c.ReadHeaderTimeout }, 1500 * time.Millisecond},
		{"B3SCALE_HTTP_WRITE_TIMEOUT=2m", func(c Config) any { return c.WriteTimeout }, 2 * time.Minute},
		{"B3SCALE_HTTP_IDLE_TIMEOUT=", func(c Config) any { return c.IdleTimeout }, 2 * time.Minute},
		{"B3SCALE_PROBE_INTERVAL=1", func(c Config) any { return c.ProbeInterval }, time.Second},
		{"B3SCALE_LOST_AFTER=6s", func(c Config) any { return c.LostAfter }, 6 * time.Second},
		{"B3SCALE_OBSERVE=YES", func(c Config) any { return c.Observe }, true},
		{"B3SCALE_OBSERVE=1", func(c Config) any { return c.Observe }, true},
		{"B3SCALE_OBSERVE=0", func(c Config) any { return c.Observe }, false},
		{"B3SCALE_NODE_CALLS_PER_FRONTEND=7", func(c Config) any { return c.NodeCalls }, 7},
		{"B3SCALE_MAX_BODY=2048", func(c Config) any { return c.MaxBody }, Bytes(2048)},
		{"B3SCALE_MAX_BODY=512k", func(c Config) any { return c.MaxBody }, Bytes(512 << 10)},
		{"B3SCALE_MAX_PRESENTATION_BODY=200M", func(c Config) any { return c.MaxPresentationBody }, Bytes(200 << 20)},
		{"B3SCALE_MAX_BODIES=4096M", func(c Config) any { return c.MaxBodies }, Bytes(4 << 30)},
		{"B3SCALE_GATEWAY_EXTRA_RESOURCES=feedback, getJoinUrl,feedback", func(c Config) any { return c.ExtraResources }, []string{"feedback", "getJoinUrl"}},
		{"B3SCALE_MEETING_SIZE=0", func(c Config) any { return c.MeetingSize }, 0},
		{"B3SCALE_MEETING_SIZE=500", func(c Config) any { return c.MeetingSize }, 500},
		{"B3SCALE_MEETING_SIZE_HOLD=0", func(c Config) any { return c.MeetingSizeHold }, time.Duration(0)},
		{"B3SCALE_MEETING_SIZE_FADE=1h30m", func(c Config) any { return c.MeetingSizeFade }, 90 * time.Minute},
	} {
		cfg, _, err := Load([]string{c.line}, files(nil))
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if got := c.got(cfg); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.line, got, c.want)
		}
	}
}

func TestBadValues(t *testing.T) {
	t.Parallel()
	const accepted = ": accepted: "
	for _, c := range []struct{ line, want string }{
		{"B3SCALE_DB_URL=mysql://b3scale:s3cret@db/b3scale", "B3SCALE_DB_URL=\"•••\"" + accepted + "sqlite:PATH"},
		{"B3SCALE_DB_URL=b3scale.db", "B3SCALE_DB_URL=\"•••\"" + accepted + "sqlite:PATH"},
		{"B3SCALE_DB_URL=sqlite:", `B3SCALE_DB_URL="sqlite:"`},
		{"B3SCALE_DB_URL=sqlite:data/", `B3SCALE_DB_URL="sqlite:data/"`},
		{"B3SCALE_DB_URL=sqlite::memory:", `B3SCALE_DB_URL="sqlite::memory:"`},
		{"B3SCALE_DB_URL=sqlite://b3scale.db", `B3SCALE_DB_URL="•••"`},
		{"B3SCALE_DB_URL=sqlite:b3scale.db?_key=s3cret", `B3SCALE_DB_URL="sqlite:b3scale.db?•••"`},
		{"B3SCALE_DB_LISTEN_URL=s3cret", "B3SCALE_DB_LISTEN_URL=\"•••\"" + accepted + "a PostgreSQL URL or DSN, or off"},
		{"B3SCALE_DB_LISTEN_URL=sqlite:x.db", `B3SCALE_DB_LISTEN_URL="sqlite:x.db"`},
		{"B3SCALE_DB_POOL_SIZE=1", `B3SCALE_DB_POOL_SIZE="1": accepted: 2 to 1000`},
		{"B3SCALE_DB_POOL_SIZE=1001", `B3SCALE_DB_POOL_SIZE="1001": accepted: 2 to 1000`},
		{"B3SCALE_DB_POOL_SIZE=many", `B3SCALE_DB_POOL_SIZE="many"`},
		{"B3SCALE_DB_AUTO_MIGRATE=maybe", `B3SCALE_DB_AUTO_MIGRATE="maybe": accepted: yes, true, 1 or no, false, 0`},
		{"B3SCALE_LISTEN_HTTP=42353", `B3SCALE_LISTEN_HTTP="42353": accepted: HOST:PORT`},
		{"B3SCALE_METRICS_LISTEN=9090", `B3SCALE_METRICS_LISTEN="9090": accepted: HOST:PORT`},
		{"B3SCALE_LISTEN_HTTP=localhost:http", `B3SCALE_LISTEN_HTTP="localhost:http"`},
		{"B3SCALE_LISTEN_HTTP=localhost:65536", `B3SCALE_LISTEN_HTTP="localhost:65536"`},
		{"B3SCALE_LISTEN_HTTP=http://localhost:80", `B3SCALE_LISTEN_HTTP="http://localhost:80"`},
		{"B3SCALE_LISTEN_HTTP=a b:80", `B3SCALE_LISTEN_HTTP="a b:80"`},
		{"B3SCALE_API_URL=b3scale.example.org", `B3SCALE_API_URL="b3scale.example.org": accepted: http://`},
		{"B3SCALE_API_URL=https://b3scale.example.org/?x=y", "accepted: http://"},
		{"B3SCALE_CALLBACK_ALLOW=10.0.0.0/8,*.internal", `"*.internal" is no network and no host name; accepted: a comma list`},
		{"B3SCALE_TRUSTED_PROXIES=10.0.0.0/8,proxy", `"proxy" is neither a network nor an address; accepted: a comma list`},
		{"B3SCALE_TRUSTED_PROXIES=10.0.0.0/33", `"10.0.0.0/33" is neither`},
		{"B3SCALE_TRUSTED_PROXIES=fe80::1%eth0", `"fe80::1%eth0" is neither`},
		{"B3SCALE_TRUSTED_PROXIES=::ffff:10.0.0.0/104", "write it as an IPv4 network"},
		{"B3SCALE_API_JWT_SECONDARY_SECRET=s3cret", "B3SCALE_API_JWT_SECONDARY_SECRET=•••: accepted: only beside B3SCALE_API_JWT_SECRET"},
		{"B3SCALE_API_JWT_SECRET_FILE=/s3cret", "B3SCALE_API_JWT_SECRET_FILE=•••: file does not exist; accepted: a readable file that holds B3SCALE_API_JWT_SECRET"},
		{"B3SCALE_LOG_LEVEL=loud", `B3SCALE_LOG_LEVEL="loud": accepted: trace, debug, info`},
		{"B3SCALE_LOG_LEVEL=6", `B3SCALE_LOG_LEVEL="6"`},
		{"B3SCALE_ACCESS_LOG=some", `B3SCALE_ACCESS_LOG="some": accepted: off, errors, all`},
		{"B3SCALE_HTTP_REQUEST_TIMEOUT=0", `B3SCALE_HTTP_REQUEST_TIMEOUT="0": accepted: 1s to 1h; a bare number means seconds`},
		{"B3SCALE_HTTP_READ_HEADER_TIMEOUT=-5", `B3SCALE_HTTP_READ_HEADER_TIMEOUT="-5"`},
		{"B3SCALE_HTTP_WRITE_TIMEOUT=99999999999999999999", `B3SCALE_HTTP_WRITE_TIMEOUT="99999999999999999999"`},
		{"B3SCALE_HTTP_WRITE_TIMEOUT=9999999999999", `B3SCALE_HTTP_WRITE_TIMEOUT="9999999999999"`},
		{"B3SCALE_HTTP_IDLE_TIMEOUT=ten", `B3SCALE_HTTP_IDLE_TIMEOUT="ten"`},
		{"B3SCALE_PROBE_INTERVAL=10ms", `B3SCALE_PROBE_INTERVAL="10ms": accepted: 100ms to 2500ms`},
		{"B3SCALE_PROBE_INTERVAL=5s", `B3SCALE_PROBE_INTERVAL="5s"`},
		{"B3SCALE_LOST_AFTER=5s", `B3SCALE_LOST_AFTER="5s": accepted: at least three times B3SCALE_PROBE_INTERVAL, which is 2s`},
		{"B3SCALE_OBSERVE=on", `B3SCALE_OBSERVE="on": accepted: yes`},
		{"B3SCALE_NODE_CA_FILE=/missing.pem", `B3SCALE_NODE_CA_FILE="/missing.pem": file does not exist; accepted: a readable PEM`},
		{"B3SCALE_MAX_BODY=1G", `B3SCALE_MAX_BODY="1G": accepted: 1K to 1024M; a bare number means bytes`},
		{"B3SCALE_MAX_BODY=1KM", `B3SCALE_MAX_BODY="1KM"`},
		{"B3SCALE_MAX_BODY=-1M", `B3SCALE_MAX_BODY="-1M"`},
		{"B3SCALE_MAX_BODY=9223372036854775807M", `B3SCALE_MAX_BODY="9223372036854775807M"`},
		{"B3SCALE_MAX_PRESENTATION_BODY=2000M", `B3SCALE_MAX_PRESENTATION_BODY="2000M"`},
		{"B3SCALE_MAX_BODIES=10M", `B3SCALE_MAX_BODIES="10M": accepted: at least B3SCALE_MAX_PRESENTATION_BODY, which is 67108864 bytes`},
		{"B3SCALE_GATEWAY_EXTRA_RESOURCES=feedback,Create", `"Create" is served anyway; accepted: a comma list of names`},
		{"B3SCALE_GATEWAY_EXTRA_RESOURCES=getSessions?x", `"getSessions?x" is not such a name`},
		{"B3SCALE_GATEWAY_EXTRA_RESOURCES=/admin", `"/admin" is not such a name`},
		{"B3SCALE_GATEWAY_EXTRA_RESOURCES=a//b", `"a//b" is not such a name`},
		{"B3SCALE_GATEWAY_EXTRA_RESOURCES=..", `".." is not such a name`},
		{"B3SCALE_MEETING_SIZE=501", `B3SCALE_MEETING_SIZE="501": accepted: 0 to 500`},
		{"B3SCALE_MEETING_SIZE=many", `B3SCALE_MEETING_SIZE="many"`},
		{"B3SCALE_MEETING_SIZE_HOLD=-1s", `B3SCALE_MEETING_SIZE_HOLD="-1s": accepted: 0s to 24h`},
		{"B3SCALE_MEETING_SIZE_FADE=25h", `B3SCALE_MEETING_SIZE_FADE="25h"`},
		{"B3SCALE_LOG_LEVEL=two\nlines", `B3SCALE_LOG_LEVEL="two\nlines"`},
		{"B3SCALE_LOG_LEVEL=" + strings.Repeat("x", 200), strings.Repeat("x", shownLength) + `…": accepted`},
	} {
		cfg, _, err := Load([]string{c.line}, files(nil))
		got := lines(t, err)
		if len(got) != 1 {
			t.Errorf("%s: got lines %q, want one", c.line, got)
			continue
		}
		if !strings.Contains(got[0], c.want) || strings.ContainsAny(got[0], "\n") {
			t.Errorf("%s: got %s\nwant %s", c.line, got[0], c.want)
		}
		if strings.Contains(got[0], "s3cret") {
			t.Errorf("%s: shows the secret: %s", c.line, got[0])
		}
		if !reflect.DeepEqual(cfg, Config{}) {
			t.Errorf("%s: got a configuration in spite of the error", c.line)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := Load([]string{
		"B3SCALE_MEETING_SIZE=-1",
		"B3SCALE_OBSERVE=perhaps",
		"B3SCALE_LISTEN_HTTP=nowhere",
		"B3SCALE_PROBE_INTERVAL=1m", // what follows for B3SCALE_LOST_AFTER is not worth a line
		"B3SCALE_DB_URL=mysql://b3scale:s3cret@db/b3scale",
		"B3SCALE_DB_LISTEN_URL=mysql://b3scale:s3cret@db/b3scale",
	}, files(nil))
	got := lines(t, err)
	if len(got) != 6 {
		t.Errorf("got %d lines, want 6:\n%v", len(got), err)
	}
	for _, name := range []string{"MEETING_SIZE", "OBSERVE", "LISTEN_HTTP", "PROBE_INTERVAL", "DB_URL", "DB_LISTEN_URL"} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "B3SCALE_"+name+"=") }) {
			t.Errorf("no line for %s:\n%v", name, err)
		}
	}
	if got, want := err.Error(), strings.Join(got, "\n"); got != want {
		t.Errorf("error text %q, want %q", got, want)
	}
}

func TestLostAfterFollowsTheProbeInterval(t *testing.T) {
	t.Parallel()
	_, _, err := Load([]string{"B3SCALE_PROBE_INTERVAL=2500ms", "B3SCALE_LOST_AFTER=7s"}, files(nil))
	if got := lines(t, err); len(got) != 1 || !strings.Contains(got[0], "which is 2.5s") {
		t.Errorf("got %q", got)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		want string // empty: no warning
	}{
		{"B3SCALE_REVERSE_PROXY_MODE=true", "B3SCALE_REVERSE_PROXY_MODE is not supported"},
		{"B3SCALE_REVERSE_PROXY_MODE=no", ""},
		{"B3SCALE_REVERSE_PROXY_MODE=on", `B3SCALE_REVERSE_PROXY_MODE="on" is taken for no`},
		{"B3SCALE_LOG_FORMAT=pretty", `B3SCALE_LOG_FORMAT="pretty" is taken for text; there are: structured, json, text`},
		{"B3SCALE_LOG_FORMAT=Console", ""},
		{"B3SCALE_API_JWT_SECRET=", "B3SCALE_API_JWT_SECRET is not set: the REST API, the agent API and the console are off"},
		{"B3SCALE_API_JWT_SECRET=s3cret-s3cret-s3cret-s3cret-s3c", "B3SCALE_API_JWT_SECRET has less than 32 bytes"},
		{"B3SCALE_API_JWT_SECRET=s3cret-s3cret-s3cret-s3cret-s3cr", ""},
		{strong + "\n", "B3SCALE_API_JWT_SECRET has blanks or line breaks around it"},
		{"B3SCALE_API_JWT_SECONDARY_SECRET=s3cret", "B3SCALE_API_JWT_SECONDARY_SECRET has less than 32 bytes"},
		{"B3SCALE_API_JWT_SECONDARY_SECRET=s3cret-s3cret-s3cret-s3cret-s3cr", ""},
		{"B3SCALE_JWT_SECRET=s3cret", "did you mean B3SCALE_API_JWT_SECRET?"},
		{"B3SCALE_API_URL=", "B3SCALE_API_URL is not set: nodes call frontends themselves"},
		{"B3SCALE_CALLBACK_ALLOW=10.0.0.0/8, lms.internal", ""},
		{"B3SCALE_RECORDINGS_INBOX_PATH=/i", "B3SCALE_RECORDINGS_INBOX_PATH is set, but without B3SCALE_RECORDINGS_PUBLISHED_PATH and"},
		{"B3SCALE_CMD_WORKER_POOL_SIZE=0", "B3SCALE_CMD_WORKER_POOL_SIZE is set, but"},
		{"B3SCALE_RECORDINGS_PUBLISHED_PATH=", ""},
		{"B3SCALE_DB_LISTEN_URL=postgres://b3scale:s3cret@db/b3scale", "B3SCALE_DB_LISTEN_URL is set, but the database is SQLite"},
		{"B3SCALE_DB_LISTEN_URL=off", "B3SCALE_DB_LISTEN_URL is set, but the database is SQLite"},
		{"B3SCALE_DB_POOL_SIZE=8", "B3SCALE_DB_POOL_SIZE is set, but the database is SQLite"},
		{"B3SCALE_LISTN_HTTP=:80", "did you mean B3SCALE_LISTEN_HTTP?"},
		{"B3SCALE_LISTEN=:80", "did you mean B3SCALE_LISTEN_HTTP?"},
		{"B3SCALE_IDLE_TIMEOUT=3", "did you mean B3SCALE_HTTP_IDLE_TIMEOUT?"},
		{"B3SCALE_DB_URI_FILE=/x", "did you mean B3SCALE_DB_URL_FILE?"},
		{"B3SCALE_COLOUR=red", "B3SCALE_COLOUR is not a setting; b3scaled --help"},
		{"B3SCALE_API_ACCESS_TOKEN=s3cret", ""},
		{"B3SCALE_LOAD_FACTOR=1", ""},
		{"B3SCALE_SERVICE_HOST=10.0.0.1", ""},
		{"B3SCALE_PORT=tcp://10.0.0.1:80", ""},
		{"B3SCALE_PORT=80", "B3SCALE_PORT is not a setting"},
		{"B3SCALE_GATEWAY_PORT_80_TCP_ADDR=10.0.0.1", ""},
		{"B3SCALE_HTTP_REQUEST_TIMEOUT=120", "B3SCALE_HTTP_WRITE_TIMEOUT is 1m0s and cuts off"},
		{"OTHER_VARIABLE=1", ""},
	} {
		_, got, err := Load([]string{strong, reached, c.line, "B3SCALE_DB_URL=sqlite:test.db"}, files(nil))
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
		if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%s: got warnings %q, want %q", c.line, got, c.want)
		}
		if strings.Contains(strings.Join(got, "\n"), "s3cret") {
			t.Errorf("%s: shows the secret: %q", c.line, got)
		}
	}
}
