package gateway_test

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// tag gives the nodes their tags, in order.
func (h *harness) tag(tags ...b3scale.Tags) {
	h.Helper()
	for i, n := range h.nodes {
		_, err := h.cluster.EditBackend(h.Context(), h.backend(n).ID, b3scale.Actor{}, func(b *b3scale.Backend) error { b.Settings.Tags = tags[i]; return nil })
		if err != nil {
			h.Fatal(err)
		}
	}
}

// Where meetings run, by what the frontend requires and allows and the create
// asks for.
func TestServerTags(t *testing.T) {
	t.Parallel()
	type tags = b3scale.Tags
	type settings = b3scale.FrontendSettings
	everywhere := []string{"node1", "node2", "node3", "node4"} // plain, fast, fast and eu, eu
	anything := settings{AllowedTags: tags{b3scale.AnyTag}}
	const override = "meta_server-tag"
	for _, c := range []struct {
		name     string
		defaults settings
		own      settings
		query    string
		want     []string
		because  string // in the log, when there is no backend
	}{
		{name: "nothing", want: everywhere},
		{name: "preferred", own: anything, query: "meta_server-tag=fast", want: []string{"node2", "node3"}},
		{name: "in another spelling", own: anything, query: "Meta_Server-Tag=fast", want: []string{"node2", "node3"}},
		{name: "one of two", own: anything, query: "meta_server-tag=fast;eu", want: []string{"node2", "node3", "node4"}},
		{name: "semicolon escaped", own: anything, query: "meta_server-tag=fast%3Beu%21", want: []string{"node2", "node3", "node4"}},
		{name: "preferred, not there", own: anything, query: "meta_server-tag=huge", want: everywhere},
		{name: "insisted", own: anything, query: "meta_server-tag=fast!", want: []string{"node2", "node3"}},
		{name: "insisted, not there", own: anything, query: "meta_server-tag=huge!", because: `none of the wanted tags ("huge")`},
		{name: "none", own: anything, query: "meta_server-tag=none", want: []string{"node1"}},
		{name: "none or another", own: anything, query: "meta_server-tag=none;huge!", want: []string{"node1"}},

		{name: "nothing allowed", query: "meta_server-tag=fast", want: everywhere},
		{name: "nothing allowed, insisted", query: "meta_server-tag=fast!", because: `not allowed: "fast"`},
		{name: "none needs no permission", query: "meta_server-tag=none!", want: []string{"node1"}},
		{name: "allowed", own: settings{AllowedTags: tags{"fast"}}, query: "meta_server-tag=fast!", want: []string{"node2", "node3"}},
		{name: "allowed in part", own: settings{AllowedTags: tags{"fast"}}, query: "meta_server-tag=eu;fast!", want: []string{"node2", "node3"}},
		{name: "another allowed", own: settings{AllowedTags: tags{"eu"}}, query: "meta_server-tag=fast", want: everywhere},
		{name: "allowed for all", defaults: anything, query: "meta_server-tag=eu", want: []string{"node3", "node4"}},
		{name: "allowed for all, nothing here", defaults: anything, own: settings{AllowedTags: tags{}}, query: "meta_server-tag=eu", want: everywhere},

		{name: "required", own: settings{RequiredTags: tags{"eu"}}, want: []string{"node3", "node4"}},
		{name: "required of all", defaults: settings{RequiredTags: tags{"eu"}}, want: []string{"node3", "node4"}},
		{name: "nothing required here", defaults: settings{RequiredTags: tags{"eu"}}, own: settings{RequiredTags: tags{}}, want: everywhere},
		{name: "required, not there", own: settings{RequiredTags: tags{"eu", "huge"}}, because: `4 lack tags ("eu, huge")`},
		{name: "required, and preferred elsewhere", own: settings{RequiredTags: tags{"eu"}, AllowedTags: tags{"*"}}, query: "meta_server-tag=fast", want: []string{"node3"}},
		{name: "never weaker than required", own: settings{RequiredTags: tags{"eu", "fast"}, AllowedTags: tags{"*"}}, query: "meta_server-tag=none", want: []string{"node3"}},
		{name: "required counts as none", own: settings{RequiredTags: tags{"eu"}}, query: "meta_server-tag=none!", want: []string{"node4"}},
		{name: "required, insisted elsewhere", own: settings{RequiredTags: tags{"fast", "eu"}, AllowedTags: tags{"*"}}, query: "meta_server-tag=huge!",
			because: `3 lack tags ("fast, eu"), 1 have none of the wanted tags ("huge")`},

		{name: "by override", own: settings{AllowedTags: tags{"*"}, CreateOverrideParams: b3scale.Params{override: "eu!"}}, query: "meta_server-tag=fast", want: []string{"node3", "node4"}},
		{name: "by default", own: settings{AllowedTags: tags{"*"}, CreateDefaultParams: b3scale.Params{override: "eu!"}}, want: []string{"node3", "node4"}},
		{name: "default, but sent", own: settings{AllowedTags: tags{"*"}, CreateDefaultParams: b3scale.Params{override: "eu!"}}, query: "META_server-tag=fast", want: []string{"node2", "node3"}},
		{name: "blocked", own: settings{AllowedTags: tags{"*"}, CreateBlockedParams: []string{override}}, query: "META_server-tag=huge!", want: everywhere},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{nodes: make([]bbbtest.Options, 4)})
			h.tag(nil, tags{"fast"}, tags{"fast", "eu"}, tags{"eu"})
			h.policy(c.defaults, c.own)
			for i := range max(2*len(c.want), 1) { // equal loads: each in turn
				got := h.call("create", "name=Room&meetingID=room"+strconv.Itoa(i)+"&"+c.query)
				if want := bbb.Success; c.because == "" && got.outcome(t) != want {
					t.Fatalf("got %v", got)
				}
				if c.because != "" && (got.outcome(t) != "b3scaleGatewayError" || got.text(t, "message") != "no free backend available for meeting") {
					t.Errorf("got %v", got)
				}
			}
			var asked []string
			for _, n := range h.nodes {
				if len(n.Calls("create")) > 0 {
					asked = append(asked, n.Name())
				}
			}
			if !slices.Equal(asked, c.want) {
				t.Errorf("meetings run on %q, want %q", asked, c.want)
			}
			if log := strings.ReplaceAll(h.log.String(), `\"`, `"`); c.because != "" && !strings.Contains(log, c.because) {
				t.Errorf("want in the log %s\n%s", c.because, log)
			}
			if c.because != "" {
				h.untouched("a create without a backend")
			}
			// What only the frontend can mend is nothing for an operator.
			if warned := strings.Contains(h.log.String(), "level=WARN"); warned != (c.because != "" && c.name != "nothing allowed, insisted") {
				t.Errorf("a warning in the log: %v\n%s", warned, h.log)
			}
		})
	}
}

