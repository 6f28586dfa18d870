package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"

	"b3scale"
)

// parse fills cfg from the values and notes those that are not accepted.
func (l *loader) parse(cfg any) {
	environment := make(map[string]string)
	for name, v := range l.values {
		environment[name] = v.text
	}
	failed := make(map[string]error) // by field
	err := env.ParseWithOptions(cfg, env.Options{Environment: environment, FuncMap: parsers()})
	for _, one := range unwrap(err) {
		e, ok := errors.AsType[env.ParseError](one)
		if !ok {
			panic("config: bad tags: " + one.Error()) // of the struct: every test would end here
		}
		failed[e.Name] = e.Err
	}
	for _, v := range l.vars {
		err := failed[v.field.Name]
		switch {
		case err != nil && err.Error() != "":
			l.problem(v.Name, "%s; accepted: %s", err, v.Accepts)
		case err != nil, outside(v, reflect.ValueOf(cfg).Elem().FieldByIndex(v.field.Index)):
			l.problem(v.Name, "accepted: %s", v.Accepts)
		}
	}
	l.checkLogFormat()
}

func unwrap(err error) []error {
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		return all.Errors
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// outside compares a number with its min and max tags, which are written like
// values of the variable.
func outside(v Variable, field reflect.Value) bool {
	if !field.CanInt() || v.field.Tag.Get("min") == "" {
		return false
	}
	bound := func(tag string) int64 {
		parsed, err := parsers()[v.field.Type](v.field.Tag.Get(tag))
		if err != nil {
			panic("config: bad tag " + tag + " of " + v.Name) // as above
		}
		return reflect.ValueOf(parsed).Int()
	}
	return field.Int() < bound("min") || field.Int() > bound("max")
}

// check looks at what a single value's parser cannot see.
func (l *loader) check(cfg *Config) {
	if cfg.Store.Kind == SQLite {
		for _, name := range []string{nameListenURL, "B3SCALE_DB_POOL_SIZE"} {
			if l.isSet(name) {
				l.warn("%s is set, but the database is SQLite, which does not use it", name)
			}
		}
	}
	if !isHostPort(cfg.Listen) {
		l.problem("B3SCALE_LISTEN_HTTP", "accepted: %s", l.variable("B3SCALE_LISTEN_HTTP").Accepts)
	}
	l.checkMetrics(cfg)
	if cfg.NodeCAFile != "" {
		l.readNodeCAs(cfg)
	}
	l.checkJWTSecrets(cfg)
	l.checkCallbacks(cfg)
	l.checkRecordings(cfg)
	if !l.refused["B3SCALE_PROBE_INTERVAL"] && cfg.LostAfter < 3*cfg.ProbeInterval {
		l.problem("B3SCALE_LOST_AFTER", "accepted: at least three times B3SCALE_PROBE_INTERVAL, which is %s", cfg.ProbeInterval)
	}
	if !l.refused["B3SCALE_MAX_BODIES"] && !l.refused["B3SCALE_MAX_PRESENTATION_BODY"] && cfg.MaxBodies < cfg.MaxPresentationBody {
		l.problem("B3SCALE_MAX_BODIES", "accepted: at least B3SCALE_MAX_PRESENTATION_BODY, which is %d bytes", cfg.MaxPresentationBody)
	}
	if cfg.WriteTimeout < cfg.RequestTimeout && !l.refused["B3SCALE_HTTP_REQUEST_TIMEOUT"] && !l.refused["B3SCALE_HTTP_WRITE_TIMEOUT"] {
		l.warn("B3SCALE_HTTP_WRITE_TIMEOUT is %s and cuts off answers that B3SCALE_HTTP_REQUEST_TIMEOUT would allow for %s", cfg.WriteTimeout, cfg.RequestTimeout)
	}
	l.checkReverseProxy(cfg)
}

// checkLogFormat warns of values that other versions took.
func (l *loader) checkLogFormat() {
	const name = "B3SCALE_LOG_FORMAT"
	if v, set := l.values[name]; set && logFormats[strings.ToLower(v.text)] == "" {
		l.warn("%s is taken for text; there are: %s", l.origin(name), l.variable(name).Accepts)
	}
}

func (l *loader) checkReverseProxy(cfg *Config) {
	const name = "B3SCALE_REVERSE_PROXY_MODE"
	if cfg.ReverseProxyMode {
		l.warn("%s is not supported: people are sent to the node itself", name)
		return
	}
	if v, set := l.values[name]; set {
		if _, err := parseBool(v.text); err != nil {
			l.warn("%s is taken for no", l.origin(name))
		}
	}
}

func (l *loader) checkMetrics(cfg *Config) {
	const listen, perMeeting = "B3SCALE_METRICS_LISTEN", "B3SCALE_METRICS_PER_MEETING"
	if cfg.MetricsListen != "" && !isHostPort(cfg.MetricsListen) {
		l.problem(listen, "accepted: %s", l.variable(listen).Accepts)
	}
	if cfg.MetricsPerMeeting && !cfg.MetricsCompat {
		l.warn("%s is set, but without B3SCALE_METRICS_COMPAT there are no such metrics", perMeeting)
	}
}

// advisedSecret is how many random bytes nobody can try out: whoever sees a
// single token can search for its secret for years.
const advisedSecret = 32

// checkJWTSecrets refuses no secret that an installation has used for years.
func (l *loader) checkJWTSecrets(cfg *Config) {
	switch {
	case cfg.JWTSecret != "" || l.refused[nameJWT]:
	case cfg.JWTSecondarySecret != "":
		l.problem(nameJWTSecond, "accepted: only beside %s", nameJWT)
	default:
		l.warn("%s is not set: the REST API, the agent API and the console are off, and nodes call frontends themselves", nameJWT)
	}
	l.checkJWTSecret(nameJWT, cfg.JWTSecret)
	l.checkJWTSecret(nameJWTSecond, cfg.JWTSecondarySecret)
}

// checkCallbacks says what becomes of what nodes tell.
func (l *loader) checkCallbacks(cfg *Config) {
	switch {
	case cfg.APIURL != "" && !isAPIURL(cfg.APIURL):
		l.problem(nameAPIURL, "accepted: %s", l.variable(nameAPIURL).Accepts)
	case cfg.APIURL == "" && cfg.JWTSecret != "":
		l.warn("%s is not set: nodes call frontends themselves, who cannot verify what they say", nameAPIURL)
	}
}

func (l *loader) checkJWTSecret(name string, secret b3scale.Secret) {
	if secret != "" && len(secret) < advisedSecret {
		l.warn("%s has less than %d bytes: whoever sees a token can try out what signed it", name, advisedSecret)
	}
	if l.values[name].trimmed {
		// They may have been part of the key that signed the tokens in use.
		l.warn("%s has blanks or line breaks around it, which are taken off", name)
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$`)

func isHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return true
	}
	return hostName.MatchString(host)
}

// readNodeCAs reads the certificates now: a file that breaks later must not
// make nodes unreachable at the next call.
func (l *loader) readNodeCAs(cfg *Config) {
	const name = "B3SCALE_NODE_CA_FILE"
	raw, err := l.readFile(cfg.NodeCAFile)
	if err != nil {
		l.problem(name, "%s; accepted: %s", reason(err), l.variable(name).Accepts)
		return
	}
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		ca, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			l.problem(name, "it holds a broken certificate; accepted: %s", l.variable(name).Accepts)
			return
		}
		cfg.NodeCAs = append(cfg.NodeCAs, ca)
	}
	if len(cfg.NodeCAs) == 0 {
		l.problem(name, "it holds no certificate; accepted: %s", l.variable(name).Accepts)
	}
}
