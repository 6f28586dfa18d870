package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"b3scale"
	"b3scale/internal/cluster"
)

var (
	backendMeetings = family("backend_meetings",
		"Our meetings on a backend that live or are being created, breakout rooms included.", "backend")
	backendParticipants = family("backend_participants", "People in our meetings on a backend.", "backend")
	backendLoad         = family("backend_load", "The score that new meetings are placed by; the lowest is chosen first.", "backend")
	backendNodeState    = family("backend_node_state", "1 for the state that the backend is in: whether it answers this instance.", "backend", "state")
	backendAdminState   = family("backend_admin_state", "1 for the state that the operator wants.", "backend", "state")
	backendLost         = family("backend_lost", "1 while the backend is called lost and its meetings may be placed elsewhere.", "backend")
	backendEligible     = family("backend_eligible", "1 while the backend may get new meetings.", "backend")
	backendContact      = family("backend_last_contact_seconds",
		"Seconds since the backend last answered a probe of this instance. There is no series before the first answer.", "backend")
	backendHeartbeat = family("backend_agent_heartbeat_age_seconds",
		"Seconds since the agent of the backend was last heard by any instance. There is no series without an agent.", "backend")
	backendCalls = family("backend_call_duration_seconds",
		"How long calls to a backend took; isMeetingRunning are the probes.", "backend", "resource")
	backendErrors = family("backend_call_errors_total", "Calls to a backend that brought no usable answer.", "backend", "reason")
)

var (
	nodeStates  = []cluster.NodeState{cluster.NodeInit, cluster.NodeReady, cluster.NodeError}
	adminStates = []b3scale.AdminState{b3scale.AdminInit, b3scale.AdminReady, b3scale.AdminStopped, b3scale.AdminDecommissioned, b3scale.AdminError}
)

func (c *collector) showBackends(out sink, s *survey) {
	counted := c.counts.backends.each()
	for _, b := range s.backends {
		label := s.labels[b.ID]
		out.gauge(backendMeetings, float64(s.on[b.ID].meetings), label)
		out.gauge(backendParticipants, float64(s.on[b.ID].People), label)
		out.gauge(backendLoad, b.Score(), label)
		is := cluster.StateOf(b, s.now)
		for _, state := range nodeStates {
			out.flag(backendNodeState, state == is, label, string(state))
		}
		for _, state := range adminStates {
			out.flag(backendAdminState, state == b.AdminState, label, string(state))
		}
		out.flag(backendLost, b.Lost, label)
		out.flag(backendEligible, len(b.Reasons(s.now)) == 0, label)
		s.showAge(out, backendContact, b.LastReached(), label)
		if b.HasAgent(s.now) {
			s.showAge(out, backendHeartbeat, b.AgentHeard(), label)
		}
		showCalls(out, counted[b.ID], label)
	}
}

func (s *survey) showAge(out sink, desc *prometheus.Desc, at b3scale.Micros, label string) {
	if at != 0 {
		out.gauge(desc, max(s.now.Sub(at.Time()), 0).Seconds(), label)
	}
}

func showCalls(out sink, counted *backendCounts, label string) {
	if counted == nil {
		counted = newBackendCounts()
	}
	for resource, h := range counted.calls.each() {
		out.histogram(backendCalls, h, label, resource)
	}
	failures := counted.failures.each()
	for _, reason := range cluster.CallFailures {
		n := int64(0)
		if count := failures[reason]; count != nil {
			n = count.Load()
		}
		out.counter(backendErrors, float64(n), label, string(reason))
	}
}
