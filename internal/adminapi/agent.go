package adminapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"b3scale"
	"b3scale/internal/cluster"
)

// agentPatience is how long an agent waits for the store, where it has to:
// nodes call often, and must not wait for each other.
const agentPatience = time.Second

// agentBackend is the id of the backend whose agent asks; empty when there is
// none. Memory knows nearly always. A backend that was added a moment ago may
// still be in the store alone.
func (s *Server) agentBackend(r *http.Request) (string, error) {
	if b := s.Mind.BackendOfAgent(who(r).Subject); b != nil {
		return b.ID, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), agentPatience)
	defer cancel()
	b, err := s.storedBackendOf(ctx, r)
	if err != nil || b == nil {
		return "", err
	}
	return b.ID, nil
}

// storedBackendOf is the row of the backend whose agent asks; nil when there is
// none.
func (s *Server) storedBackendOf(ctx context.Context, r *http.Request) (*b3scale.Backend, error) {
	all, err := s.Store.Backends(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if isAgentOf(who(r), &all[i]) {
			return &all[i], nil
		}
	}
	return nil, nil //nolint:nilnil // that is an answer here
}

var errNotRegistered = b3scale.Errorf(b3scale.NotFound, "no backend is registered for this agent")

// AgentBackendRead shows an agent its backend.
func (s *Server) AgentBackendRead(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), agentPatience)
	defer cancel()
	b, err := s.storedBackendOf(ctx, r)
	if known := s.Mind.BackendOfAgent(who(r).Subject); err != nil && known != nil {
		b, err = &known.Backend, nil // an agent that starts need not wait for the store
	}
	if err == nil && b == nil {
		err = errNotRegistered
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	known, err := s.facts(ctx)
	if err != nil {
		s.Log.WarnContext(r.Context(), "facts about backends not read", "error", err)
	}
	s.send(w, r, http.StatusOK, backendOf(b, known, who(r)))
}

