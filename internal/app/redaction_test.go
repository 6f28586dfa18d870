package app_test

import (
	"database/sql"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
	"b3scale/internal/config"
	"b3scale/internal/logtest"
)

// What stands here must not be in any log. Each is used below.
const (
	somebody     = "Grace Hopper"
	somebodySent = "Grace+Hopper"
	passwordA    = "grace-Pa55word-a"
	passwordM    = "grace-Pa55word-m"
	passwordSet  = "grace-Pa55word-set" // in settings
	callbackSent = "grace-T0ken-callback"
	newSecret    = "grace-Secret-new"
)

// Through everything that the doors do today, at debug level and with a line
// for each request: no secret, token, password, checksum or name of a person
// gets into the log, and the log is there.
func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{passwordA, passwordM, passwordSet, callbackSent, newSecret} {
		logtest.Secret(secret)
	}
	logtest.Person(somebody)
	for format, access := range map[config.LogFormat]config.AccessLog{config.LogJSON: config.AccessAll, config.LogText: config.AccessErrors} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			path := file(t)
			nodes := []*bbbtest.Node{node(t, bbbtest.Options{Name: "n0"}), node(t, bbbtest.Options{Name: "n1"})}
			d, network := tapped(t, environ(path, "B3SCALE_LOG_FORMAT="+string(format), "B3SCALE_ACCESS_LOG="+string(access),
				"B3SCALE_API_JWT_SECRET="+jwtSecret), nodes...)
			u := &untold{instance: d, network: network, secrets: []string{
				frontendSecret, nodeSecret, jwtSecret, "Grace", "Hopper", "Pa55word", callbackSent, newSecret, "checksum=",
			}}
			u.meetings(nodes)
			u.refusals()
			u.waiting(nodes)
			u.failures(nodes)
			u.operators()
			u.agents(nodes[0])
			u.brokenStore(path)
			if err := d.Stop(); err != nil {
				t.Error(err)
			}
			u.search()
			if want := map[config.AccessLog]string{config.AccessAll: `"level":"INFO","msg":"request"`, config.AccessErrors: "level=DEBUG msg=request"}[access]; !strings.Contains(u.log.String(), want) {
				t.Errorf("no line has %s", want)
			}
		})
	}
}

const withPasswords = "&attendeePW=" + passwordA + "&moderatorPW=" + passwordM

// meetings is what happens all day.
func (u *untold) meetings(nodes []*bbbtest.Node) {
	u.Helper()
	create := "meetingID=room&name=Room&meta_endCallbackUrl=https%3A%2F%2Flms%2F%3Ftoken%3D" + callbackSent +
		"&meetingEndedURL=https%3A%2F%2Flms%2F" + callbackSent + "&welcome=Hello+" + somebodySent + withPasswords
	if got := u.ask("create", create); !strings.Contains(got.body, "SUCCESS") {
		u.Fatalf("create: %v", got)
	}
	u.ask("create", create)
	u.ask("create", "meetingID=room&name=Room&moderatorPW=another-grace-Pa55word")
	u.send(http.MethodPost, signed("create", "meetingID=slides&name=Room"+withPasswords), "application/xml",
		"<modules><module name=\"presentation\"><document url=\"https://lms/"+callbackSent+"\"/></module></modules>", nil)
	form := bbb.SignedQuery("create", "meetingID=form&name=Room"+withPasswords, frontendSecret)
	u.send(http.MethodPost, "/bbb/"+frontendKey+"/api/create", "application/x-www-form-urlencoded", form, nil)
	for _, join := range []string{"&password=" + passwordM, "&role=VIEWER", "&role=VIEWER&redirect=false", "&password=wrong-" + passwordM} {
		if got := u.ask("join", "meetingID=room&fullName="+somebodySent+join); got.status != http.StatusFound {
			u.Errorf("join: %v", got)
		}
		u.browse(signed("join", "meetingID=room&fullName="+somebodySent+join))
	}
	for _, n := range nodes {
		n.Join(b3scale.EncodeMeetingID(frontendKey, "room"), bbbtest.Attendee{UserID: "grace", FullName: somebody, Role: bbbtest.Moderator})
	}
	u.ask("getMeetingInfo", "meetingID=room&password="+passwordM)
	u.ask("getMeetings", "")
	u.ask("isMeetingRunning", "meetingID=room")
	u.ask("sendChatMessage", "meetingID=room&message=I+am+"+somebodySent+"&userName="+somebodySent)
	u.send(http.MethodPost, signed("insertDocument", "meetingID=room"), "application/xml", "<modules>"+somebody+"</modules>", nil)
	u.ask("end", "meetingID=form&password=wrong-"+passwordM)
	u.ask("end", "meetingID=form&password="+passwordM)
}

