package metrics

import (
	"b3scale"
	"b3scale/internal/cluster"
)

var (
	frontendMeetings = family("frontend_meetings",
		"Meetings of a frontend that live or are being created, breakout rooms included.", "frontend")
	frontendParticipants = family("frontend_participants", "People in the meetings of a frontend.", "frontend")
	frontendKinds        = family("frontend_participants_by_kind",
		"People in the meetings of a frontend by what they do. Who speaks and shows a camera counts twice, so these do not add up.",
		"frontend", "kind")
	frontendLimit = family("frontend_limit", "What a frontend may have at most. There is no series where nothing is limited.", "frontend", "kind")
	frontendUsage = family("frontend_limit_usage",
		"What a frontend has of what is limited, counted as the limit does. There is no series where nothing is limited.", "frontend", "kind")
	frontendLimitHits = family("frontend_limit_hits_total",
		"Requests of a frontend that met a limit: they were refused, or with the kind warning let pass.", "frontend", "kind")
	frontendNodeCalls = family("frontend_node_calls", "Calls of a frontend to nodes that are under way.", "frontend")
	frontendRequests  = family("frontend_requests_total",
		"Requests of a frontend. The frontend is undefined when the checksum proved none.", "frontend", "resource", "result")
	frontendChecksums = family("frontend_checksum_failures_total",
		"Requests with a wrong checksum by the frontend that they were meant for, undefined when there is no such frontend.", "frontend")
)

// The kinds of limits that are read of the cluster; those of calls come from
// the gateway.
var limitKinds = []cluster.Limit{cluster.LimitAttendees, cluster.LimitWarning, cluster.LimitCreate, cluster.LimitMeetings}

func (c *collector) showFrontends(out sink, s *survey) {
	quotas, hits := map[string]Quota{}, c.Mind.LimitHits()
	if c.Quotas != nil {
		c.Quotas(func(key string, q Quota) { quotas[key] = q })
	}
	counted := c.counts.frontends.each()
	c.Table.EachFrontend(func(f *b3scale.Frontend) {
		key, p, q := valid(f.Key), s.frontends[f.ID], quotas[f.Key]
		out.gauge(frontendMeetings, float64(p.meetings), key)
		out.gauge(frontendParticipants, float64(p.People), key)
		out.gauge(frontendKinds, float64(p.Listeners), key, "listener")
		out.gauge(frontendKinds, float64(p.Voices), key, "voice")
		out.gauge(frontendKinds, float64(p.Videos), key, "video")
		out.gauge(frontendKinds, float64(p.Moderators), key, "moderator")
		c.showLimits(out, f, key)
		for _, kind := range limitKinds {
			out.counter(frontendLimitHits, float64(hits[cluster.LimitHit{FrontendID: f.ID, Limit: kind}]), key, string(kind))
		}
		out.counter(frontendLimitHits, float64(q.LimitedCalls), key, "rate")
		out.counter(frontendLimitHits, float64(q.LimitedJoins), key, "rate_joins")
		out.counter(frontendLimitHits, float64(q.Crowded), key, "node_calls")
		out.gauge(frontendNodeCalls, float64(q.UnderWay), key)
		showRequests(out, counted[f.Key], key)
	})
	if c.Table.Frontend(undefined) == nil { // its series would be the same
		showRequests(out, counted[""], undefined)
	}
}

// showLimits shows what is there beside what may be.
func (c *collector) showLimits(out sink, f *b3scale.Frontend, key string) {
	has := c.Table.FrontendCount(f.ID)
	if l := f.Policy.AttendeesLimit; l != nil && l.Limit > 0 {
		people := has.People
		if l.ModeratorsExempt {
			people -= has.Moderators
		}
		out.gauge(frontendLimit, float64(l.Limit), key, "attendees")
		out.gauge(frontendUsage, float64(people), key, "attendees")
	}
	if l := f.Policy.MeetingsLimit; l != nil && l.Limit > 0 {
		out.gauge(frontendLimit, float64(l.Limit), key, "meetings")
		out.gauge(frontendUsage, float64(has.Meetings), key, "meetings")
	}
}

func showRequests(out sink, counted *frontendCounts, key string) {
	if counted == nil {
		counted = newFrontendCounts()
	}
	for k, n := range counted.requests.each() {
		out.counter(frontendRequests, float64(n.Load()), key, k.resource, k.result)
	}
	out.counter(frontendChecksums, float64(counted.checksumFailures.Load()), key)
}