// AgentHeartbeat notes that an agent lives. The store is told later.
func (s *Server) AgentHeartbeat(w http.ResponseWriter, r *http.Request) {
	backendID, err := s.agentBackend(r)
	if err == nil && backendID == "" {
		err = errNotRegistered
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	report, err := agentReport(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	at := s.Mind.Heartbeat(backendID, report)
	s.send(w, r, http.StatusOK, AgentHeartbeat{BackendID: backendID, Heartbeat: moment(at)})
}

// agentReport reads what an agent may say with its heartbeat. One that cannot
// be read is a heartbeat all the same.
func agentReport(r *http.Request) (*cluster.AgentReport, error) {
	body, err := io.ReadAll(r.Body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, statusError{http.StatusRequestEntityTooLarge, tooLarge.Error()}
	}
	if err != nil {
		return nil, statusError{http.StatusBadRequest, "the body ended too soon"}
	}
	var report cluster.AgentReport
	if len(bytes.TrimSpace(body)) == 0 || json.Unmarshal(body, &report) != nil || report == (cluster.AgentReport{}) {
		return nil, nil //nolint:nilnil // it says nothing
	}
	return &report, nil
}

// AgentEvents takes in what an agent tells.
func (s *Server) AgentEvents(w http.ResponseWriter, r *http.Request) {
	backendID, err := s.ownedByAgent(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var body AgentEvents
	if err := request(r, &body); err != nil {
		s.fail(w, r, err)
		return
	}
	if body.Boot == "" || len(body.Boot) > 128 {
		s.fail(w, r, fieldErrors{"boot": {"should have 1 to 128 characters"}})
		return
	}
	batch := cluster.Batch{Boot: body.Boot, Lost: body.Lost, Events: make([]cluster.Event, len(body.Events))}
	for i := range body.Events {
		batch.Events[i] = eventOf(&body.Events[i])
	}
	acknowledged, reconcile := s.Mind.TakeEvents(backendID, batch)
	s.send(w, r, http.StatusOK, AgentReceipt{Acknowledged: acknowledged, Reconcile: reconcile})
}

func eventOf(e *AgentEvent) cluster.Event {
	return cluster.Event{
		Sequence: e.Sequence, Kind: e.Kind, Meeting: e.Meeting, UserID: e.UserID, Joined: e.Joined, On: e.Recording,
		Person: cluster.PersonFacts{
			ExternalUserID: e.ExternalUserID, Name: e.Name, Role: e.Role, ClientType: e.ClientType,
			Presenter: e.Presenter, ListeningOnly: e.ListeningOnly, Voice: e.Voice, Video: e.Video,
		},
	}
}

// ownedByAgent is agentBackend, where an agent without one is refused.
func (s *Server) ownedByAgent(r *http.Request) (string, error) {
	backendID, err := s.agentBackend(r)
	if err == nil && backendID == "" {
		err = statusError{http.StatusForbidden, http.StatusText(http.StatusForbidden)}
	}
	return backendID, err
}

// AgentRPC takes in what the agents of old tell.
func (s *Server) AgentRPC(w http.ResponseWriter, r *http.Request) {
	backendID, err := s.ownedByAgent(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var call AgentCall
	body, err := io.ReadAll(r.Body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		s.fail(w, r, statusError{http.StatusRequestEntityTooLarge, tooLarge.Error()})
		return
	}
	if err == nil {
		err = json.Unmarshal(body, &call)
	}
	var params []byte
	if err == nil {
		params, err = payloadOf(call.Payload)
	}
	if err != nil {
		s.send(w, r, http.StatusBadRequest, failedCall(err.Error()))
		return
	}
	event, problem := oldEvent(call.Action, params)
	if problem != "" {
		s.send(w, r, http.StatusOK, failedCall(problem))
		return
	}
	s.Mind.TakeUnnumbered(backendID, event)
	s.send(w, r, http.StatusOK, AgentResult{Status: AgentResultStatusOk})
}

func failedCall(why string) AgentResult {
	return AgentResult{Status: AgentResultStatusError, Result: &why}
}

// payloadOf is the JSON of the parameters: itself, or in base64.
func payloadOf(raw json.RawMessage) ([]byte, error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '"' {
		if len(raw) > 0 && raw[0] != '{' && !slices.Equal(raw, []byte("null")) {
			return nil, errors.New("the payload is neither an object nor a text")
		}
		return raw, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text)
}

// oldEvent reads an action of the agents of old. problem is what they are told
// when it cannot be done.
func oldEvent(action string, params []byte) (e cluster.Event, problem string) {
	var p struct {
		InternalMeetingID string    `json:"internal_meeting_id"`
		InternalUserID    string    `json:"internal_user_id"`
		Running           bool      `json:"running"`
		Attendee          *Attendee `json:"attendee"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return e, "the payload cannot be read: " + err.Error()
	}
	if p.InternalMeetingID == "" {
		return e, "internal_meeting_id is missing"
	}
	e.Meeting = p.InternalMeetingID
	switch action {
	case "meeting_set_running":
		e.Kind, e.On = cluster.EventRunning, &p.Running
	case "meeting_state_reset":
		e.Kind = cluster.EventReset
	case "meeting_add_attendee":
		a := p.Attendee
		if a == nil || a.InternalUserID == "" {
			return e, "the attendee has no InternalUserID"
		}
		e.Kind, e.UserID, e.Joined = cluster.EventAttendee, a.InternalUserID, true
		e.Person = cluster.PersonFacts{
			ExternalUserID: &a.UserID, Name: &a.FullName, Role: said(a.Role), ClientType: said(a.ClientType),
			Presenter: &a.IsPresenter, ListeningOnly: &a.IsListeningOnly, Voice: &a.HasJoinedVoice, Video: &a.HasVideo,
		}
	case "meeting_remove_attendee":
		if p.InternalUserID == "" {
			return e, "internal_user_id is missing"
		}
		e.Kind, e.UserID = cluster.EventAttendeeLeft, p.InternalUserID
	default:
		return e, "unknown action: " + action
	}
	return e, ""
}

// said is nil for nothing.
func said(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// nodeOf shows what an agent said of its node.
func nodeOf(r *cluster.AgentReport) *AgentReport {
	if r == nil {
		return nil
	}
	return &AgentReport{
		Boot: said(r.Boot), Version: said(r.Version), BBBVersion: said(r.BBBVersion), Load1: r.Load1, Cpus: r.CPUs,
		MemoryTotal: r.MemoryTotal, MemoryFree: r.MemoryFree, DiskFree: r.DiskFree,
		RecordingsUnprocessed: r.RecordingsUnprocessed, Redis: r.Redis, PongAgeMs: r.PongAgeMS,
	}
}
