package demo

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// listener is the frontend's own server, as far as the demo needs it: it is told
// that meetings are over.
type listener struct {
	server *http.Server
	url    string      // what is called at the end of a meeting
	ended  chan string // ids of meetings
}

func listenForEnds(ctx context.Context) (*listener, error) {
	conn, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &listener{url: "http://" + conn.Addr().String() + "/ended", ended: make(chan string, 100)}
	l.server = &http.Server{Handler: http.HandlerFunc(l.told), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = l.server.Serve(conn) }() // until it is closed
	return l, nil
}

func (l *listener) close() { _ = l.server.Close() }

func (l *listener) told(w http.ResponseWriter, r *http.Request) {
	select {
	case l.ended <- r.FormValue("meetingID"):
		w.WriteHeader(http.StatusNoContent)
	default: // nobody reads them: whoever calls comes again
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// wait gives the id of the next meeting that is over.
func (l *listener) wait(ctx context.Context) (string, error) {
	select {
	case id := <-l.ended:
		return id, nil
	case <-ctx.Done():
		return "", errors.New("the frontend was never told of the end")
	}
}

// createQuery asks to record, and to be told of the end.
func (l *listener) createQuery() string {
	return "name=Physics+101&meetingID=" + meetingID + "&record=true&autoStartRecording=true&meta_endCallbackUrl=" + url.QueryEscape(l.url)
}
