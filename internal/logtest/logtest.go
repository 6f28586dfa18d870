package logtest

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

// Dir is the variable that names the directory where logs are kept. When it is
// unset nothing is.
const Dir = "B3SCALE_TEST_LOG_DIR"

// Keep adds lines to the file of this process. Give it whole lines: tests that
// run at the same time write to it in turns.
func Keep(lines []byte) {
	f := file()
	if f == nil || len(lines) == 0 {
		return
	}
	if _, err := f.Write(lines); err != nil { // opened to append: one write is one piece
		panic(fmt.Errorf("keep a log: %w", err)) // or the search would miss it
	}
}

// Writer keeps what is written to it. Give it whole lines.
func Writer() io.Writer { return keeper{} }

// Logger is for tests that do not look at the log: it only keeps it.
func Logger() *slog.Logger {
	if file() == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(Writer(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Level is the one for processes that tests start: "debug" when logs are kept,
// and quiet otherwise.
func Level() string {
	if file() == nil {
		return "info"
	}
	return "debug"
}

type keeper struct{}

var _ io.Writer = keeper{}

func (keeper) Write(lines []byte) (int, error) {
	Keep(lines)
	return len(lines), nil
}

// file is nil when logs are not kept.
var file = sync.OnceValue(func() *os.File {
	dir := os.Getenv(Dir)
	if dir == "" {
		return nil
	}
	return open(filepath.Join(dir, fmt.Sprintf("%s-%d.log", filepath.Base(os.Args[0]), os.Getpid())))
})

func open(name string) *os.File {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(fmt.Errorf("%s: %w", Dir, err))
	}
	return f
}
