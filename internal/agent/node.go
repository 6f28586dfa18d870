package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// secret does not print.
type secret string

const masked = "•••"

// Format hides it from every verb of fmt.
func (secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// LogValue hides it from slog.
func (secret) LogValue() slog.Value { return slog.StringValue(masked) }

// node is what the files of BigBlueButton say about this node.
type node struct {
	host          string // address of the BBB API, as backends are registered
	secret        secret
	redisAddress  string
	redisPassword secret
}

// Format shows no more than the host.
func (n node) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(n.host)) }

const (
	keyServer        = "bigbluebutton.web.serverURL"
	keySecret        = "securitySalt" //nolint:gosec // the name of a property
	keyRedisHost     = "redisHost"
	keyRedisPort     = "redisPort"
	keyRedisPassword = "redisPassword" //nolint:gosec // the name of a property
)

// placeholder is the host that BigBlueButton is shipped with.
const placeholder = "bigbluebutton.example.com"

// readNode reads the defaults and then what the operator changed, key by key,
// as bbb-web does. The errors hold no value but addresses.
func readNode(defaults, overrides string) (node, error) {
	all := make(properties)
	var missing error
	for _, file := range []string{defaults, overrides} {
		raw, err := os.ReadFile(file)
		switch {
		case err == nil:
			parseProperties(string(raw), all)
		case !errors.Is(err, fs.ErrNotExist):
			return node{}, fmt.Errorf("settings of BigBlueButton: %w", err)
		default: // old versions have one of the two
			missing = errors.Join(missing, err)
		}
	}
	n, err := all.node()
	if err != nil {
		return node{}, errors.Join(fmt.Errorf("settings of BigBlueButton: %w", err), missing)
	}
	return n, nil
}

func (p properties) node() (node, error) {
	var n node
	server, err := p.get(keyServer)
	if err != nil {
		return node{}, err
	}
	u, err := url.Parse(server)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil:
		return node{}, fmt.Errorf("%s: want http://… or https://… with nothing but a host and a path", keyServer)
	case u.Hostname() == placeholder:
		return node{}, fmt.Errorf("%s: %s is an example; BigBlueButton is not set up yet", keyServer, placeholder)
	}
	n.host = strings.TrimRight(server, "/") + "/bigbluebutton/api/"

	salt, err := p.get(keySecret)
	if err == nil && salt == "" {
		err = fmt.Errorf("%s: %w", keySecret, errNotSet)
	}
	if err != nil {
		return node{}, err
	}
	n.secret = secret(salt)

	host, err := p.or(keyRedisHost, "127.0.0.1")
	if err != nil {
		return node{}, err
	}
	port, err := p.or(keyRedisPort, "6379")
	if err != nil {
		return node{}, err
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return node{}, fmt.Errorf("%s: want a port", keyRedisPort)
	}
	n.redisAddress = net.JoinHostPort(strings.Trim(host, "[]"), port)

	password, err := p.or(keyRedisPassword, "")
	if err != nil {
		return node{}, err
	}
	n.redisPassword = secret(password)
	return n, nil
}

// stamp tells whether files have changed.
type stamp [2]struct {
	size     int64
	modified time.Time
}

func stampOf(files ...string) (s stamp) {
	for i, file := range files {
		if info, err := os.Stat(file); err == nil {
			s[i].size, s[i].modified = info.Size(), info.ModTime()
		}
	}
	return s
}

// release reads the version of BigBlueButton; empty when nobody knows.
func release(file string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(raw) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "BIGBLUEBUTTON_RELEASE="); ok {
			return strings.Trim(value, `"' `)
		}
	}
	return ""
}
