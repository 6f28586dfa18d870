package config

import (
	"log/slog"
	"net/url"
	"regexp"
	"strings"

	"b3scale"
)

// StoreKind is a kind of database.
type StoreKind string

// The kinds that B3SCALE_DB_URL can name.
const (
	SQLite     StoreKind = "sqlite"
	PostgreSQL StoreKind = "postgres"
)

// StoreURL says where the durable truth is.
type StoreURL struct {
	Kind   StoreKind
	Path   string         // SQLite: the file
	Source b3scale.Secret // PostgreSQL: the URL or DSN as it was given
}

// String is for people and never shows a password.
func (u StoreURL) String() string {
	if u.Kind == PostgreSQL {
		return redactPostgres(u.Source.Reveal())
	}
	return string(u.Kind) + ":" + u.Path
}

// LogValue is for slog, which would otherwise print the fields.
func (u StoreURL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// ListenURL says where the changes that other instances make are heard.
type ListenURL struct {
	Off    bool           // nowhere: they are polled
	Source b3scale.Secret // a PostgreSQL URL or DSN; empty: where the store is
}

// String is for people and never shows a password.
func (u ListenURL) String() string {
	switch {
	case u.Off:
		return "off"
	case u.Source == "":
		return ""
	}
	return redactPostgres(u.Source.Reveal())
}

// LogValue is for slog.
func (u ListenURL) LogValue() slog.Value { return slog.StringValue(u.String()) }

func parseListenURL(text string) (ListenURL, error) {
	if strings.EqualFold(text, "off") {
		return ListenURL{Off: true}, nil
	}
	if !isPostgres(text) {
		return ListenURL{}, errValue
	}
	return ListenURL{Source: b3scale.Secret(text)}, nil
}

func parseStoreURL(text string) (StoreURL, error) {
	if path, found := strings.CutPrefix(text, "sqlite:"); found {
		if !usablePath(path) {
			return StoreURL{}, errValue
		}
		return StoreURL{Kind: SQLite, Path: path}, nil
	}
	if isPostgres(text) {
		return StoreURL{Kind: PostgreSQL, Source: b3scale.Secret(text)}, nil
	}
	return StoreURL{}, errValue
}

// usablePath refuses what is no plain file: other products read sqlite://x in
// two ways, options would become part of the name, and a database in memory
// forgets every meeting.
func usablePath(path string) bool {
	return path != "" && !strings.HasSuffix(path, "/") &&
		!strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "file:") && !strings.Contains(path, ":memory:") &&
		!strings.ContainsAny(path, "?#%") && !strings.ContainsFunc(path, func(r rune) bool { return r < ' ' })
}

// RedactStoreURL gives a value of B3SCALE_DB_URL or B3SCALE_DB_LISTEN_URL as it
// may be shown: what is surely no secret of a database, and nothing of anything
// else.
func RedactStoreURL(text string) string {
	switch {
	case strings.HasPrefix(text, "sqlite:") && !strings.HasPrefix(text, "sqlite://"):
		before, _, options := strings.Cut(text, "?") // keys are passed there
		if options {
			before += "?" + masked
		}
		return before
	case isPostgres(text):
		return redactPostgres(text)
	}
	return masked
}

func isPostgres(text string) bool { return isPostgresURL(text) || dsnStart.MatchString(text) }

func isPostgresURL(text string) bool {
	scheme, _, found := strings.Cut(text, "://")
	return found && (strings.EqualFold(scheme, "postgres") || strings.EqualFold(scheme, "postgresql"))
}

func redactPostgres(text string) string {
	if isPostgresURL(text) {
		return redactURL(text)
	}
	return redactDSN(text)
}

// redactURL keeps scheme, user, host and database. A password with a / or ? in
// it moves the borders of the parts; an @ behind the host gives that away.
func redactURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || strings.Contains(u.EscapedPath()+u.RawQuery+u.EscapedFragment(), "@") {
		return "postgres://" + masked
	}
	user := ""
	if u.User != nil {
		user = u.User.Username()
		if _, has := u.User.Password(); has {
			user += ":" + masked
		}
		user += "@"
	}
	return "postgres://" + user + u.Host + u.Path
}

var (
	dsnStart = regexp.MustCompile(`^[a-z_]+\s*=`)
	dsnPair  = regexp.MustCompile(`^\s*([a-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s'\\]*)(?:\s+|$)`)
)

// redactDSN keeps the pairs that are surely no secret, and nothing at all when
// the text cannot be taken apart.
func redactDSN(text string) string {
	var kept []string
	for rest := text; rest != ""; {
		pair := dsnPair.FindStringSubmatch(rest)
		if pair == nil {
			return masked
		}
		rest = rest[len(pair[0]):]
		switch pair[1] {
		case "host", "hostaddr", "port", "user", "dbname":
			kept = append(kept, pair[1]+"="+pair[2])
		case "password":
			kept = append(kept, "password="+masked)
		}
	}
	return strings.Join(kept, " ")
}
