package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience bounds every step; machines that run many tests are slow.
const patience = 60 * time.Second

// cluster is a server with its data.
type cluster struct {
	keeper     *keeper
	port       int // 0: only the socket
	postmaster int
}

// pristine keeps data that no server has touched: initdb takes long, a copy
// does not.
var pristine = sync.OnceValues(func() (*keeper, error) {
	k, err := newKeeper()
	if err != nil {
		return nil, err
	}
	return k, k.must("init", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
})

// newCluster makes and starts a cluster.
func newCluster(tcp bool) (_ *cluster, err error) {
	k, err := newKeeper()
	if err != nil {
		return nil, err
	}
	c := &cluster{keeper: k}
	defer func() {
		if err != nil {
			_ = k.close() // the first error says it
		}
	}()
	first, err := pristine()
	if err != nil {
		return nil, err
	}
	if err := k.must("copy", first.dir); err != nil {
		return nil, err
	}
	if !tcp {
		return c, c.start()
	}
	// Between asking for a free port and using it, somebody else may take it.
	for range 10 {
		if c.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = c.start(); err == nil {
			break
		}
	}
	return c, err
}

// settings trade all durability for speed. They leave alone what programs can
// notice, such as synchronous_commit.
var settings = []string{
	"fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "checkpoint_timeout=1h", "max_wal_size=128MB",
	"max_connections=400", "shared_buffers=16MB", "jit=off", "max_logical_replication_workers=0",
	"dynamic_shared_memory_type=mmap", // in our directory, where nothing can stay behind
}

// start starts the server and waits until it answers.
func (c *cluster) start() error {
	words := []string{"start"}
	for _, setting := range settings {
		words = append(words, "-c", setting)
	}
	if c.port == 0 {
		words = append(words, "-c", "listen_addresses=")
	} else {
		words = append(words, "-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(c.port))
	}
	answer, err := c.keeper.ask(words...)
	if err != nil {
		return fmt.Errorf("ask for a start of PostgreSQL: %w", err)
	}
	if c.postmaster, err = strconv.Atoi(answer); err != nil {
		return err
	}
	if err := c.ready(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w\n%s", err, c.keeper.log())
	}
	return nil
}

// ready waits until the server answers, or is seen to have given up.
func (c *cluster) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := c.answers(ctx)
		if err == nil || ctx.Err() != nil || !alive(c.postmaster) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// answers also makes sure that it is this server: another one may have the port.
func (c *cluster) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.dsn("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var data string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&data); err != nil {
		return err
	}
	if want := filepath.Join(c.keeper.dir, "data"); data != want {
		return fmt.Errorf("a server with the data of %s answers, not %s", data, want)
	}
	return nil
}

// stop ends the server at once, as a crash would, and waits for its end.
func (c *cluster) stop() error {
	_, err := c.keeper.ask("stop")
	c.postmaster = 0
	return err
}

func (c *cluster) close() error { return c.keeper.close() }

func (c *cluster) dsn(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database}
	if c.port == 0 {
		u.RawQuery = url.Values{"host": {c.keeper.dir}, "sslmode": {"disable"}}.Encode()
	} else {
		u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port))
		u.RawQuery = "sslmode=disable"
	}
	return u.String()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// createDatabase makes a database on the server of admin and returns its name.
func createDatabase(admin, template string) (string, error) {
	name := "b3scale_test_" + strings.ToLower(rand.Text())
	return name, execute(admin, "CREATE DATABASE "+name+" TEMPLATE "+template)
}

func dropDatabase(admin, name string) error {
	return execute(admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
}

// execute runs statements on a connection of their own.
func execute(dsn string, statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
