package pgtest

import "testing"

// Server is a server of its own, for tests that stop it.
type Server struct {
	t       testing.TB
	cluster *cluster
	dsn     string
}

// Start starts a server that lives as long as the test.
func Start(t testing.TB) *Server {
	t.Helper()
	return start(t, false)
}

// Launch starts a server for a program that is no test, and returns the URL of
// an empty database in it.
func Launch() (dsn string, stop func() error, err error) {
	c, err := newCluster(false)
	if err != nil {
		return "", nil, err
	}
	name, err := createDatabase(c.dsn("postgres"), "template0")
	if err != nil {
		_ = c.close() // the first error says it
		return "", nil, err
	}
	return c.dsn(name), c.close, nil
}

// StartTCP is Start on a port of 127.0.0.1 instead of a socket file.
func StartTCP(t testing.TB) *Server {
	t.Helper()
	return start(t, true)
}

func start(t testing.TB, tcp bool) *Server {
	t.Helper()
	c, err := newCluster(tcp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	s := &Server{t: t, cluster: c}
	s.dsn = s.NewDatabase()
	return s
}

// DSN is the URL of its database, which is empty at first.
func (s *Server) DSN() string { return s.dsn }

// NewDatabase creates another empty database and returns its URL.
func (s *Server) NewDatabase() string {
	s.t.Helper()
	name, err := createDatabase(s.cluster.dsn("postgres"), "template0")
	if err != nil {
		s.t.Fatal(err)
	}
	return s.cluster.dsn(name)
}

// Stop ends the server at once, as a crash would, and waits for its end.
// Connections break.
func (s *Server) Stop() {
	s.t.Helper()
	if err := s.cluster.stop(); err != nil {
		s.t.Fatal(err)
	}
}

// Start starts it again, with the same data at the same address.
func (s *Server) Start() {
	s.t.Helper()
	if err := s.cluster.start(); err != nil {
		s.t.Fatal(err)
	}
}

// Pause makes the server hang: connections stay open, can even be made, and
// nothing answers.
func (s *Server) Pause() {
	s.t.Helper()
	if err := s.cluster.pause(); err != nil {
		s.t.Fatal(err)
	}
}

// Continue ends a Pause.
func (s *Server) Continue() { s.cluster.resume() }