// A meeting that lives somewhere stays there, whatever is asked for now, and
// its breakout rooms are with it.
func TestTagsPlaceNewMeetingsOnly(t *testing.T) {
	t.Parallel()
	type tags = b3scale.Tags
	h := newHarness(t, setup{nodes: make([]bbbtest.Options, 2)})
	h.tag(tags{"fast"}, tags{"eu"})
	h.policy(b3scale.FrontendSettings{}, b3scale.FrontendSettings{AllowedTags: tags{"*"}})
	const room = "name=Room&meetingID=room"
	if got := h.call("create", room+"&meta_server-tag=eu!"); got.outcome(t) != bbb.Success {
		t.Fatalf("got %v", got)
	}
	h.forget()
	h.policy(b3scale.FrontendSettings{}, b3scale.FrontendSettings{RequiredTags: tags{"fast"}})
	for _, query := range []string{
		room, room + "&meta_server-tag=fast!", room + "&meta_server-tag=eu!",
		"name=Sub&meetingID=sub&isBreakout=true&parentMeetingID=room&sequence=1&meta_server-tag=fast!",
	} {
		if got := h.call("create", query); got.outcome(t) != bbb.Success {
			t.Errorf("%s: got %v", query, got)
		}
	}
	if on1, on2 := len(h.nodes[0].Requests()), len(h.nodes[1].Calls("create")); on1 != 0 || on2 != 4 {
		t.Errorf("the nodes got %d and %d calls, want 0 and 4", on1, on2)
	}
}

// What a meeting is expected to become is read after the rewriting, too.
func TestSizeHintAfterRewriting(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	for i, c := range []struct {
		settings b3scale.FrontendSettings
		query    string
		want     int
	}{
		{b3scale.FrontendSettings{}, "meta_bbb-meeting-size-hint=40", 40},
		{b3scale.FrontendSettings{}, "META_BBB-meeting-size-hint=40", 40},
		{b3scale.FrontendSettings{CreateOverrideParams: b3scale.Params{"meta_bbb-meeting-size-hint": "70"}}, "meta_bbb-meeting-size-hint=40", 70},
		{b3scale.FrontendSettings{CreateDefaultParams: b3scale.Params{"meta_BBB-meeting-size-hint": "80"}}, "", 80},
		{b3scale.FrontendSettings{CreateBlockedParams: []string{"meta_bbb-meeting-size-hint"}}, "meta_bbb-meeting-size-hint=40", 15},
		{b3scale.FrontendSettings{CreateMaxParams: b3scale.Caps{"maxParticipants": 4}}, "maxParticipants=0", 4},
	} {
		h.policy(b3scale.FrontendSettings{}, c.settings)
		id := "room" + strconv.Itoa(i)
		if got := h.call("create", "name=Room&meetingID="+url.QueryEscape(id)+"&"+c.query); got.outcome(t) != bbb.Success {
			t.Fatalf("got %v", got)
		}
		if got := h.cluster.Room(b3scale.MeetingKey{FrontendID: h.one.ID, MeetingID: id}); got.Size != c.want {
			t.Errorf("%s: it is expected to have %d people, want %d", c.query, got.Size, c.want)
		}
	}
}
