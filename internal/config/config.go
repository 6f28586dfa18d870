package config

import (
	"crypto/x509"
	"net/netip"
	"time"

	"b3scale"
)

// Config is everything that operators set.
//
// Tags: env is the variable, envDefault what counts when it is unset, help what
// it means, min and max its bounds, accepts the values of a type that does not
// speak for itself, secret that its value is never shown and may come from the
// file that NAME_FILE names.
type Config struct {
	Store       StoreURL  `env:"B3SCALE_DB_URL" envDefault:"sqlite:b3scale.db" secret:"true" accepts:"sqlite:PATH, or for PostgreSQL a URL (postgres://USER:PASSWORD@HOST/NAME) or a DSN (host=HOST user=USER dbname=NAME)" help:"the database; a relative path starts in the working directory"`
	ListenURL   ListenURL `env:"B3SCALE_DB_LISTEN_URL" secret:"true" accepts:"a PostgreSQL URL or DSN, or off" help:"the same PostgreSQL database without a pooler between, where the news of other instances is heard; unset: at B3SCALE_DB_URL; off: changes are only polled and arrive within about a second"`
	PoolSize    int       `env:"B3SCALE_DB_POOL_SIZE" envDefault:"32" min:"2" max:"1000" help:"the most connections of this instance to PostgreSQL; up to two more send and hear news"`
	AutoMigrate bool      `env:"B3SCALE_DB_AUTO_MIGRATE" envDefault:"true" help:"bring an older database up to date at start"`

	TrustedProxies []netip.Prefix `env:"B3SCALE_TRUSTED_PROXIES" accepts:"a comma list of networks and addresses such as 10.0.0.0/8,192.0.2.7" help:"reverse proxies whose X-Forwarded-For (in the audit log, for failed logins and in the access log) and X-Forwarded-Host (where a frontend has host names of its own) are believed"`
	Listen         string         `env:"B3SCALE_LISTEN_HTTP" envDefault:"127.0.0.1:42353" accepts:"HOST:PORT, or :PORT for every address of this machine" help:"where HTTP is served"`

	JWTSecret          b3scale.Secret `env:"B3SCALE_API_JWT_SECRET" secret:"true" accepts:"any text; at least 32 random bytes are advised" help:"signs and verifies the tokens of operators and node agents; unset: the REST API, the agent API and the console are off"`
	JWTSecondarySecret b3scale.Secret `env:"B3SCALE_API_JWT_SECONDARY_SECRET" secret:"true" accepts:"any text, beside B3SCALE_API_JWT_SECRET; at least 32 random bytes are advised" help:"tokens signed with it are accepted too, while secrets are being rotated"`

	APIURL        string                `env:"B3SCALE_API_URL" accepts:"http://… or https://… with a host and nothing behind the path" help:"where nodes and browsers reach this API, without /api/v1: what nodes tell of ended meetings and recordings is passed on to frontends from there, and links to protected recordings lead there; unset: nodes call frontends themselves, who cannot verify what they say"`
	CallbackAllow b3scale.CallbackAllow `env:"B3SCALE_CALLBACK_ALLOW" accepts:"a comma list of networks, addresses and host names such as 10.0.0.0/8,lms.internal" help:"where frontends may be told of their meetings and recordings although it is no public address"`

	RecordingsPublished   string          `env:"B3SCALE_RECORDINGS_PUBLISHED_PATH" accepts:"an absolute path, apart from the other one" help:"base directory of the files of recordings that may be played; below it FORMAT/RECORDING; unset, like the next one: no recordings are kept"`
	RecordingsUnpublished string          `env:"B3SCALE_RECORDINGS_UNPUBLISHED_PATH" accepts:"an absolute path, apart from the other one" help:"base directory of the files of all other recordings; no web server may show it"`
	RecordingsInbox       string          `env:"B3SCALE_RECORDINGS_INBOX_PATH" accepts:"an absolute path: that of one of the two, or apart from both" help:"where nodes put the files of new recordings; unset: where B3SCALE_RECORDINGS_DEFAULT_VISIBILITY says"`
	RecordingsVisibility  InboxVisibility `env:"B3SCALE_RECORDINGS_DEFAULT_VISIBILITY" envDefault:"published" accepts:"published, unpublished" help:"which of the two directories is the inbox when none is set; says nothing of the recordings themselves"`
	PlaybackHost          string          `env:"B3SCALE_RECORDINGS_PLAYBACK_HOST" accepts:"HOST, HOST:PORT, or http://… or https://… without user and query; https when it does not say" help:"the web server that plays recordings: it replaces the host in the addresses that nodes tell; unset: frontends get those as they are"`
	PlayerPaths           PlayerPaths     `env:"B3SCALE_RECORDINGS_PLAYER_PATHS" envDefault:"/playback/presentation/" accepts:"a comma list of paths such as /playback/presentation/" help:"where that web server has files of the player, which everybody may see; recordings below them are protected all the same"`
	CookieDomain          string          `env:"B3SCALE_RECORDINGS_COOKIE_DOMAIN" accepts:"a domain of two labels at least that the hosts of B3SCALE_API_URL and B3SCALE_RECORDINGS_PLAYBACK_HOST are in" help:"which hosts get the cookie that opens protected recordings; unset: the longest domain that both hosts are in, or only the host when they are the same"`
	CookieOpens           CookieOpens     `env:"B3SCALE_RECORDINGS_COOKIE_OPENS" envDefault:"recording" accepts:"recording, frontend" help:"what a link to a protected recording opens: this recording, or all of its frontend"`

	LogLevel  LogLevel  `env:"B3SCALE_LOG_LEVEL" envDefault:"info" accepts:"trace, debug, info, warn, error, fatal, panic or a number from -1 (trace) to 5 (panic)" help:"the least important messages that are logged"`
	LogFormat LogFormat `env:"B3SCALE_LOG_FORMAT" envDefault:"structured" accepts:"structured, json, text, plain, console" help:"how messages look on standard error: structured and json are JSON, the others text"`

	AccessLog AccessLog `env:"B3SCALE_ACCESS_LOG" envDefault:"errors" accepts:"off, errors, all" help:"which requests have a line in the log: none; those that an operator may want to act on (the others only at level debug); all"`

	MetricsListen     string `env:"B3SCALE_METRICS_LISTEN" accepts:"HOST:PORT, or :PORT for every address of this machine" help:"where metrics and profiles (/metrics, /debug/pprof/) are served, and only there; unset: /metrics beside everything else, profiles nowhere; nobody is asked for a token there"`
	MetricsCompat     bool   `env:"B3SCALE_METRICS_COMPAT" envDefault:"true" help:"also show the metrics that dashboards of the existing product use"`
	MetricsPerMeeting bool   `env:"B3SCALE_METRICS_PER_MEETING" envDefault:"false" help:"show those by meeting, which makes new time series for every meeting; otherwise all meetings count together"`

	RequestTimeout    time.Duration `env:"B3SCALE_HTTP_REQUEST_TIMEOUT" envDefault:"60s" min:"1s" max:"1h" help:"how long one request may take, calls to nodes included"`
	ReadHeaderTimeout time.Duration `env:"B3SCALE_HTTP_READ_HEADER_TIMEOUT" envDefault:"5s" min:"1s" max:"1h" help:"how long a client may take to send a request's header"`
	WriteTimeout      time.Duration `env:"B3SCALE_HTTP_WRITE_TIMEOUT" envDefault:"60s" min:"1s" max:"1h" help:"how long reading a request's body and answering may take"`
	IdleTimeout       time.Duration `env:"B3SCALE_HTTP_IDLE_TIMEOUT" envDefault:"120s" min:"1s" max:"1h" help:"how long an unused connection is kept open"`

	MaxBody             Bytes       `env:"B3SCALE_MAX_BODY" envDefault:"1M" min:"1K" max:"1024M" help:"the largest request body"`
	MaxPresentationBody Bytes       `env:"B3SCALE_MAX_PRESENTATION_BODY" envDefault:"64M" min:"1K" max:"1024M" help:"the largest request body that carries presentations"`
	MaxBodies           Bytes       `env:"B3SCALE_MAX_BODIES" envDefault:"1024M" min:"1K" max:"65536M" help:"how many bytes all request bodies that are larger than B3SCALE_MAX_BODY may take up at a time, and at least B3SCALE_MAX_PRESENTATION_BODY; one frontend gets half, and more wait for up to ten seconds"`
	ExtraResources      []string    `env:"B3SCALE_GATEWAY_EXTRA_RESOURCES" accepts:"a comma list of names made of letters" help:"further BBB API calls to pass on to a meeting's node; they must carry a meetingID"`
	NodeCalls           int         `env:"B3SCALE_NODE_CALLS_PER_FRONTEND" envDefault:"128" min:"1" max:"100000" help:"how many calls to nodes one frontend may have under way at this instance; more wait for up to ten seconds"`
	ReverseProxyMode    Unsupported `env:"B3SCALE_REVERSE_PROXY_MODE" envDefault:"false" accepts:"no; yes and anything else with a warning" help:"not supported, only accepted: people are always sent to the node itself"`

	ProbeInterval time.Duration `env:"B3SCALE_PROBE_INTERVAL" envDefault:"2s" min:"100ms" max:"2500ms" help:"how often each backend is asked whether it answers"`
	LostAfter     time.Duration `env:"B3SCALE_LOST_AFTER" envDefault:"90s" min:"300ms" max:"24h" help:"how long a backend must be silent before its meetings are placed elsewhere; at least three probe intervals"`
	Observe       bool          `env:"B3SCALE_OBSERVE" envDefault:"false" help:"only look: create, end and move nothing on any node"`
	NodeCAFile    string        `env:"B3SCALE_NODE_CA_FILE" accepts:"a readable PEM file with certificates" help:"certificate authorities to trust for nodes, besides those of the system"`

	MeetingSize     int           `env:"B3SCALE_MEETING_SIZE" envDefault:"15" min:"0" max:"500" help:"how many people a new meeting is expected to have when it does not say so"`
	MeetingSizeHold time.Duration `env:"B3SCALE_MEETING_SIZE_HOLD" envDefault:"10m" min:"0s" max:"24h" help:"how long the expected people of a new meeting count as load"`
	MeetingSizeFade time.Duration `env:"B3SCALE_MEETING_SIZE_FADE" envDefault:"20m" min:"0s" max:"24h" help:"how long it then takes until they count nothing and only people present do"`

	EnvFiles []string            // files that were read because B3SCALE_DB_URL was empty, for the start-up log
	NodeCAs  []*x509.Certificate // what NodeCAFile holds

	ProtectedPlayback bool // all is there that protected recordings need; CookieDomain "" then means the host alone
}

// Options replaces what Load takes from the machine. The zero value is right
// for production.
type Options struct {
	ReadFile func(name string) ([]byte, error) // os.ReadFile when nil
}

// Load reads the settings from environ, whose lines look as os.Environ gives
// them. The warnings are for the log and never stop a start. The error is an
// *Error with one line for every problem; the Config then only tells EnvFiles.
func Load(environ []string, opts Options) (Config, []string, error) {
	l := load(daemon(), environ, opts)
	var cfg Config
	l.parse(&cfg)
	l.check(&cfg)
	if len(l.problems) > 0 {
		return Config{EnvFiles: l.files}, l.warnings, &Error{lines: l.problems}
	}
	cfg.EnvFiles = l.files
	return cfg, l.warnings, nil
}

// NodeRoots gives the authorities that certificates of nodes are checked
// against: nil for those of the system, else these and the ones of NodeCAs.
func (c *Config) NodeRoots() *x509.CertPool {
	if len(c.NodeCAs) == 0 {
		return nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a container without system authorities
	}
	for _, ca := range c.NodeCAs {
		roots.AddCert(ca)
	}
	return roots
}
