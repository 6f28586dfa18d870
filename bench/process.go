package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// process is a child that said where it listens.
type process struct {
	cmd       *exec.Cmd
	addresses []string
}

// startRole runs this program again in another role. A role prints its
// addresses on one line and then serves until its standard input closes.
func startRole(ctx context.Context, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // ourselves
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if _, err := cmd.StdinPipe(); err != nil { // closes when we die
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%v said nothing: %w", args, err), cmd.Wait())
	}
	return &process{cmd: cmd, addresses: strings.Fields(line)}, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// untilOrphaned returns when the parent is gone or ctx ends.
func untilOrphaned(ctx context.Context) {
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(gone)
	}()
	select {
	case <-ctx.Done():
	case <-gone:
	}
}

// buildDaemon compiles b3scaled as it is shipped.
func buildDaemon(ctx context.Context, dir string) (string, error) {
	binary := dir + "/b3scaled"
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "./cmd/b3scaled") //nolint:gosec // our own path
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return binary, cmd.Run()
}

// startDaemon runs b3scaled on a database and waits until it is ready.
func startDaemon(ctx context.Context, binary, database string) (*process, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary) //nolint:gosec // just built
	cmd.Env = append(os.Environ(), "B3SCALE_DB_URL="+database, "B3SCALE_LISTEN_HTTP="+address, "B3SCALE_LOG_LEVEL=error", "B3SCALE_API_JWT_SECRET="+jwtSecret)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, addresses: []string{address}}
	for range 600 {
		if ready(ctx, address) {
			return p, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return nil, errors.New("b3scaled did not become ready")
}

func ready(ctx context.Context, address string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
