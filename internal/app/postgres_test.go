package app_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/pgtest"
)

const databasePassword = "hunter2-hunter2"

// withPassword adds one to a DSN; the servers of tests do not look at it.
func withPassword(t testing.TB, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), databasePassword)
	return u.String()
}

// execute runs one statement in a database.
func execute(t testing.TB, dsn, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// relations counts all that is in a database.
func relations(t testing.TB, dsn string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_class").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// From an empty database to a meeting, which the other instance knows at once.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{})
	dsn := withPassword(t, pgtest.NewDatabase(t))
	env := []string{"B3SCALE_DB_URL=" + dsn, "B3SCALE_LISTEN_HTTP=127.0.0.1:0", "B3SCALE_LOG_LEVEL=debug"}
	one := start(t, env, n)
	other := start(t, append(env[1:], "B3SCALE_DB_URL="+keyValues(t, dsn), "B3SCALE_DB_LISTEN_URL=off"), n)
	for _, d := range []*instance{one, other} {
		eventually(t, "it is ready", func() bool {
			_, body := d.get("/readyz")
			return body == "ready\n"
		})
	}
	for i, d := range []*instance{one, other, one} {
		query := fmt.Sprintf("name=Room&meetingID=room-%d", i)
		if status, body := d.call("create", query); status != http.StatusOK || !strings.Contains(body, "SUCCESS") {
			t.Fatalf("create: got %d %s", status, body)
		}
		for _, d := range []*instance{one, other} {
			if status, body := d.call("join", "role=VIEWER&fullName=Ada&"+query); status != http.StatusFound {
				t.Errorf("join at once after the create at the other instance: got %d %s", status, body)
			}
		}
	}
	for _, d := range []*instance{one, other} {
		if err := finishes(t, "Stop", background(d.Stop)); err != nil {
			t.Error(err)
		}
		if !storeOpened.MatchString(d.log.String()) {
			t.Errorf("the log does not tell which database it is: %s", d.log)
		}
		noSecrets(t, "the log", d.log.String(), databasePassword)
	}
	if instanceIn(one.log.String()) == instanceIn(other.log.String()) {
		t.Errorf("both instances are called %q", instanceIn(one.log.String()))
	}
}

var storeOpened = regexp.MustCompile(`"msg":"store opened","url":"(postgres://\w+:•••@|host=\S+ port=\d+ user=\w+ password=••• dbname=)`)

// keyValues is the same address in libpq's other form.
func keyValues(t testing.TB, dsn string) string {
	t.Helper()
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", c.Host, c.Port, c.User, c.Password, c.Database)
}

// instanceIn finds in a log what an instance is called.
func instanceIn(log string) string {
	_, rest, _ := strings.Cut(log, `"instance":"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

func TestMigrateAndCheckPostgres(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	env := []string{"B3SCALE_DB_URL=" + withPassword(t, dsn), "B3SCALE_LISTEN_HTTP=127.0.0.1:0"}
	byHand := append(env, "B3SCALE_DB_AUTO_MIGRATE=false")
	check := func(env []string, code int, want string) {
		t.Helper()
		got, stdout, stderr := run([]string{"check"}, env)
		if got != code || !strings.Contains(stdout, want) {
			t.Errorf("check: exit code %d, want %d; %s, want %q in it; %s", got, code, stdout, want, stderr)
		}
		noSecrets(t, "check", stdout+stderr, databasePassword)
	}
	before := relations(t, dsn)
	check(byHand, 1, "problem  store postgres://postgres:•••@")
	check(byHand, 1, "has no schema")
	check(env, 0, "it is created at the first start")
	if now := relations(t, dsn); now != before {
		t.Errorf("check has made %d relations", now-before)
	}
	for range 2 {
		if code, stdout, stderr := run([]string{"migrate"}, byHand); code != 0 || stdout != "" {
			t.Fatalf("migrate: exit code %d, %s, %s", code, stdout, stderr)
		}
	}
	check(env, 0, "ok       store postgres://postgres:•••@")
	execute(t, dsn, "DELETE FROM goose_db_version WHERE version_id > 0")
	check(byHand, 1, "run the migrate command")
	check(env, 0, "it is migrated at the next start")
	execute(t, dsn, "INSERT INTO goose_db_version (version_id, is_applied) SELECT n, true FROM generate_series(1, 9999) AS n")
	for _, args := range [][]string{nil, {"migrate"}} {
		if code, _, stderr := run(args, env); code != 1 || !strings.Contains(stderr, "newer") {
			t.Errorf("%q with tables of a newer program: exit code %d, %s", args, code, stderr)
		}
	}
	check(env, 1, "newer")
}

// serverSays is how PostgreSQL puts it.
var serverSays = map[string]string{
	"28000": `no pg_hba.conf entry for host "192.0.2.7", user "b3scale", database "b3scale", no encryption`,
	"28P01": `password authentication failed for user "b3scale"`,
	"3D000": `database "b3scale" does not exist`,
	"53300": "sorry, too many clients already",
	"57P03": "the database system is starting up",
}

// refusing is a PostgreSQL that answers every connection with an error; with
// the code "" it accepts them and is silent.
func refusing(t testing.TB, code string) (dsn string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if code == "" {
					_, _ = io.Copy(io.Discard, conn)
					return
				}
				backend := pgproto3.NewBackend(conn, conn)
				if _, err := backend.ReceiveStartupMessage(); err != nil {
					return
				}
				backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: serverSays[code]})
				_ = backend.Flush()
			}()
		}
	}()
	return "postgres://b3scale:" + databasePassword + "@" + listener.Addr().String() + "/b3scale?sslmode=disable"
}

// Whatever is wrong with the database, check says it soon and in one line.
func TestCheckOfABadDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, dsn, want string }{
		{"nobody listens", "postgres://b3scale:" + databasePassword + "@" + freeAddress(t) + "/b3scale?sslmode=disable", "refused"},
		{"the server is silent", refusing(t, ""), "answer"},
		{"the password is wrong", refusing(t, "28P01"), "password"},
		{"nobody may come in", refusing(t, "28000"), "no pg_hba.conf entry"},
		{"the database is missing", pgtest.NewDatabase(t) + "&dbname=missing", `database "missing" does not exist`},
		{"the server starts", refusing(t, "57P03"), "starting up"},
		{"there are too many connections", refusing(t, "53300"), "too many clients"},
		{"the URL makes no sense", "postgres://b3scale:" + databasePassword + "@127.0.0.1:99999/b3scale", "cannot be read: invalid port"},
		{"a DSN", "host=127.0.0.1 port=1 user=b3scale dbname=b3scale sslmode=disable password=" + databasePassword, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			code, stdout, stderr := run([]string{"check"}, []string{"B3SCALE_DB_URL=" + c.dsn, "B3SCALE_LISTEN_HTTP=127.0.0.1:0"})
			t.Logf("%v\n%s%s", time.Since(begin).Round(time.Millisecond), stdout, stderr)
			if code != 1 || !strings.Contains(stdout, "problem  store ") || !strings.Contains(stdout, c.want) {
				t.Errorf("exit code %d, %s, want %q", code, stdout, c.want)
			}
			if problems := strings.Count(stdout, "problem  "); problems != 1 || !strings.Contains(stdout, "do: ") {
				t.Errorf("%d problems, want one and what to do: %s", problems, stdout)
			}
			if took := time.Since(begin); took > 15*time.Second {
				t.Errorf("check took %v", took)
			}
			noSecrets(t, "check", stdout+stderr, databasePassword)
		})
	}
}

// With an address for the news of its own, both are tried.
func TestCheckTriesBothAddresses(t *testing.T) {
	t.Parallel()
	good := pgtest.NewDatabase(t)
	env := []string{"B3SCALE_DB_URL=" + good, "B3SCALE_LISTEN_HTTP=127.0.0.1:0"}
	if code, _, stderr := run([]string{"migrate"}, env); code != 0 {
		t.Fatal(stderr)
	}
	for _, c := range []struct {
		url, listen string
		code        int
		want        string
	}{
		{good, good, 0, "ok       store"},
		{good, refusing(t, "57P03"), 1, "starting up"},
		{refusing(t, "28P01"), good, 1, "password"},
		{good, pgtest.NewDatabase(t), 1, "different databases"},
		{good, "postgres://127.0.0.1:99999/x", 1, "URL for listening cannot be read: invalid port"},
	} {
		code, stdout, stderr := run([]string{"check"}, append(env[1:], "B3SCALE_DB_URL="+c.url, "B3SCALE_DB_LISTEN_URL="+c.listen))
		if code != c.code || !strings.Contains(stdout, c.want) {
			t.Errorf("exit code %d, %s%s, want %d and %q", code, stdout, stderr, c.code, c.want)
		}
		noSecrets(t, "check", stdout+stderr, databasePassword)
	}
}

// Waiting does not help against these: the start ends at once.
func TestStartWithABadDatabase(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"28P01", "28000", "3D000"} {
		log := &syncBuffer{}
		cfg := load(t, []string{"B3SCALE_DB_URL=" + refusing(t, code), "B3SCALE_LISTEN_HTTP=127.0.0.1:0"})
		_, err := app.New(t.Context(), cfg, app.NewLogger(cfg, log), app.Options{StorePatience: time.Hour})
		if err == nil || log.String() != "" {
			t.Errorf("%s: error %v, log %s, want an error at once", code, err, log)
		}
		noSecrets(t, "the start", fmt.Sprint(err, log), databasePassword)
	}
	log := &syncBuffer{}
	cfg := load(t, []string{"B3SCALE_DB_URL=" + refusing(t, "57P03"), "B3SCALE_LISTEN_HTTP=127.0.0.1:0"})
	_, err := app.New(t.Context(), cfg, app.NewLogger(cfg, log), app.Options{StorePatience: time.Second})
	if err == nil || !strings.Contains(err.Error(), "gave up after 1s") {
		t.Errorf("got %v, want it to tell how long it waited", err)
	}
}

// The database comes up after us, goes away again, and we can still be stopped.
func TestStartBeforeTheDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	server.Stop()
	d := &daemon{binary: buildDaemon(t), env: []string{"B3SCALE_DB_URL=" + withPassword(t, server.DSN())}}
	t.Cleanup(d.kill)
	d.begin(t)
	eventually(t, "it says that it waits", func() bool { return strings.Contains(d.log.String(), "the database does not answer yet") })
	server.Start()
	d.waitReady(t)

	server.Pause()
	defer server.Continue()
	begin := time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM without a database the process ended with %v, want exit code 0: %s", err, &d.log)
	}
	if took := time.Since(begin); took > 25*time.Second {
		t.Errorf("the stop took %v", took)
	} else {
		t.Logf("the stop took %v", took.Round(time.Millisecond))
	}
	d.cmd = nil
	noSecrets(t, "the log", d.log.String(), databasePassword)
}

// Who is told to stop while it waits for the database was not at fault.
func TestStopWhileWaitingForTheDatabase(t *testing.T) {
	t.Parallel()
	d := &daemon{binary: buildDaemon(t), env: []string{"B3SCALE_DB_URL=" + refusing(t, "57P03")}}
	t.Cleanup(d.kill)
	d.begin(t)
	eventually(t, "it says that it waits", func() bool { return strings.Contains(d.log.String(), "the database does not answer yet") })
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := finishes(t, "the process", background(d.cmd.Wait)); err != nil {
		t.Errorf("the process ended with %v, want exit code 0: %s", err, &d.log)
	}
	d.cmd = nil
}
