package adminapi

import (
	"context"
	"strings"
	"testing"

	"b3scale"
	"b3scale/internal/auth"
)

// What must not happen, whoever asks.

// Operators put passwords into parameters and addresses, too.
func TestReadersSeeNoPasswords(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.ask(admin, "POST /frontends", `{"bbb":{"key":"one","secret":"`+frontendSecret+`"},"settings":{
		"create_override_params":{"moderatorPW":"mod-hunter2","attendeePW":"att-hunter2"},"join_override_params":{"password":"join-hunter2"},
		"default_presentation":{"url":"https://user:pres-hunter2@example.org/a.pdf","force":false}}}`).frontend()
	for _, call := range []string{"GET /frontends/" + f.ID, "GET /audit"} {
		body := h.ask(reader, call, "").is(200).Body.String()
		if n := strings.Count(body, "hunter2"); n > 0 {
			t.Errorf("%s shows %d passwords to b3scale:read: %s", call, n, body)
		}
	}
}

// A second scope takes nothing away.
func TestScopesAddUp(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: 1})
	f := h.frontend("one", "")
	id := h.meeting(f, "room")
	alone := h.agent(h.backends[0].ID)
	b := h.storedBackend(h.backends[0].ID)
	both := token(b.AgentRef, auth.Node, auth.Read)
	one := h.ask(alone, "GET /meetings/"+id, "").is(200).meeting().Meeting
	two := h.ask(both, "GET /meetings/"+id, "").is(200).meeting().Meeting
	if one.ModeratorPW != two.ModeratorPW {
		t.Errorf("node sees %q, node+read sees %q", one.ModeratorPW, two.ModeratorPW)
	}
}

// A secret that was set just now was never used.
func TestNewSecretsWereNeverUsed(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.frontend("one", "")
	h.cluster.SecretUsed(&f, false)
	h.cluster.SecretUsed(&f, true)
	h.ask(admin, "PATCH /frontends/"+f.ID, `{"bbb":{"secret":"`+frontendSecret2+`","secondary_secret":null}}`).is(200)
	got := h.ask(admin, "PATCH /frontends/"+f.ID, `{"bbb":{"secondary_secret":"never-used-by-anybody"}}`).frontend()
	if got.BBB.SecondarySecretUsedAt != nil {
		t.Errorf("a secret that was set just now was used at %v", got.BBB.SecondarySecretUsedAt)
	}
}

// Nodes know rooms by the key that their frontend had.
func TestTheKeyStaysWhileMeetingsRun(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		h.meeting(f, "room")
		const change = `{"bbb":{"key":"two"}}`
		if got := h.ask(admin, "PATCH /frontends/"+f.ID, change).is(409).fields(); got != "bbb.key: cannot change while meetings are running" {
			t.Errorf("the operator is told %q", got)
		}
		if _, err := h.cluster.RemoveMeeting(t.Context(), b3scale.MeetingKey{FrontendID: f.ID, MeetingID: "room"}, h.room(f, "room").InternalID); err != nil {
			t.Fatal(err)
		}
		if got := h.ask(admin, "PATCH /frontends/"+f.ID, change).frontend().BBB.Key; got != "two" {
			t.Errorf("with nothing running the key became %q", got)
		}
	})
}

type noAudit struct{ *moodyStore }

func (noAudit) NoteAction(context.Context, b3scale.AuditEntry) error {
	return b3scale.Errorf(b3scale.Unavailable, "away")
}

// Nothing is done to a meeting without an entry.
func TestNothingWithoutTheAudit(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: 1})
	f := h.frontend("one", "")
	id := h.meeting(f, "room")
	h.server.Store = noAudit{h.store}
	for _, call := range []string{"PATCH /meetings/" + id, "DELETE /meetings/" + id + "?end=true", "DELETE /meetings/" + id, "POST /ctrl/migrate"} {
		h.ask(admin, call, `{"meeting":{"MeetingName":"other"}}`).is(503)
	}
	if got := h.ask(admin, "GET /meetings/"+id, "").meeting().Meeting.MeetingName; got == "other" {
		t.Error("the meeting was changed without an entry")
	}
}

// Joins lead people where an agent says. An operator looks first.
func TestAnAgentThatMovesWaits(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	b := h.backend("one", "agent-1")
	agent := token("agent-1", auth.Node)
	if got := h.ask(agent, "PATCH /backends/"+b.ID, `{"bbb":{"host":"http://192.0.2.7/bigbluebutton/api/","secret":"x"}}`).backend().AdminState; got != "init" {
		t.Errorf("a backend that has moved is %s", got)
	}
	if got := h.ask(agent, "PATCH /backends/"+b.ID, `{"load_factor":1e-300}`).is(400).fields(); got != "load_factor: should be between 0.01 and 100" {
		t.Errorf("a load factor that draws everything: %q", got)
	}
}
