package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale/bbb/bbbtest"
	"b3scale/internal/cluster"
	"b3scale/internal/gateway"
)

// records are those that a gateway has told of.
type records struct {
	mu  sync.Mutex
	all []gateway.Record
}

func (rs *records) add(r gateway.Record) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all = append(rs.all, r)
}

// take gives what was added since the last time.
func (rs *records) take() []gateway.Record {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	taken := rs.all
	rs.all = nil
	return taken
}

// Every request has one record and one line that say the same.
func TestRecords(t *testing.T) {
	t.Parallel()
	rs := &records{}
	h := newHarness(t, setup{gateway: gateway.Options{Done: rs.add, ExtraResources: []string{"sendPizza"}}})
	h.create("room")
	rs.take()
	const nobody = ""
	api := func(call, query string) request { return request{target: signed(call, query)} }
	browser := func(call, query string) request {
		return request{target: signed(call, query), header: http.Header{"Accept": {"text/html"}}}
	}
	for _, c := range []struct {
		name     string
		request  request
		frontend string
		resource string
		node     bool
		result   string
	}{
		{"join", api("join", joinQuery), keyOne, "join", true, "redirect"},
		{"create again", api("create", "meetingID=room&name=Room&attendeePW="+attendeePW+"&moderatorPW="+moderatorPW), keyOne, "create", true, "ok"},
		{"running", api("isMeetingRunning", "meetingID=room"), keyOne, "isMeetingRunning", false, "ok"},
		{"info", api("getMeetingInfo", "meetingID=room"), keyOne, "getMeetingInfo", true, "ok"},
		{"list", api("getMeetings", ""), keyOne, "getMeetings", false, "ok"},
		{"empty list", request{target: signedBy(keyTwo, secretTwo, "getMeetings", "")}, keyTwo, "getMeetings", false, "ok"},
		{"an operator's own", api("sendPizza", "meetingID=room"), keyOne, "sendPizza", true, "b3scaleGatewayError"},
		{"index", request{target: "/bbb/" + keyOne + "/api"}, nobody, "index", false, "ok"},
		{"unknown call", api("makeCoffee", ""), keyOne, "other", false, "unsupportedRequest"},
		{"wrong checksum", request{target: apiURL(keyOne, "join") + "?meetingID=room&checksum=0123"}, nobody, "join", false, "checksumError"},
		{"unknown frontend", request{target: signedBy("nobody", secretOne, "join", joinQuery)}, nobody, "join", false, "checksumError"},
		{"disabled frontend", request{target: signedBy(keyOff, secretOff, "join", joinQuery)}, nobody, "join", false, "checksumError"},
		{"unknown frontend and call", request{target: "/bbb/nobody/api/" + strings.Repeat("x", 50)}, nobody, "other", false, "checksumError"},
		{"another method", request{method: http.MethodDelete, target: signed("join", joinQuery)}, nobody, "join", false, "unsupportedRequest"},
		{"no id", api("join", "fullName="+personQuery), keyOne, "join", false, "missingParamMeetingID"},
		{"no such meeting", api("join", "meetingID=none&fullName="+personQuery), keyOne, "join", false, "notFound"},
		{"no such meeting, for a browser", browser("join", "meetingID=none&fullName="+personQuery), keyOne, "join", false, "notFound"},
		{"no such meeting, said elsewhere", browser("join", "meetingID=none&errorRedirectUrl=https%3A%2F%2Fexample.org"), keyOne, "join", false, "notFound"},
		{"the node refuses", api("sendChatMessage", "meetingID=room"), keyOne, "sendChatMessage", true, "nullError"},
		{"tags that are not allowed", api("create", "meetingID=fast&name=Room&meta_server-tag=fast!"), keyOne, "create", false, "failed"},
		{"no parent of a breakout room", api("create", "meetingID=sub&name=Sub&isBreakout=true&sequence=1&parentMeetingID=none"), keyOne, "create", false, "parentMeetingDoesNotExist"},
		{"no address of a waiting page", request{target: "/b3s/retry-join/nonsense"}, nobody, "join", false, "validationError"},
		{"the waiting page is not written to", request{method: http.MethodPost, target: "/b3s/retry-join/x"}, nobody, "join", false, "unsupportedRequest"},
	} {
		before := len(h.log.String())
		h.do(c.request)
		got := rs.take()
		if len(got) != 1 {
			t.Fatalf("%s: %d records, want 1: %+v", c.name, len(got), got)
		}
		want := gateway.Record{Frontend: c.frontend, Resource: c.resource, Result: c.result, Took: got[0].Took, Node: got[0].Node}
		if c.node {
			want.Backend = strings.TrimSuffix(strings.TrimPrefix(h.nodes[0].BaseURL(), "https://"), "/bigbluebutton/api/")
		}
		if got[0] != want {
			t.Errorf("%s: got %+v, want %+v", c.name, got[0], want)
		}
		if asked := c.node && c.resource != "join"; (got[0].Node > 0) != asked || got[0].Node > got[0].Took || got[0].Took <= 0 {
			t.Errorf("%s: took %s, the node %s", c.name, got[0].Took, got[0].Node)
		}
		h.lineTells(c.name, before, want)
	}
}

