package bbbtest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// ControlHelp documents the control API.
const ControlHelp = `The control listener switches faults of the simulated nodes. I is the number of a
node, from 0, or "all". Answers are JSON, except this text; errors are
{"error": "…"} with status 400, 404 or 500.

  GET    /                 this text and the nodes
  GET    /nodes            the nodes
  GET    /nodes/I          one node with its rooms
  POST   /nodes/I/faults   switch a fault on; those that are on stay on
  DELETE /nodes/I/faults   switch all faults off; calls in a black hole go on
  POST   /nodes/I/down     refuse connections, close the open ones; rooms live on
  POST   /nodes/I/up       listen again, on the same port
  POST   /nodes/I/restart  lose all rooms, as when bbb-web is restarted
  POST   /nodes/I/mute     lose all events until unmute, as when Redis is away
  POST   /nodes/I/unmute   publish events again; what was lost stays lost

A fault is an object with these members; only kind is needed:

  kind     one of those below
  calls    API calls it hits, like ["create", "join"]; all if absent
  times    calls it hits before it is over; until switched off if absent
  delay    "2s", "150ms" … for the kinds that have one
  key      messageKey of failWith
  message  message of failWith

  latency           waits delay, then goes on as usual
  lateAnswer        executes the call, waits delay before it answers
  lateExecution     executes the call after delay, even if the caller has gone
  blackHole         accepts the connection and is silent until switched off
  hangUp            closes the connection, executes nothing
  answerLost        executes the call, closes the connection
  serverError       HTTP 500, executes nothing
  serverErrorAfter  executes the call, answers with HTTP 500
  badGateway        HTTP 502, executes nothing
  htmlPage          HTTP 200 with an HTML page, executes nothing
  truncated         executes the call, answers with half of the XML
  cutOff            executes the call, closes the connection inside the answer
  slowBody          executes the call, waits delay before every byte of the answer
  wrongSecret       checksumError for everybody
  empty             answers as if there were no rooms
  partial           getMeetings shows only the older half of the rooms
  failWith          FAILED with key and message, executes nothing
  clockSkew         create takes its time from a clock that is delay ahead ("-2h")

Example:

  curl -d '{"kind": "blackHole", "calls": ["create"], "times": 1}' localhost:8090/nodes/0/faults
`

// Control is the HTTP API that switches faults, see ControlHelp.
func Control(nodes ...*Node) http.Handler {
	c := control{nodes}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.help)
	mux.HandleFunc("GET /nodes", c.list)
	mux.HandleFunc("GET /nodes/{node}", c.show)
	mux.HandleFunc("POST /nodes/{node}/faults", c.each(http.StatusBadRequest, setFault))
	mux.HandleFunc("DELETE /nodes/{node}/faults", c.each(0, func(n *Node, _ []byte) error { n.ClearFaults(); return nil }))
	mux.HandleFunc("POST /nodes/{node}/down", c.each(0, func(n *Node, _ []byte) error { n.Down(); return nil }))
	mux.HandleFunc("POST /nodes/{node}/up", c.each(http.StatusInternalServerError, func(n *Node, _ []byte) error { return n.Up() }))
	mux.HandleFunc("POST /nodes/{node}/restart", c.each(0, func(n *Node, _ []byte) error { n.ForgetRooms(); return nil }))
	mux.HandleFunc("POST /nodes/{node}/mute", c.each(0, func(n *Node, _ []byte) error { n.PauseEvents(true); return nil }))
	mux.HandleFunc("POST /nodes/{node}/unmute", c.each(0, func(n *Node, _ []byte) error { n.PauseEvents(false); return nil }))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		sendError(w, http.StatusNotFound, fmt.Errorf("there is no %s %s; GET / tells what there is", r.Method, r.URL.Path))
	})
	return mux
}

type control struct{ nodes []*Node }

func (c control) help(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, ControlHelp, "\nNodes:\n\n")
	for i, n := range c.nodes {
		state := "up"
		if n.IsDown() {
			state = "down"
		}
		fmt.Fprintf(w, "  %d  %s%s/  %s, %d rooms", i, n.PublicURL(), apiPath, state, n.roomCount())
		for _, f := range n.Faults() {
			fmt.Fprintf(w, ", %s", f)
		}
		fmt.Fprintln(w)
	}
}

func (c control) list(w http.ResponseWriter, _ *http.Request) {
	states := make([]nodeState, 0, len(c.nodes))
	for _, n := range c.nodes {
		states = append(states, stateOf(n, false))
	}
	sendJSON(w, http.StatusOK, states)
}

func (c control) show(w http.ResponseWriter, r *http.Request) {
	nodes, err := c.find(r.PathValue("node"))
	if err != nil {
		sendError(w, http.StatusNotFound, err)
		return
	}
	sendJSON(w, http.StatusOK, statesOf(nodes, true))
}

// each does something with the node of the path, or with all. An error of it
// is answered with the status.
func (c control) each(status int, do func(*Node, []byte) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		nodes, err := c.find(r.PathValue("node"))
		if err != nil {
			sendError(w, http.StatusNotFound, err)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			sendError(w, http.StatusBadRequest, err)
			return
		}
		for _, n := range nodes {
			if err := do(n, body); err != nil {
				sendError(w, status, err)
				return
			}
		}
		sendJSON(w, http.StatusOK, statesOf(nodes, false))
	}
}

func (c control) find(name string) ([]*Node, error) {
	if name == "all" {
		return c.nodes, nil
	}
	i, err := strconv.Atoi(name)
	if err != nil || i < 0 || i >= len(c.nodes) {
		return nil, fmt.Errorf("there is no node %q, only 0 to %d and all", name, len(c.nodes)-1)
	}
	return c.nodes[i : i+1], nil
}
