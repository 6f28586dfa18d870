package config

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Every way that a PostgreSQL database can be given is told from nonsense, is
// refused with the same sentence, and never shows its password.
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
		_, warnings, err := Load([]string{"B3SCALE_DB_URL=" + c.source}, files(nil))
		got := lines(t, err)
		want := fmt.Sprintf("B3SCALE_DB_URL=%q: PostgreSQL comes with a later release; accepted now: sqlite:PATH", c.shown)
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", c.source, got, want)
		}
		if len(warnings) != 0 {
			t.Errorf("%s: warnings %q", c.source, warnings)
		}

		// What the next release will carry around keeps its password to itself too.
		u, err := parseStoreURL(c.source)
		if err != nil || u.Kind != PostgreSQL || u.Source.Reveal() != c.source {
			t.Errorf("%s: parsed as %v, %v", c.source, u, err)
		}
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("store", "url", u)
		for _, text := range []string{u.String(), fmt.Sprintf("%v %+v %#v %q", u, u, u, u), fmt.Sprintf("%+v", Config{Store: u}), log.String()} {
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