// refusals are what the gateway does not let through.
func (u *untold) refusals() {
	join := "meetingID=room&fullName=" + somebodySent + "&password=" + passwordM
	api := "/bbb/" + frontendKey + "/bigbluebutton/api/"
	u.ask("join", "meetingID=none&fullName="+somebodySent)
	u.browse(signed("join", "meetingID=none&fullName="+somebodySent))
	u.browse(signed("join", "meetingID=none&errorRedirectUrl=https%3A%2F%2Flms%2F%3Ftoken%3D"+callbackSent))
	u.ask("makeCoffee", join)
	for _, path := range []string{
		api + "join?" + join, api + "join?" + join + "&checksum=0123456789012345678901234567890123456789",
		api + "join&" + join, api + "join;" + join, api + "join%3F" + join,
		"/bbb/nobody/api/join?" + bbb.SignedQuery("join", join, frontendSecret),
		"/bigbluebutton/api/join?" + bbb.SignedQuery("join", join, frontendSecret),
		"/bbb/" + frontendKey + "/?" + join, "/?" + join, "/readyz?" + join, "/console/?" + join,
		"/b3s/retry-join/" + base64.RawURLEncoding.EncodeToString([]byte(`{"mth":"GET","url":"https://evil/?`+join+`"}`)),
	} {
		u.browse(path)
	}
	u.send(http.MethodDelete, signed("join", join), "", "", nil)
	u.send(http.MethodPost, signed("create", join), "application/xml", "<modules>"+somebody, nil)
	u.send(http.MethodPost, signed("create", join), "text/plain", join, nil)
	u.send(http.MethodPost, signed("join", ""), "application/x-www-form-urlencoded", join, nil)
	u.send(http.MethodPost, api+"create", "application/x-www-form-urlencoded", strings.Repeat(join+"&", 30_000), nil)
	u.send(http.MethodPost, signed("create", ""), "multipart/form-data; boundary=x", "--x\r\n"+join, nil)
}

// waiting is a join of a meeting that is being created: the address of the
// waiting page holds the join.
func (u *untold) waiting(nodes []*bbbtest.Node) {
	u.Helper()
	for _, n := range nodes {
		n.SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: []string{"create"}})
	}
	created := background(func() error {
		u.ask("create", "meetingID=slow&name=Room"+withPasswords)
		return nil
	})
	join := signed("join", "meetingID=slow&fullName="+somebodySent+"&password="+passwordM)
	page := ""
	eventually(u, "somebody has to wait", func() bool {
		page = u.browse(join).location
		return strings.HasPrefix(page, "/b3s/retry-join/")
	})
	blob, _, _ := strings.Cut(strings.TrimPrefix(page, "/b3s/retry-join/"), "?")
	u.mu.Lock()
	u.secrets = append(u.secrets, blob, blob[:40])
	u.mu.Unlock()
	u.browse(page)
	u.browse("/b3s/retry-join/" + blob + "?n=30")
	u.send(http.MethodPost, "/b3s/retry-join/"+blob, "", "", nil)
	for _, n := range nodes {
		n.ClearFaults()
	}
	_ = finishes(u, "the create", created)
}

// failures are those of nodes, and of the network, which panics.
func (u *untold) failures(nodes []*bbbtest.Node) {
	for i, kind := range []bbbtest.Kind{
		bbbtest.ServerError, bbbtest.BadGateway, bbbtest.HTMLPage, bbbtest.HangUp, bbbtest.AnswerLost, bbbtest.Truncated, bbbtest.CutOff,
		bbbtest.WrongSecret, bbbtest.FailWith,
	} {
		for _, n := range nodes {
			n.SetFault(bbbtest.Fault{Kind: kind, Calls: []string{"create", "getMeetingInfo", "end"}, Key: "failed", Message: "password=" + passwordM})
		}
		u.ask("getMeetingInfo", "meetingID=room&password="+passwordM)
		u.ask("create", "meetingID=fails"+string(rune('a'+i))+"&name=Room"+withPasswords)
		u.ask("end", "meetingID=room&password="+passwordM)
		for _, n := range nodes {
			n.ClearFaults()
		}
	}
	if got := u.ask("create", "meetingID=panics&name=Room"+withPasswords); got.status != http.StatusInternalServerError {
		u.Errorf("a panic was answered %v", got)
	}
	u.ask("getMeetingInfo", "meetingID=panics&password="+passwordM)
}

