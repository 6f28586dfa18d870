package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

// agentRef is the subject of the agent that heartbeats come from.
const agentRef = "bench-agent"

// heartbeats measures how long a heartbeat takes while nothing else happens,
// and how long beside a gateway that gets as many joins as it can take and a
// node that hangs. It prints the second as a ratio to the first.
func heartbeats(ctx context.Context, s settings, store, daemon string, meetings int) error {
	token, err := auth.NewKeys(jwtSecret, "").Mint(auth.Claims{Subject: agentRef, Scopes: auth.Scopes{auth.Node}})
	if err != nil {
		return err
	}
	request := []byte("POST /api/v1/agent/heartbeat HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " + token +
		"\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n")
	quiet, err := latencies(ctx, daemon, request, s.measure)
	if err != nil {
		return err
	}
	join := works(meetings)[0]
	var next atomic.Int64
	var wg sync.WaitGroup
	var loadErr error
	wg.Go(func() {
		_, loadErr = measure(ctx, target{address: daemon, request: join.request, want: join.want}, s.callers, 2*s.measure, &next)
	})
	busy, err := latencies(ctx, daemon, request, s.measure)
	wg.Wait()
	if err != nil || loadErr != nil {
		return fmt.Errorf("heartbeats: %w", cmpErr(err, loadErr))
	}
	_, err = fmt.Fprintf(os.Stdout, "heartbeat, %s, %d meetings: beside %d callers and a hanging node %.1f times the quiet median, %.1f times the quiet 99th percentile\n",
		store, meetings, s.callers, ratio(busy, quiet, 0.5), ratio(busy, quiet, 0.99))
	return err
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func ratio(a, b []time.Duration, quantile float64) float64 {
	at := func(d []time.Duration) float64 { return float64(d[int(quantile*float64(len(d)-1))]) }
	return at(a) / at(b)
}

// latencies sends heartbeats one after the other, a hundred a second at most,
// and returns how long each took, the shortest first.
func latencies(ctx context.Context, address string, request []byte, d time.Duration) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	var all []time.Duration
	for end := time.Now().Add(d); len(all) == 0 || time.Now().Before(end); {
		begin := time.Now()
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		if _, err := readAnswer(in, " 200 "); err != nil {
			return nil, err
		}
		all = append(all, time.Since(begin))
		time.Sleep(10 * time.Millisecond)
	}
	slices.Sort(all)
	return all, nil
}

// hangingNode accepts connections and never answers.
func hangingNode(ctx context.Context) (b3scale.Backend, func(), error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return b3scale.Backend{}, nil, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}()
		}
	}()
	backend := b3scale.Backend{Host: "http://" + listener.Addr().String() + "/bigbluebutton/api/", Secret: secret, AdminState: b3scale.AdminReady, LoadFactor: 1, AgentRef: agentRef}
	return backend, func() { _ = listener.Close() }, nil
}
