package bbbtest

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// callBack tells those who asked that a room is over. Breakout rooms end
// silently.
func (n *Node) callBack(r *room) {
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
		if n.get(target) || len(pauses) == 0 {
			return
		}
		n.timers.after(pauses[0], func() { n.deliver(target, pauses[1:]) })
	})
}

func (n *Node) get(target string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	defer context.AfterFunc(n.timers.ctx, cancel)()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: n.opts.Callbacks}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode/100 == 2
}
