package config

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Every way that a PostgreSQL database can be given is told from nonsense, and
// none shows its password.
func TestPostgresIsRecognisedAndRedacted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ source, shown string }{
		{"postgres://b3scale:s3cret@db.example.org:5432/b3scale", "postgres://b3scale:•••@db.example.org:5432/b3scale"},
		{"postgresql://b3scale@db/b3scale?password=s3cret&sslmode=require", "postgres://b3scale@db/b3scale"},
		{"POSTGRES://b3scale:s3cret@db/b3scale#s3cret", "postgres://b3scale:•••@db/b3scale"},
		{"postgres://db/b3scale", "postgres://db/b3scale"},
		{"postgres://b3scale:p@s3cret@db/b3scale", "postgres://b3scale:•••@db/b3scale"},
		{"postgres://b3scale:1/s3cret@db/b3scale", "postgres://•••"},
		{"postgres://b3scale:1?s3cret@db/b3scale", "postgres://•••"},
		{"postgres://b3scale:1#s3cret@db/b3scale", "postgres://•••"},
		{"postgres://b3scale:s3cret%@db/b3scale", "postgres://•••"},
		{"user=b3scale password=s3cret host=/run/postgresql dbname=b3scale sslpassword=s3cret", "user=b3scale password=••• host=/run/postgresql dbname=b3scale"},
		{`password = 's3cret user=x' host=db`, "password=••• host=db"},
		{`password='s3cret\' user=x' host=db`, "password=••• host=db"},
		{"host=db password=my s3cret", "•••"},
		{"password='s3cret", "•••"},
	} {
		if got := RedactStoreURL(c.source); got != c.shown {
			t.Errorf("%s: shown as %q, want %q", c.source, got, c.shown)
		}
		cfg, warnings, err := Load([]string{strong, reached, "B3SCALE_DB_URL=" + c.source, "B3SCALE_DB_LISTEN_URL=" + c.source}, files(nil))
		if err != nil || len(warnings) != 0 {
			t.Errorf("%s: error %v, warnings %q", c.source, err, warnings)
		}
		u, l := cfg.Store, cfg.ListenURL
		if u.Kind != PostgreSQL || u.Source.Reveal() != c.source || l.Source.Reveal() != c.source || l.Off {
			t.Errorf("%s: parsed as %v and %v", c.source, u, l)
		}
		if u.String() != c.shown || l.String() != c.shown {
			t.Errorf("%s: shown as %q and %q, want %q", c.source, u, l, c.shown)
		}
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("store", "url", u, "listen", l)
		for _, text := range []string{fmt.Sprintf("%v %+v %#v %q", u, u, u, u), fmt.Sprintf("%v %+v %#v %q", l, l, l, l), fmt.Sprintf("%+v", cfg), log.String()} {
			if strings.Contains(text, "s3cret") {
				t.Errorf("%s: shows the password: %s", c.source, text)
			}
		}
	}
}

func FuzzRedactedStoreURLShowsNoPassword(f *testing.F) {
	f.Add("hunter2")
	f.Add("a/b@c")
	f.Add("a' host='b")
	f.Fuzz(func(t *testing.T, password string) {
		rest := RedactStoreURL("postgres://b3scale:x@db.example.org/b3scale") + RedactStoreURL("user=b3scale password=x host=db")
		if len(password) < 4 || strings.Contains(rest, password) {
			return // It may be found in what is rightly shown, and proves nothing.
		}
		if got := RedactStoreURL("postgres://b3scale:" + password + "@db.example.org/b3scale"); strings.Contains(got, password) {
			t.Errorf("URL shown as %q", got)
		}
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)
		if got := RedactStoreURL("user=b3scale password='" + quoted + "' host=db"); strings.Contains(got, password) {
			t.Errorf("DSN shown as %q", got)
		}
	})
}