// operators use tokens, good and bad, and store secrets.
func (u *untold) operators() {
	u.Helper()
	admin := u.token("operator", auth.Admin)
	foreign, err := auth.NewKeys(newSecret, "").Mint(auth.Claims{Subject: "evil", Scopes: auth.Scopes{auth.Admin}})
	if err != nil {
		u.Fatal(err)
	}
	expired, err := auth.NewKeys(jwtSecret, "").Mint(auth.Claims{Subject: "operator", Scopes: auth.Scopes{auth.Admin}, Expires: time.Now().Add(-time.Hour)})
	if err != nil {
		u.Fatal(err)
	}
	for _, bad := range []string{foreign, expired, admin[:len(admin)-3], "Bearer " + admin, newSecret, ""} {
		u.rest(bad, http.MethodGet, "/frontends?access_token="+admin, "")
	}
	u.send(http.MethodGet, "/api/v1/status/"+admin, "", "", http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("grace:"+passwordSet))}})
	u.rest(u.token("reader", auth.Read), http.MethodPost, "/frontends", `{"bbb":{"key":"x","secret":"`+newSecret+`"}}`)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/frontends", `{"bbb":{"key":"new","secret":"` + newSecret + `","secondary_secret":"` + newSecret + `2"},"settings":{"create_default_params":{"moderatorPW":"` + passwordSet + `","welcome":"` + somebody + `"}}}`, 200},
		{"POST", "/frontends", `{"bbb":{"key":"new","secret":"` + newSecret + `"}}`, 409},
		{"POST", "/frontends", `{"bbb":{"key":"","secret":"` + newSecret + `"}}`, 400},
		{"POST", "/frontends", `{"bbb":{"key":"bad","secret":"` + newSecret + `"`, 400},
		{"POST", "/frontends", `{"bbb":{"key":"bad","secret":["` + newSecret + `"]}}`, 400},
		{"POST", "/backends", `{"bbb":{"host":"https://grace:` + passwordSet + `@bbb.example.org/","secret":"` + newSecret + `"}}`, 0},
		{"POST", "/backends", `{"bbb":{"host":"https://bbb.example.org/api?password=` + passwordSet + `","secret":"` + newSecret + `"}}`, 0},
		{"POST", "/commands", `{"action":"end_all_meetings","params":{"backend_id":"` + newSecret + `"}}`, 0},
		{"GET", "/frontends", "", 200}, {"GET", "/backends", "", 200}, {"GET", "/meetings", "", 200}, {"GET", "/audit", "", 200},
		{"PATCH", "/log", `{"level":"` + passwordSet + `"}`, 400},
		{"PATCH", "/log", `{"level":"debug"}`, 200},
		{"DELETE", "/meetings/" + b3scale.EncodeMeetingID(frontendKey, "room") + "?end=true", "", 0},
		{"GET", "/none/" + admin, "", 404},
	} {
		if got := u.rest(admin, c.method, c.path, c.body); c.status != 0 && got.status != c.status {
			u.Errorf("%s %s %s: %v, want status %d", c.method, c.path, c.body, got, c.status)
		}
	}
}

// agents tell who is where.
func (u *untold) agents(n *bbbtest.Node) {
	u.Helper()
	admin, agent := u.token("operator", auth.Admin), u.token("agent-of-"+n.Name(), auth.Node)
	room := "0123456789012345678901234567890123456789-1"
	for _, r := range n.Rooms() {
		room = r.InternalID
	}
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/agent/heartbeat", `{"version":"1","boot":"` + somebody + `"}`, 200},
		{"/agent/events", `{"boot":"b","events":[{"sequence":1,"kind":"attendee","meeting":"` + room + `","user_id":"w_1","name":"` + somebody + `","external_user_id":"` + somebody + `","joined":true},{"sequence":3,"kind":"gap"}]}`, 200},
		{"/agent/events", `{"boot":"b","events":[{"sequence":"` + somebody + `"}]}`, 400},
		{"/agent/events", `{"boot":"b","events":[{"sequence":4,"kind":"` + somebody + `","meeting":"none"}`, 400},
		{"/agent/rpc", `{"action":"meeting_add_attendee","payload":{"internal_meeting_id":"` + room + `","attendee":{"FullName":"` + somebody + `","InternalUserID":"w_2"}}}`, 200},
		{"/agent/rpc", `{"action":"meeting_add_attendee","payload":"` + base64.StdEncoding.EncodeToString([]byte(somebody)) + `"}`, 200},
		{"/agent/rpc", `{"action":"` + somebody + `","payload":{}}`, 200},
	} {
		if got := u.rest(agent, http.MethodPost, c.path, c.body); got.status != c.status {
			u.Errorf("%s %s: %v, want status %d", c.path, c.body, got, c.status)
		}
	}
	u.rest(u.token("stranger", auth.Node), http.MethodPost, "/agent/events", `{"boot":"b","events":[]}`)
	u.rest(admin, http.MethodPatch, "/meetings/internal:"+room, `{"meeting":{"Attendees":[{"FullName":"`+somebody+`","InternalUserID":"w_3"}]}}`)
}

// brokenStore takes tables away while people work. That SQLite quotes nothing
// of what was asked is not for us to know.
func (u *untold) brokenStore(path string) {
	u.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		u.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rename := func(from, to string) {
		u.Helper()
		eventually(u, "the table is renamed", func() bool {
			_, err := db.ExecContext(u.Context(), "ALTER TABLE "+from+" RENAME TO "+to)
			return err == nil || !strings.Contains(err.Error(), "locked") && !strings.Contains(err.Error(), "busy")
		})
	}
	admin := u.token("operator", auth.Admin)
	for _, table := range []string{"meetings", "frontends", "audit"} {
		rename(table, "gone_"+table)
		u.ask("create", "meetingID=broken-"+table+"&name=Room"+withPasswords)
		u.browse(signed("join", "meetingID=broken-"+table+"&fullName="+somebodySent+"&password="+passwordM))
		u.rest(admin, http.MethodPost, "/frontends", `{"bbb":{"key":"lost-`+table+`","secret":"`+newSecret+`"}}`)
		u.rest(admin, http.MethodGet, "/frontends?key="+newSecret, "")
		rename("gone_"+table, table)
	}
}
