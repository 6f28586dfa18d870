package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"b3scale/bbb"
)

// target is what a measurement calls: request i of an endless row.
type target struct {
	address string
	request func(i int64) []byte
	want    string // in the status line or the body of every answer
}

// get renders a signed GET.
func get(path, call, query string) []byte {
	return []byte("GET " + path + call + "?" + bbb.SignedQuery(call, query, secret) + " HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n")
}

// result of one measurement.
type result struct {
	perSecond float64
	bytes     float64 // of bodies, per second
	size      int     // of one body
}

// measure runs closed loops over kept-alive connections: each caller sends its
// next request when the last is answered. The client does as little as it can,
// so that the server gets the machine.
func measure(ctx context.Context, t target, callers int, d time.Duration, next *atomic.Int64) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var (
		wg    sync.WaitGroup
		done  atomic.Int64
		sum   atomic.Int64
		size  atomic.Int64
		mu    sync.Mutex
		first error
	)
	begin := time.Now()
	for range callers {
		wg.Go(func() {
			n, bytes, last, err := loop(ctx, t, next)
			done.Add(n)
			sum.Add(bytes)
			size.Store(int64(last))
			if err != nil {
				mu.Lock()
				first = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(begin).Seconds()
	return result{float64(done.Load()) / took, float64(sum.Load()) / took, int(size.Load())}, first
}

func loop(ctx context.Context, t target, next *atomic.Int64) (n, bytes int64, size int, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.address)
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReaderSize(conn, 64<<10)
	for ctx.Err() == nil {
		if _, err := conn.Write(t.request(next.Add(1))); err != nil {
			return n, bytes, size, err
		}
		if size, err = readAnswer(in, t.want); err != nil {
			return n, bytes, size, err
		}
		n++
		bytes += int64(size)
	}
	return n, bytes, size, nil
}

// readAnswer reads one HTTP answer with a Content-Length and looks for want.
func readAnswer(in *bufio.Reader, want string) (size int, err error) {
	found := false
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		found = found || bytes.Contains(line, []byte(want))
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if size, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		}
	}
	if found || size > 4096 {
		_, err = in.Discard(size)
		return size, err
	}
	body := make([]byte, size)
	if _, err = io.ReadFull(in, body); err == nil && !bytes.Contains(body, []byte(want)) {
		err = fmt.Errorf("wrong answer: %s", body)
	}
	return size, err
}

var errNoFloor = errors.New("the floor did not answer")