// lineTells wants the one line of a request, since so many bytes of the log, to
// tell what a record has.
func (h *harness) lineTells(name string, since int, want gateway.Record) {
	h.Helper()
	var lines []string
	for line := range strings.Lines(h.log.String()[since:]) {
		if strings.Contains(line, " msg=request ") {
			lines = append(lines, strings.TrimSpace(line)+" ")
		}
	}
	if len(lines) != 1 {
		h.Fatalf("%s: %d lines, want 1: %q", name, len(lines), lines)
	}
	wants := []string{fmt.Sprintf("frontend=%s ", want.Frontend), fmt.Sprintf("resource=%s ", want.Resource), fmt.Sprintf("result=%s ", want.Result), "request_id="}
	if want.Frontend == "" {
		wants[0] = `frontend="" `
	}
	if want.Backend != "" {
		wants = append(wants, fmt.Sprintf("backend=%s ", want.Backend))
	}
	if want.Node > 0 {
		wants = append(wants, fmt.Sprintf("node_duration=%s ", want.Node))
	}
	for _, part := range wants {
		if !strings.Contains(lines[0], part) {
			h.Errorf("%s: the line does not tell %q: %s", name, part, lines[0])
		}
	}
}

// A meeting that is being prepared: what browsers see is no error.
func TestRecordsOfWaiting(t *testing.T) {
	t.Parallel()
	rs := &records{}
	h := newHarness(t, setup{gateway: gateway.Options{Done: rs.add}})
	h.claim("room")
	seen := 0
	result := func(what, want, level string) {
		t.Helper()
		got := rs.take()
		if len(got) != 1 || got[0].Result != want || got[0].Frontend != keyOne || got[0].Resource != "join" {
			t.Errorf("%s: got %+v, want one %s", what, got, want)
		}
		log := h.log.String()[seen:]
		if seen += len(log); !strings.Contains(log, "level="+level+" msg=request ") {
			t.Errorf("%s: no line of level %s: %s", what, level, log)
		}
	}
	got := h.browse(signed("join", joinQuery))
	result("the join", "waiting", "DEBUG")
	page, _, _ := strings.Cut(got.header.Get("Location"), "?")
	h.browse(page + "?n=1")
	result("the page", "waiting", "DEBUG")
	h.browse(page + "?n=30")
	result("the last page", "gaveUp", "WARN")
	h.do(request{target: signed("join", joinQuery)})
	result("a program", "b3scaleGatewayError", "WARN")
}

// An operator may want to act when nodes fail, and hears which.
func TestRecordsOfFailures(t *testing.T) {
	t.Parallel()
	rs := &records{}
	h := newHarness(t, setup{gateway: gateway.Options{Done: rs.add}, cluster: cluster.Options{CallTimeout: time.Minute}})
	h.create("room")
	rs.take()
	h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.ServerError})
	h.call("getMeetingInfo", "meetingID=room")
	got := rs.take()
	if len(got) != 1 || got[0].Result != "b3scaleGatewayError" || got[0].Backend == "" || got[0].Node == 0 {
		t.Errorf("the node fails: got %+v", got)
	}
	if !strings.Contains(h.log.String(), "level=WARN msg=request ") {
		t.Errorf("no line that warns: %s", h.log)
	}

	h.nodes[0].ClearFaults()
	h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
	before := len(h.log.String())
	h.forget()
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		h.eventually("the node is asked", func() bool { return len(h.nodes[0].Requests()) > 0 })
		leave()
	}()
	h.do(request{target: signed("sendChatMessage", "meetingID=room&message=hello"), ctx: ctx})
	got = rs.take()
	if len(got) != 1 || got[0].Result != "gone" || got[0].Backend == "" || got[0].Node == 0 {
		t.Errorf("the client leaves: got %+v", got)
	}
	if log := h.log.String()[before:]; strings.Contains(log, "level=WARN msg=request ") {
		t.Errorf("somebody who leaves is no warning: %s", log)
	}
}
