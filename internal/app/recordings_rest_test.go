package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"b3scale"
	"b3scale/internal/adminapi"
	"b3scale/internal/auth"
	"b3scale/internal/pgtest"
)

// shownRecordings are what a list of the REST API has.
func (a *archive) shownRecordings(bearer, query string) (all []adminapi.Recording) {
	a.Helper()
	status, body := operate(a, a.URL(), bearer, http.MethodGet, "/api/v1/recordings"+query, "")
	if err := json.Unmarshal([]byte(body), &all); err != nil || status != http.StatusOK {
		a.Fatalf("recordings%s: status %d, %v, %s", query, status, err, body)
	}
	if strings.Contains(body, "/protected/recordings/") || strings.Contains(body, recordingsPlayback) {
		a.Errorf("recordings%s shows what is for frontends: %s", query, body)
	}
	return all
}

// changed is the recording that the REST API answers a change with.
func (a *archive) changed(method, path, body string) (r adminapi.Recording) {
	a.Helper()
	status, answer := a.do(method, path, body)
	if err := json.Unmarshal([]byte(answer), &r); err != nil || status != http.StatusOK {
		a.Fatalf("%s %s: status %d, %v, %s", method, path, status, err, answer)
	}
	return r
}

// What operators do over REST is what frontends see, and where the files are.
func TestRecordingsOverREST(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { return file(t) },
		"PostgreSQL": func(t *testing.T) string { return pgtest.NewDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := startArchive(t, database(t))
			other, err := a.Cluster().AddFrontend(t.Context(), b3scale.Frontend{Key: "other", Secret: frontendSecret, Active: true, AccountRef: "tenant"}, b3scale.Actor{})
			if err != nil {
				t.Fatal(err)
			}
			tenant := token(t, "tenant", auth.Owner)
			var id string
			for _, name := range []string{"presentation", "video"} {
				document, err := os.ReadFile("../recordings/testdata/" + name + ".xml")
				if err != nil {
					t.Fatal(err)
				}
				id, _ = a.deliver(string(document))
			}
			all := a.shownRecordings(a.admin, "?frontend_key="+frontendKey)
			if len(all) != 1 || all[0].RecordID != id || len(all[0].Recording.Formats) != 2 || all[0].CreatedAt.IsZero() ||
				all[0].MeetingID != b3scale.EncodeMeetingID(frontendKey, "phys-101-spring") || all[0].Recording.Metadata["meetingId"] != all[0].MeetingID {
				t.Fatalf("listed as %+v", all)
			}
			for _, v := range []struct {
				visibility, home  string
				listed, protected string
			}{
				{"unpublished", "unpublished", "false", "false"}, {"protected", "published", "false", "true"}, {"public", "published", "true", "false"},
				{"unpublished", "unpublished", "false", "false"}, {"published", "published", "false", "false"}, {"public_protected", "published", "true", "true"},
			} {
				r := a.changed(http.MethodPost, "/api/v1/recordings-visibility", `{"record_id":"`+id+`","visibility":"`+v.visibility+`"}`)
				if m := r.Recording.Metadata; r.Recording.State != v.home || m["gl-listed"] != v.listed || m["protect"] != v.protected {
					t.Errorf("%s: %+v", v.visibility, r.Recording)
				}
				for _, format := range []string{"presentation", "video"} {
					if got := a.trees(id, format); got != v.home {
						t.Errorf("%s: %s is in %q, want %q", v.visibility, format, got, v.home)
					}
				}
				if seen := a.list("state=" + v.home); len(seen) != 1 || seen[0].Child("metadata").Child("protect").Text() != v.protected {
					t.Errorf("%s: the frontend sees %v", v.visibility, seen)
				}
				a.agrees()
			}

			if got := a.shownRecordings(tenant, ""); len(got) != 0 {
				t.Errorf("another tenant sees %+v", got)
			}
			moved := a.changed(http.MethodPost, "/api/v1/recordings/"+id+"/move", `{"frontend_key":"other"}`)
			if moved.FrontendID != other.ID || len(a.list("state=any")) != 0 || len(a.shownRecordings(tenant, "?meeting_id=phys-101-spring")) != 1 {
				t.Errorf("moved: %+v", moved)
			}
			if status, body := a.do(http.MethodDelete, "/api/v1/frontends/"+other.ID, ""); status != http.StatusConflict {
				t.Errorf("a frontend with recordings is deleted: %d %s", status, body)
			}
			if status, _ := operate(a, a.URL(), tenant, http.MethodDelete, "/api/v1/recordings/"+id, ""); status != http.StatusForbidden {
				t.Errorf("a tenant may delete: %d", status)
			}
			eventually(t, "it is counted", func() bool {
				return a.metrics().sum("b3scale_recordings", `frontend="other"`, `state="published"`) == 1
			})
			a.changed(http.MethodDelete, "/api/v1/recordings/"+id, "")
			if got := a.trees(id, "presentation") + a.trees(id, "video"); got != "" || len(a.shownRecordings(a.admin, "")) != 0 {
				t.Errorf("deleted, but there is %q", got)
			}
			a.agrees()
			s := a.metrics()
			for kind, want := range map[string]float64{"import": 2, "publish": 6, "delete": 1, "repair": 0} {
				if got := s.sum("b3scale_recording_operations_total", `kind="`+kind+`"`, `result="done"`); got != want {
					t.Errorf("%v times %s, want %v", got, kind, want)
				}
			}
		})
	}
}
