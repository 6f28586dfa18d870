package app

import (
	"context"
	"io"
	"log/slog"
	"sync"

	"b3scale/internal/adminapi"
	"b3scale/internal/config"
	"b3scale/internal/web"
)

// Level is how much a log tells. It may change while the log is used.
type Level struct {
	current    slog.LevelVar
	configured slog.Level

	changing sync.Mutex
	log      *slog.Logger // whose level it is
}

var _ adminapi.LogLevel = (*Level)(nil)

// NewLog logs as the settings say, with the request's id on every line.
func NewLog(cfg config.Config, w io.Writer) (*slog.Logger, *Level) {
	level := &Level{configured: cfg.LogLevel.Level()}
	level.current.Set(level.configured)
	opts := &slog.HandlerOptions{Level: &level.current}
	var handler slog.Handler = slog.NewJSONHandler(w, opts)
	if cfg.LogFormat == config.LogText {
		handler = slog.NewTextHandler(w, opts)
	}
	level.log = slog.New(web.LogHandler(handler))
	return level.log, level
}

// NewLogger is a log whose level stays as it is.
func NewLogger(cfg config.Config, w io.Writer) *slog.Logger {
	log, _ := NewLog(cfg, w)
	return log
}

// Names are the level that counts, and the one of the settings.
func (l *Level) Names() (current, configured string) {
	return config.LogLevel(l.current.Level()).String(), config.LogLevel(l.configured).String()
}

// Change sets the level by its name or number; "" is that of the settings. by
// says for the log who wants it.
func (l *Level) Change(ctx context.Context, name, by string) error {
	to := l.configured
	if name != "" {
		level, err := config.ParseLogLevel(name)
		if err != nil {
			return err
		}
		to = level.Level()
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	l.change(ctx, to, by)
	return nil
}

// Toggle switches to debug, and from there back to the level of the settings.
func (l *Level) Toggle(ctx context.Context, by string) {
	l.changing.Lock()
	defer l.changing.Unlock()
	to := slog.LevelDebug
	if l.current.Level() <= slog.LevelDebug {
		to = l.configured
	}
	l.change(ctx, to, by)
}

// change expects the lock. It is logged while the log tells enough: that line
// must be seen, whatever the level is.
func (l *Level) change(ctx context.Context, to slog.Level, by string) {
	from := l.current.Level()
	l.current.Set(min(from, to, slog.LevelInfo))
	l.log.InfoContext(ctx, "log level changed", "from", config.LogLevel(from).String(), "to", config.LogLevel(to).String(), "by", by)
	l.current.Set(to)
}
