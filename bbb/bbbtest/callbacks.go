package bbbtest

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// callBack tells those who asked that a room is over, and later what was made
// of it. Breakout rooms end silently.
func (n *Node) callBack(r *room) {
	n.process(r)
	if r.isBreakout() {
		return
	}
	if target := r.Metadata.Get("endcallbackurl"); target != "" {
		separator := "?"
		if strings.Contains(target, "?") {
			separator = "&"
		}
		n.deliver(target+separator+"recordingmarks="+strconv.FormatBool(r.recordingMarks)+
			"&meetingID="+url.QueryEscape(r.ExternalID), n.opts.CallbackPauses)
	}
	if r.MeetingEndedURL != "" {
		n.deliver(r.MeetingEndedURL, n.opts.CallbackPauses)
	}
}

// deliver sends one callback in the background, and again after each pause
// until somebody takes it.
func (n *Node) deliver(target string, pauses []time.Duration) {
	n.timers.after(0, func() {
		if n.request(http.MethodGet, target, nil, "") || len(pauses) == 0 {
			return
		}
		n.timers.after(pauses[0], func() { n.deliver(target, pauses[1:]) })
	})
}

// request makes one attempt, with headers as name, value, name, value.
func (n *Node) request(method, target string, headers []string, body string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	defer context.AfterFunc(n.timers.ctx, cancel)()
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return false
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Transport: n.opts.Callbacks}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode/100 == 2
}
