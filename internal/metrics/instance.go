package metrics

import (
	"cmp"
	"strconv"
	"time"

	"b3scale"
	"b3scale/internal/cluster"
)

var (
	requestDuration = family("request_duration_seconds",
		"How long requests of frontends took, the part of the nodes included. Joins are the resource join.", "resource")
	requestNode = family("request_node_seconds_total", "The part of it in which nodes were asked.", "resource")

	placementsTotal = family("placements_total", "Creates that gave a meeting a place.")
	placementFails  = family("placement_failures_total", "Creates that ended without an answer of a node.", "reason")
	placementRetry  = family("placement_retries_total", "Further attempts of creates, on the same node or another one.")
	placementOvers  = family("placement_failovers_total", "Places that creates gave up for another backend.")
	orphansBooked   = family("orphans_booked_total",
		"Rooms that may have outlived their place, booked on the backends that this instance lists.")
	orphansOpen = family("orphans_open", "Those that are not settled yet, as of the last list of each backend that this instance lists.")

	joinsUnvalidated = family("joins_unvalidated_total",
		"Joins and other requests for a meeting that memory answered because the database did not.")
	joinsUnreserved = family("joins_unreserved_total",
		"Joins that were let in without a place below the frontend's limit, because the database did not answer.")
	storeDuration = family("store_use_duration_seconds",
		"How long queries and transactions took, waiting for a connection included. The long ones go through many rows.", "kind")
	storeErrors   = family("store_errors_total", "Queries and transactions that the database did not do.", "kind", "reason")
	storeLag      = family("store_feed_lag_seconds", "How far memory may be behind what other instances have stored; 0 with one instance.")
	storeDegraded = family("store_degraded", "1 while the database does not answer: people join, nothing new is created.")

	agentEvents  = family("agent_events_total", "Events of agents by what became of them: taken, too old (stale), or of no known meeting.", "result")
	agentGaps    = family("agent_gaps_total", "Times that an agent said that it has lost events, or may have; each leads to a list of the backend.")
	agentBatches = family("agent_batches_total", "Batches of events that agents sent.")

	loginsFailed = family("api_logins_failed_total", "Requests to the REST API that were not let in.", "reason")
	httpRequests = family("http_requests_total", "HTTP answers by where the request came in and by status.", "door", "code")
)

// storeFailures are the reasons of storeErrors.
var storeFailures = []string{"timeout", "failed"}

// failureCodes are the reasons that creates usually fail for; their counts
// begin with 0.
var failureCodes = []b3scale.Code{
	b3scale.NoBackend, b3scale.NodeFailed, b3scale.NotYet, b3scale.Unavailable, b3scale.LimitReached, b3scale.Observing, cluster.ByPolicy,
}

func (c *collector) showInstance(out sink) {
	for resource, q := range c.counts.requests.each() {
		out.histogram(requestDuration, q.took, resource)
		out.counter(requestNode, time.Duration(q.node.Load()).Seconds(), resource)
	}
	c.showPlacements(out)
	c.showStore(out)
	e := c.Mind.EventStats()
	for result, n := range map[string]int64{"taken": e.Taken, "stale": e.Stale, "unknown": e.Unknown} {
		out.counter(agentEvents, float64(n), result)
	}
	out.counter(agentGaps, float64(e.Gaps))
	out.counter(agentBatches, float64(e.Batches))
	if c.LoginsFailed != nil {
		for reason, n := range c.LoginsFailed() {
			out.counter(loginsFailed, float64(n), reason)
		}
	}
	for door, codes := range c.counts.doors {
		for code := range codes {
			if n := codes[code].Load(); n > 0 {
				out.counter(httpRequests, float64(n), door, strconv.Itoa(code))
			}
		}
	}
}

func (c *collector) showPlacements(out sink) {
	p := c.Mind.PlacementStats()
	out.counter(placementsTotal, float64(p.Placed))
	for _, code := range failureCodes {
		if _, counted := p.Failures[code]; !counted {
			p.Failures[code] = 0
		}
	}
	for code, n := range p.Failures {
		out.counter(placementFails, float64(n), cmp.Or(string(code), "other"))
	}
	out.counter(placementRetry, float64(p.Retries))
	out.counter(placementOvers, float64(p.FailOvers))
	out.counter(orphansBooked, float64(p.OrphansBooked))
	out.gauge(orphansOpen, float64(p.OrphansOpen))
}

func (c *collector) showStore(out sink) {
	out.counter(joinsUnvalidated, float64(c.Mind.Unvalidated()))
	out.counter(joinsUnreserved, float64(c.Mind.Unreserved()))
	for kind, s := range c.counts.store.each() {
		out.histogram(storeDuration, s.took, kind)
		failures := s.failures.each()
		for _, reason := range storeFailures {
			n := int64(0)
			if count := failures[reason]; count != nil {
				n = count.Load()
			}
			out.counter(storeErrors, float64(n), kind, reason)
		}
	}
	out.gauge(storeLag, c.Mind.FeedLag().Seconds())
	out.flag(storeDegraded, !c.Mind.StoreAnswers())
}
