package bbbtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"net/http"
	"net/url"
	"strings"
	"time"

	"b3scale/bbb"
)

// process does what the scripts of the recording pipeline do after a room is
// over: figures when its events were kept, and each format of its recording,
// which is published, handed to Options.Published, and told to who asked, in this
// order. Nobody is told twice.
func (n *Node) process(r *room) {
	if target := r.Metadata.Get("analytics-callback-url"); target != "" && (r.Recording || bbb.IsTrue(r.Params.Get("meetingKeepEvents"))) {
		was, finish := r.clone(), n.opts.Now()
		n.timers.after(n.opts.ProcessingTime, func() { n.tellFigures(target, &was, finish) })
	}
	target := ""
	for _, name := range []string{"bbb-recording-ready-url", "bn-recording-ready-url", "canvas-recording-ready-url"} {
		if target == "" {
			target = r.Metadata.Get(name)
		}
	}
	if !r.recordingMarks || target == "" && !n.keepsRecordings() {
		return
	}
	rec := n.archived(r)
	for _, format := range n.opts.RecordingFormats {
		n.timers.after(n.opts.ProcessingTime, func() {
			if n.keepsRecordings() && !n.release(rec, format) {
				return
			}
			if target != "" {
				n.tellReady(target, &rec.Room)
			}
		})
	}
}

// tellReady says that a format is published, but not which.
func (n *Node) tellReady(target string, r *Room) {
	token := n.jwt("HS256", object("meeting_id", r.ExternalID, "record_id", r.InternalID))
	n.request(http.MethodPost, target, []string{"Content-Type", "application/x-www-form-urlencoded"}, url.Values{"signed_parameters": {token}}.Encode())
}

// tellFigures sends what happened in a room that is over.
func (n *Node) tellFigures(target string, r *Room, finish time.Time) {
	const form = "2006-01-02T15:04:05.000-07:00"
	metadata := fields{}
	for name, value := range r.Metadata.All() {
		metadata = metadata.add(strings.ReplaceAll(name, "-", "_"), value)
	}
	breakout := "false"
	if r.isBreakout() {
		breakout = "true"
	}
	attendees := []fields{}
	for i := range r.Attendees {
		a := &r.Attendees[i]
		attendees = append(attendees, object("ext_user_id", a.UserID, "name", a.FullName, "moderator", a.Role == Moderator))
	}
	start := time.UnixMilli(r.StartTime)
	body, err := json.Marshal(object("version", "1.0", "meeting_id", r.ExternalID, "internal_meeting_id", r.InternalID,
		"data", object("metadata", metadata.add("is_breakout", breakout).add("meeting_name", r.Name),
			"duration", int(finish.Sub(start).Seconds()), "start", start.UTC().Format(form), "finish", finish.UTC().Format(form),
			"attendees", attendees, "files", []string{}, "polls", []string{})))
	if err != nil {
		return // texts and numbers always have a JSON
	}
	token := n.jwt("HS512", object("exp", time.Now().Add(24*time.Hour).Unix()))
	n.request(http.MethodPost, target, []string{
		"Content-Type", "application/json", "Authorization", "Bearer " + token, "User-Agent", "BigBlueButton Analytics Callback",
	}, string(body))
}

// jwt signs claims with the secret of the node.
func (n *Node) jwt(method string, claims fields) string {
	sum := map[string]func() hash.Hash{"HS256": sha256.New, "HS512": sha512.New}[method]
	payload, _ := json.Marshal(claims) // see above
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+method+`"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	mac := hmac.New(sum, []byte(n.opts.Secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
