package pgtest

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func query(t *testing.T, dsn, text string) string {
	t.Helper()
	var got string
	if err := connect(t, dsn).QueryRow(t.Context(), text).Scan(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain: " + what)
		}
	}
}

func TestDatabasesAreDroppedWithTheirTest(t *testing.T) {
	t.Parallel()
	var first string
	t.Run("inner", func(t *testing.T) {
		first = NewDatabase(t)
		if second := NewDatabase(t); first == second {
			t.Errorf("two databases are %s", first)
		}
		connect(t, first) // a connection that stays open does not keep it
	})
	conn, err := pgx.Connect(t.Context(), first)
	if err == nil {
		conn.Close(t.Context())
		t.Errorf("%s is still there", first)
	}
}

func TestTemplateIsPreparedOnce(t *testing.T) {
	if os.Getenv("B3SCALE_TEST_DB_URL") != "" {
		t.Skip("a server that is not ours has no templates")
	}
	t.Parallel()
	name := rand.Text() // with -count there are several of this test
	prepared := 0
	for range 3 {
		dsn := FromTemplate(t, name, func(dsn string) error {
			prepared++
			return execute(dsn, "CREATE TABLE words (word text)", "INSERT INTO words VALUES ('hello')")
		})
		if got := query(t, dsn, "UPDATE words SET word = word || '!' RETURNING word"); got != "hello!" {
			t.Errorf("the copy says %q, want %q", got, "hello!")
		}
	}
	if prepared != 1 {
		t.Errorf("prepared %d times, want once", prepared)
	}
}

func TestGivenServer(t *testing.T) {
	s := Start(t)
	t.Setenv("B3SCALE_TEST_DB_URL", s.DSN())
	dsn := FromTemplate(t, "given", func(dsn string) error { return execute(dsn, "CREATE TABLE words (word text)") })
	if got := query(t, dsn, "SELECT count(*)::text FROM words"); got != "0" {
		t.Errorf("%s words, want 0", got)
	}
	if got, want := query(t, dsn, "SELECT setting FROM pg_settings WHERE name = 'data_directory'"), s.cluster.keeper.dir+"/data"; got != want {
		t.Errorf("the data is in %s, want %s", got, want)
	}
}

func TestWithDatabase(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"postgres://me:secret@db.example:5433/mine?sslmode=disable": "postgres://me:secret@db.example:5433/other?sslmode=disable",
		"postgres:///?dbname=mine":                                  "postgres:///other",
		"host=db.example dbname=mine":                               "host=db.example dbname=mine dbname=other",
	} {
		if got := withDatabase(given, "other"); got != want {
			t.Errorf("%s becomes %s, want %s", given, got, want)
		}
		config, err := pgx.ParseConfig(withDatabase(given, "other"))
		if err != nil || config.Database != "other" {
			t.Errorf("%s leads to the database %q (%v)", given, config.Database, err)
		}
	}
}

func TestServerStopsAndStarts(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) *Server{"socket": Start, "TCP": StartTCP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			if err := execute(s.DSN(), "CREATE TABLE words AS SELECT 'kept' AS word"); err != nil {
				t.Fatal(err)
			}
			s.Stop()
			if err := execute(s.DSN(), "SELECT 1"); err == nil {
				t.Error("a stopped server answers")
			}
			s.Start()
			if got := query(t, s.DSN(), "SELECT word FROM words"); got != "kept" {
				t.Errorf("after a restart the word is %q", got)
			}
		})
	}
}

func TestPausedServerHangs(t *testing.T) {
	t.Parallel()
	s := Start(t)
	conn := connect(t, s.DSN())
	s.Pause()
	answer := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "SELECT 1")
		answer <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := pgx.Connect(ctx, s.DSN()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("connecting to a paused server: %v, want no answer", err)
	}
	select {
	case err := <-answer:
		t.Errorf("a paused server answers %v", err)
	default:
	}
	s.Continue()
	if err := <-answer; err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

// Killing is the hardest end of a process: nothing of it runs any more.
func TestNothingOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	for _, paused := range []bool{false, true} {
		t.Run("paused "+strconv.FormatBool(paused), func(t *testing.T) {
			t.Parallel()
			child := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$", "-test.v")
			child.Env = append(os.Environ(), "PGTEST_HELPER=1", "PGTEST_PAUSED="+strconv.FormatBool(paused))
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			var dir string
			var pids []int
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if text, ok := strings.CutPrefix(lines.Text(), "HELPER "); ok {
					words := strings.Fields(text)
					dir = words[0]
					for _, word := range words[1:] {
						pid, _ := strconv.Atoi(word)
						pids = append(pids, pid)
					}
					break
				}
			}
			if len(pids) < 3 {
				t.Fatalf("the child tells of the processes %v", pids)
			}
			_ = child.Process.Kill()
			_ = child.Wait()
			for _, pid := range pids {
				eventually(t, "process "+strconv.Itoa(pid)+" ends", func() bool { return !alive(pid) })
			}
			eventually(t, dir+" is removed", func() bool {
				_, err := os.Stat(dir)
				return errors.Is(err, fs.ErrNotExist)
			})
		})
	}
}

// TestHelperProcess is the process to be killed.
func TestHelperProcess(t *testing.T) {
	if os.Getenv("PGTEST_HELPER") == "" {
		return
	}
	s := Start(t)
	c := s.cluster
	pids := append(children(c.postmaster), c.postmaster, c.keeper.cmd.Process.Pid)
	if os.Getenv("PGTEST_PAUSED") == "true" {
		s.Pause()
	}
	words := []string{"HELPER", c.keeper.dir}
	for _, pid := range pids {
		words = append(words, strconv.Itoa(pid))
	}
	os.Stdout.WriteString(strings.Join(words, " ") + "\n")
	select {}
}
