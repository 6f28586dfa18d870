package gateway_test

import (
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// untouched fails the test when a node was asked or a row may have changed.
func (h *harness) untouched(what string) {
	h.Helper()
	if asked := h.asked(); len(asked) > 0 {
		h.Errorf("%s: reached a node: %q", what, asked)
	}
	if writes := h.store.takeWrites(); len(writes) > 0 {
		h.Errorf("%s: wrote %v", what, writes)
	}
	h.forget()
}

// asked are all requests that reached the nodes, as "call query" without the
// checksum.
func (h *harness) asked() []string {
	var all []string
	for _, n := range h.nodes {
		for _, r := range n.Requests() {
			query, _, _ := bbb.SplitChecksum(r.RawQuery)
			all = append(all, r.Call+" "+query)
		}
	}
	return all
}

// only is the single request that reached the nodes.
func (h *harness) only() bbbtest.Request {
	h.Helper()
	var all []bbbtest.Request
	for _, n := range h.nodes {
		all = append(all, n.Requests()...)
	}
	if len(all) != 1 {
		h.Fatalf("the nodes got %d requests, want 1: %q", len(all), h.asked())
	}
	return all[0]
}

// sentParam is a parameter of that request.
func (h *harness) sentParam(name string) string {
	h.Helper()
	r := h.only()
	return r.Params.Get(name)
}

// forget lets nodes and store forget what they were asked so far.
func (h *harness) forget() {
	for _, n := range h.nodes {
		n.ResetRequests()
	}
	h.store.takeWrites()
}
