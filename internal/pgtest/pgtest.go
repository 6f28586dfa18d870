package pgtest

import (
	"net/url"
	"os"
	"sync"
	"testing"
)

// NewDatabase creates an empty database and returns its DSN, a URL. It is
// dropped when the test ends. The cluster is private to this process, starts at
// first use and dies with the process, whatever kills it.
func NewDatabase(t testing.TB) string {
	t.Helper()
	s := shared(t)
	return s.database(t, "template0")
}

// FromTemplate gives each caller a copy, dropped when the test ends, of a
// database that prepare made once per process and name. Prepare closes its
// connections before it returns. With B3SCALE_TEST_DB_URL it runs for each
// copy, because nobody would drop the template there.
func FromTemplate(t testing.TB, name string, prepare func(dsn string) error) string {
	t.Helper()
	s := shared(t)
	if !s.ours {
		dsn := s.database(t, "template0")
		if err := prepare(dsn); err != nil {
			t.Fatalf("prepare the database %q: %v", name, err)
		}
		return dsn
	}
	made, _ := templates.LoadOrStore(name, sync.OnceValues(func() (string, error) { return s.template(prepare) }))
	template, err := made.(func() (string, error))()
	if err != nil {
		t.Fatalf("prepare the database %q: %v", name, err)
	}
	return s.database(t, template)
}

// What tests of one process share. A test cannot be handed these.
var (
	sharedCluster = sync.OnceValues(func() (*cluster, error) { return newCluster(false) })
	templates     sync.Map // name → func() (string, error), which makes the template once
)

// source is where shared databases come from.
type source struct {
	ours  bool
	admin string                       // DSN of a database to create others from
	dsn   func(database string) string // of any database there
}

func shared(t testing.TB) source {
	t.Helper()
	if given := os.Getenv("B3SCALE_TEST_DB_URL"); given != "" {
		return source{admin: given, dsn: func(database string) string { return withDatabase(given, database) }}
	}
	c, err := sharedCluster()
	if err != nil {
		t.Fatal(err)
	}
	return source{ours: true, admin: c.dsn("postgres"), dsn: c.dsn}
}

// database creates a database for the time of the test.
func (s source) database(t testing.TB, template string) string {
	t.Helper()
	name, err := createDatabase(s.admin, template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dropDatabase(s.admin, name); err != nil {
			t.Error(err)
		}
	})
	return s.dsn(name)
}

// template makes a database that is only copied from then on.
func (s source) template(prepare func(dsn string) error) (string, error) {
	name, err := createDatabase(s.admin, "template0")
	if err != nil {
		return "", err
	}
	if err := prepare(s.dsn(name)); err != nil {
		return "", err
	}
	// A connection to it, even one that is just closing, makes copying wait.
	return name, execute(s.admin,
		"ALTER DATABASE "+name+" ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
}

// withDatabase makes a DSN, URL or keywords, name another database.
func withDatabase(dsn, database string) string {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return dsn + " dbname=" + database // the last one counts
	}
	u.Path = "/" + database
	query := u.Query()
	query.Del("dbname") // it would win over the path
	u.RawQuery = query.Encode()
	return u.String()
}
