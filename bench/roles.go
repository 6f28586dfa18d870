package main

import (
	"context"
	"crypto/sha1" //nolint:gosec // nodes name their rooms so
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

const (
	secret      = "bench-secret"                      //nolint:gosec // of simulated nodes
	jwtSecret   = "bench-secret-of-at-least-32-bytes" //nolint:gosec // of a server that lives for a minute
	frontendKey = "bench"                             // has nearly all meetings
	listKey     = "lists"                             // has those of getMeetings
	listed      = 5000
	firstTime   = 1_700_000_000_000
)

// room is the i-th seeded meeting: the nodes and the database agree on it.
func room(i, nodes int) (node int, key, id, nodeID, internalID string, createTime int64) {
	key, id = frontendKey, fmt.Sprintf("meeting-%06d", i)
	if i < listed {
		key = listKey
	}
	nodeID = b3scale.EncodeMeetingID(key, id)
	createTime = firstTime + int64(i)
	internalID = fmt.Sprintf("%x-%d", sha1.Sum([]byte(nodeID)), createTime) //nolint:gosec // as above
	return i % nodes, key, id, nodeID, internalID, createTime
}

// serveNodes is the role of the nodes: instant ones, with seeded rooms.
func serveNodes(ctx context.Context, count, seeded int) error {
	nodes := make([]*bbbtest.Node, count)
	for i := range nodes {
		nodes[i] = bbbtest.New(bbbtest.Options{Name: fmt.Sprintf("bbb%d", i), Secret: secret, LogSize: -1})
		if err := nodes[i].Listen("127.0.0.1:0"); err != nil {
			return err
		}
		defer nodes[i].Close()
	}
	for i := range seeded {
		node, _, id, nodeID, internalID, createTime := room(i, count)
		nodes[node].AddRoom(bbbtest.Room{
			ExternalID: nodeID, InternalID: internalID, Name: id, CreateTime: createTime, StartTime: createTime,
			AttendeePW: "attendee", ModeratorPW: "moderator", VoiceBridge: strconv.Itoa(10000 + i),
		})
	}
	for _, n := range nodes {
		fmt.Print(n.BaseURL(), " ")
	}
	fmt.Println()
	untilOrphaned(ctx)
	return nil
}

// serveFloor is the role of the floor: what net/http itself allows. It
// verifies the checksum of a join and redirects, or of anything else and
// answers as many bytes as the parameter n asks for.
func serveFloor(ctx context.Context) error {
	filler := []byte(strings.Repeat("x", 32<<20))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		query, checksum, _ := bbb.SplitChecksum(r.URL.RawQuery)
		if !bbb.Verify(call, query, checksum, secret) {
			http.Error(w, "checksum", http.StatusForbidden)
			return
		}
		if call == "join" {
			w.Header().Set("Location", "https://bbb.example.org/bigbluebutton/api/join?"+query+"&checksum="+checksum)
			w.WriteHeader(http.StatusFound)
			return
		}
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		w.Header().Set("Content-Type", bbb.ContentType)
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(filler[:min(n, len(filler))])
	})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	fmt.Println(listener.Addr())
	untilOrphaned(ctx)
	return server.Close()
}
