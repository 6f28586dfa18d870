package main

// frontend answers: what does this tenant do, what is it refused, and why?
func frontend() dashboard {
	return newDashboard("frontend", "frontends", "What do frontends do, what are they refused, and why?",
		[]object{variable("frontend", "Frontend", `label_values(b3scale_frontend_meetings{job="$job"}, frontend)`, true)},
		lines("People", "In the meetings of each frontend.", count,
			query{name: "{{frontend}}", expr: `max by (frontend) (b3scale_frontend_participants{job="$job",frontend=~"$frontend"})`}),
		lines("Meetings", "That live or are being created, breakout rooms included.", count,
			query{name: "{{frontend}}", expr: `max by (frontend) (b3scale_frontend_meetings{job="$job",frontend=~"$frontend"})`}),
		lines("What people do", "Who speaks and shows a camera counts twice: these do not add up.", count,
			query{name: "{{kind}}", expr: `sum by (kind) (max by (frontend, kind) (b3scale_frontend_participants_by_kind{job="$job",frontend=~"$frontend"}))`}),
		lines("Used of what is limited", "1 is the limit. Frontends without limits have no line.", share,
			query{name: "{{frontend}}: {{kind}}", expr: `max by (frontend, kind) (b3scale_frontend_limit_usage{job="$job",frontend=~"$frontend"}) / max by (frontend, kind) (b3scale_frontend_limit{job="$job",frontend=~"$frontend"})`}),
		lines("Refused at limits", "attendees: joins. create, meetings: creates. rate, rate_joins: calls too often. node_calls: too many calls to backends at a time. warning was let in.", perSecond,
			query{name: "{{frontend}}: {{kind}}", expr: `sum by (frontend, kind) (rate(b3scale_frontend_limit_hits_total{job="$job",frontend=~"$frontend"}[$__rate_interval]))`}),
		lines("Wrong checksums", "Its secret is wrong somewhere, or it is disabled, or somebody guesses. undefined: there is no such frontend.", perSecond,
			query{name: "{{frontend}}", expr: `sum by (frontend) (rate(b3scale_frontend_checksum_failures_total{job="$job",frontend=~"$frontend|undefined"}[$__rate_interval]))`}),
		lines("Requests by call", "Which calls they make, and how often.", perSecond,
			query{name: "{{resource}}", expr: `sum by (resource) (rate(b3scale_frontend_requests_total{job="$job",frontend=~"$frontend"}[$__rate_interval]))`}).stacked(),
		lines("Requests that did not succeed", "By result: see docs/gateway.md for what the message keys mean. b3scaleGatewayError is ours to mend, most others are theirs.", perSecond,
			query{name: "{{result}}", expr: `sum by (result) (rate(b3scale_frontend_requests_total{job="$job",frontend=~"$frontend",result!~"ok|redirect"}[$__rate_interval]))`}).stacked(),
		lines("What becomes of joins", "redirect: let in. waiting, gaveUp: on the waiting page.", perSecond,
			query{name: "{{result}}", expr: `sum by (result) (rate(b3scale_frontend_requests_total{job="$job",frontend=~"$frontend",resource="join"}[$__rate_interval]))`}).stacked(),
		lines("Calls to backends under way", "The most are B3SCALE_NODE_CALLS_PER_FRONTEND on each instance, 128 by default.", count,
			query{name: "{{frontend}}", expr: `sum by (frontend) (b3scale_frontend_node_calls{job="$job",frontend=~"$frontend"})`}),
		lines("Callbacks that wait", "Messages to the frontend that it has not taken yet. They are tried again for a day.", count,
			query{name: "{{frontend}}", expr: `max by (frontend) (b3scale_callbacks_waiting{job="$job",frontend=~"$frontend"})`}),
		lines("Recordings", "By what their frontends may do with them; other are states that only their servers know.", count,
			query{name: "{{frontend}}: {{state}}", expr: `max by (frontend, state) (b3scale_recordings{job="$job",frontend=~"$frontend"})`}),
		lines("Age of the oldest callback", "Minutes are a restart of the frontend; hours are a wrong address, or a firewall.", seconds,
			query{name: "{{frontend}}", expr: `max by (frontend) (b3scale_callbacks_oldest_seconds{job="$job",frontend=~"$frontend"})`}),
	)
}
