package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
)

func TestHelpDocumentsEverything(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, io.Discard, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("got %v, want the error of flag for -h", err)
	}
	for _, want := range []string{"-nodes", "-listen", "-host", "-control", "-secret", "-version", "-end-delay", "-formats", "-processing-time", "-recordings", "-import-url", "-import-token-file", "-redis", "-redis-password", "-users", "-churn", "-properties", "/nodes/I/faults", "blackHole"} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("help lacks %q:\n%s", want, help.String())
		}
	}
}

func TestBadArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-nodes", "x"}, {"extra"}, {"-version", "1.0"}, {"-nodes", "0"}, {"-redis", "x"},
		{"-users", "-1"}, {"-users", "1", "-churn", "-1"}, {"-churn", "1"}, {"-users", "1", "-churn", "1e9"},
		{"-import-url", "http://127.0.0.1:1", "-import-token-file", "/dev/null"}, {"-recordings", "x", "-import-url", "http://127.0.0.1:1"},
		{"-recordings", "x", "-import-token-file", "/dev/null"}, {"-recordings", "x", "-import-url", "127.0.0.1", "-import-token-file", "/dev/null"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

func TestStopsCleanly(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out bytes.Buffer
	if err := run(ctx, []string{"-nodes", "2", "-listen", "127.0.0.1:0", "-control", "", "-secret", "hush"}, &out, io.Discard); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if got := strings.Count(out.String(), "secret hush\n"); got != 2 {
		t.Errorf("%d nodes are told, want 2: %s", got, out.String())
	}
}
