package bbbtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// taker keeps the callbacks that come, and refuses them all.
type taker struct {
	mu  sync.Mutex
	got []taken
}

type taken struct {
	method, url, body string
	header            http.Header
	at                time.Time
}

func (r *taker) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, taken{req.Method, req.URL.String(), string(body), req.Header, time.Now()})
	w := httptest.NewRecorder()
	w.Code = http.StatusInternalServerError
	return w.Result(), nil
}

// to are those to an address.
func (r *taker) to(url string) (found []taken) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.got {
		if t.url == url {
			found = append(found, t)
		}
	}
	return found
}

// says is what a JWT claims, if the secret has signed it.
func says(t *testing.T, token, secret string, sum func() hash.Hash) (claims map[string]any) {
	t.Helper()
	end := strings.LastIndexByte(token, '.')
	mac := hmac.New(sum, []byte(secret))
	mac.Write([]byte(token[:end]))
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil || token[end+1:] != base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) {
		t.Errorf("%q is not signed: %v", token, err)
	}
	return claims
}

const readyURL, figuresURL = "https://lms.example.org/ready?x=y", "https://lms.example.org/figures"

func TestNewsOfRecordings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		params         []string
		ready, figures int
	}{
		{"recorded", []string{"record", "true", "autoStartRecording", "true"}, 2, 1},
		{"could be recorded", []string{"record", "true"}, 0, 1},
		{"events are kept", []string{"meetingKeepEvents", "true"}, 0, 1},
		{"neither", nil, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			to := &taker{}
			n := New(Options{Secret: "s", Callbacks: to, RecordingFormats: []string{"presentation", "video"}, ProcessingTime: time.Hour})
			defer n.Close()
			get(t, n, "create", append([]string{"meetingID", "room 1", "name", "A & B", "meta_analytics-callback-url", figuresURL,
				"meta_bbb-recording-ready-url", readyURL, "meta_bn-recording-ready-url", "https://lms.example.org/never"}, c.params...)...)
			internal := n.Rooms()[0].InternalID
			n.Join("room 1", Attendee{FullName: "Ada", Role: Moderator})
			ended := time.Now()
			get(t, n, "end", "meetingID", "room 1")
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			ready, figures := to.to(readyURL), to.to(figuresURL)
			if len(ready) != c.ready || len(figures) != c.figures || len(to.got) != c.ready+c.figures {
				t.Fatalf("%s: got %d and %d of %d", c.name, len(ready), len(figures), len(to.got))
			}
			for _, r := range ready {
				form, err := url.ParseQuery(r.body)
				claims := says(t, form.Get("signed_parameters"), "s", sha256.New)
				if err != nil || len(claims) != 2 || claims["meeting_id"] != "room 1" || claims["record_id"] != internal || r.method != "POST" ||
					r.header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.at.Sub(ended) != time.Hour {
					t.Errorf("%s: got %+v, %v", c.name, r, claims)
				}
			}
			for _, f := range figures {
				bearer, _ := strings.CutPrefix(f.header.Get("Authorization"), "Bearer ")
				if exp, _ := says(t, bearer, "s", sha512.New)["exp"].(float64); int64(exp) != f.at.Add(24*time.Hour).Unix() {
					t.Errorf("%s: expires at %v", c.name, exp)
				}
				var body struct {
					MeetingID  string `json:"meeting_id"`
					InternalID string `json:"internal_meeting_id"`
					Data       struct {
						Metadata  map[string]string `json:"metadata"`
						Attendees []map[string]any  `json:"attendees"`
					} `json:"data"`
				}
				if err := json.Unmarshal([]byte(f.body), &body); err != nil || body.MeetingID != "room 1" || body.InternalID != internal ||
					body.Data.Metadata["analytics_callback_url"] != figuresURL || body.Data.Metadata["meeting_name"] != "A & B" || len(body.Data.Attendees) != 1 {
					t.Errorf("%s: %v, %s", c.name, err, f.body)
				}
			}
		})
	}
}
