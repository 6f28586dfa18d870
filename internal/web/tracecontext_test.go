package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"b3scale/bbb"
	"b3scale/internal/web"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
	parent  = "00-" + traceID + "-" + spanID + "-01"
)

// What is well-formed goes on unchanged, what is not does not, and nothing is
// made up.
func TestTraceContext(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf("k%d=v", i))
		}
		return strings.Join(members, ",")
	}
	for _, c := range []struct {
		parents, states []string
		parent, state   string
	}{
		{nil, nil, "", ""},
		{nil, []string{"a=1"}, "", ""},
		{[]string{parent}, nil, parent, ""},
		{[]string{parent}, []string{"a=1"}, parent, "a=1"},
		{[]string{parent}, []string{"a=1, b@c/d-e_f*=2 3;4:5 ,"}, parent, "a=1, b@c/d-e_f*=2 3;4:5 ,"},
		{[]string{parent}, []string{"a=1", "b=2"}, parent, "a=1,b=2"},
		{[]string{parent}, []string{many(32)}, parent, many(32)},
		{[]string{parent}, []string{many(33)}, parent, ""},
		{[]string{parent}, []string{"a"}, parent, ""},
		{[]string{parent}, []string{"=1"}, parent, ""},
		{[]string{parent}, []string{"a="}, parent, ""},
		{[]string{parent}, []string{"A=1"}, parent, ""},
		{[]string{parent}, []string{"a=1=2"}, parent, ""},
		{[]string{parent}, []string{"a=\r\nX: 1"}, parent, ""},
		{[]string{parent}, []string{"a=ü"}, parent, ""},
		{[]string{parent}, []string{"a=" + strings.Repeat("b", 300)}, parent, ""},
		{[]string{parent}, []string{strings.Repeat("a=b,", 300)}, parent, ""},

		{[]string{"00-" + traceID + "-" + spanID + "-00"}, nil, "00-" + traceID + "-" + spanID + "-00", ""},
		{[]string{"cc-" + traceID + "-" + spanID + "-01-what-is-to-come"}, nil, "cc-" + traceID + "-" + spanID + "-01-what-is-to-come", ""},
		{[]string{parent, parent}, []string{"a=1"}, "", ""},
		{[]string{""}, []string{"a=1"}, "", ""},
		{[]string{"ff-" + traceID + "-" + spanID + "-01"}, nil, "", ""},
		{[]string{parent + "-more"}, nil, "", ""},
		{[]string{"cc-" + traceID + "-" + spanID + "-01more"}, nil, "", ""},
		{[]string{"cc-" + traceID + "-" + spanID + "-01-\n"}, nil, "", ""},
		{[]string{parent[:54]}, nil, "", ""},
		{[]string{strings.ToUpper(parent)}, nil, "", ""},
		{[]string{strings.Replace(parent, "4bf9", "4bg9", 1)}, nil, "", ""},
		{[]string{strings.Replace(parent, traceID, strings.Repeat("0", 32), 1)}, nil, "", ""},
		{[]string{strings.Replace(parent, spanID, strings.Repeat("0", 16), 1)}, nil, "", ""},
		{[]string{strings.Replace(parent, "-00f0", "_00f0", 1)}, nil, "", ""},
	} {
		var trace *bbb.Trace
		log, lines := logger()
		h := web.RequestID(web.AccessLog(log, web.AccessAll, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { trace = bbb.TraceOf(r.Context()) })))
		get(h, "/", http.Header{"Traceparent": c.parents, "Tracestate": c.states})
		if trace.Parent != c.parent || trace.State != c.state {
			t.Errorf("%q, %q: got %q, %q, want %q, %q", c.parents, c.states, trace.Parent, trace.State, c.parent, c.state)
		}
		if got := strings.Contains(lines.String(), " trace_id="+traceID); got != (c.parent != "") {
			t.Errorf("%q: the line has a trace_id: %v: %s", c.parents, got, lines)
		}
	}
}
