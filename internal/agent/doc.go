// Package agent is what runs beside BigBlueButton on each node: it registers
// the node with b3scaled, says every second that the node lives, and passes on
// what happens in the meetings.
//
// The way of an event: listener (Redis) → decode → rooms (what a meeting looks
// like, so that what is sent are facts that may be repeated) → outbox (order
// and a bounded memory) → sender (batches, until they are acknowledged) → Sink:
// the API of b3scaled, or what b3scalenoded puts in its place. A server without
// the route for batches gets the remote calls of the existing product instead,
// see legacy.go.
//
// Nothing waits for anything else: a heartbeat has its own connections and
// never stands behind an event, and no start fails because something else has
// not started yet.
package agent
