package gateway_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
)

// policy sets what all frontends do by default, and what the first one does.
func (h *harness) policy(defaults, own b3scale.FrontendSettings) {
	h.Helper()
	_, err := h.cluster.EditFrontendDefaults(h.Context(), b3scale.Actor{}, func(s *b3scale.FrontendSettings) error { *s = defaults; return nil })
	if err != nil {
		h.Fatal(err)
	}
	_, err = h.cluster.EditFrontend(h.Context(), h.one.ID, b3scale.Actor{}, func(f *b3scale.Frontend) error { f.Settings = own; return nil })
	if err != nil {
		h.Fatal(err)
	}
}

// reaches sends a call about a new meeting, or a join to the room "there", and
// returns the parameters that come to a node.
func (h *harness) reaches(call, query string) bbb.Params {
	h.Helper()
	if call == "join" {
		got := h.call(call, "meetingID=there&role=VIEWER&fullName="+personQuery+"&"+query)
		if got.status != http.StatusFound {
			h.Fatalf("join with %s: got %v", query, got)
		}
		u, err := url.Parse(got.header.Get("Location"))
		if err != nil {
			h.Fatal(err)
		}
		sent, _, _ := bbb.SplitChecksum(u.RawQuery)
		return bbb.ParseParams(sent)
	}
	h.forget()
	if got := h.call(call, "name=Room&meetingID=room"+strconv.Itoa(len(h.liveIDs()))+"&"+query); got.outcome(h) != bbb.Success {
		h.Fatalf("%s with %s: got %v", call, query, got)
	}
	return h.only().Params
}

// all are the values of a parameter, in whatever spelling.
func all(params bbb.Params, name string) (values []string) {
	for found, value := range params.All() {
		if strings.EqualFold(found, name) {
			values = append(values, value)
		}
	}
	return values
}

// client are the ways in which a client can send a parameter.
var client = []string{"x=1", "NAME=client", "NAME="}

// Each setting that names parameters, with each thing a client can send, set
// for all frontends, for this one, and for both, where its own counts.
func TestParameterSettings(t *testing.T) {
	t.Parallel()
	type settings = b3scale.FrontendSettings
	type params = b3scale.Params
	none := []string(nil)
	value := func(values ...string) []string { return values }
	for _, c := range []struct {
		setting, call, name string
		defaults, own       settings
		absent, sent, empty []string // what reaches the node
	}{
		{"nothing", "create", "welcome", settings{}, settings{}, none, value("client"), value("")},
		{"nothing", "join", "avatarURL", settings{}, settings{}, none, value("client"), value("")},

		{"default of all", "create", "welcome", settings{CreateDefaultParams: params{"welcome": "all"}}, settings{}, value("all"), value("client"), value("")},
		{"default", "create", "welcome", settings{}, settings{CreateDefaultParams: params{"welcome": "own"}}, value("own"), value("client"), value("")},
		{"default twice", "create", "welcome", settings{CreateDefaultParams: params{"welcome": "all"}}, settings{CreateDefaultParams: params{"welcome": "own"}}, value("own"), value("client"), value("")},
		{"default beside another", "create", "welcome", settings{CreateDefaultParams: params{"welcome": "all"}}, settings{CreateDefaultParams: params{"logo": "own"}}, value("all"), value("client"), value("")},

		{"override of all", "create", "welcome", settings{CreateOverrideParams: params{"welcome": "all"}}, settings{}, value("all"), value("all"), value("all")},
		{"override", "create", "welcome", settings{}, settings{CreateOverrideParams: params{"welcome": "own"}}, value("own"), value("own"), value("own")},
		{"override twice", "create", "welcome", settings{CreateOverrideParams: params{"welcome": "all"}}, settings{CreateOverrideParams: params{"welcome": "own"}}, value("own"), value("own"), value("own")},

		{"blocked for all", "create", "welcome", settings{CreateBlockedParams: []string{"welcome"}}, settings{}, none, none, none},
		{"blocked", "create", "welcome", settings{}, settings{CreateBlockedParams: []string{"logo", "welcome"}}, none, none, none},
		{"blocked twice", "create", "welcome", settings{CreateBlockedParams: []string{"logo"}}, settings{CreateBlockedParams: []string{"welcome"}}, none, none, none},
		{"blocked for others", "create", "welcome", settings{CreateBlockedParams: []string{"welcome"}}, settings{CreateBlockedParams: []string{"logo"}}, none, value("client"), value("")},
		{"blocked for others, nothing here", "create", "welcome", settings{CreateBlockedParams: []string{"welcome"}}, settings{CreateBlockedParams: []string{}}, none, value("client"), value("")},

		{"default of all", "join", "avatarURL", settings{JoinDefaultParams: params{"avatarURL": "all"}}, settings{}, value("all"), value("client"), value("")},
		{"default", "join", "avatarURL", settings{}, settings{JoinDefaultParams: params{"avatarURL": "own"}}, value("own"), value("client"), value("")},
		{"default twice", "join", "avatarURL", settings{JoinDefaultParams: params{"avatarURL": "all"}}, settings{JoinDefaultParams: params{"avatarURL": "own"}}, value("own"), value("client"), value("")},
		{"override of all", "join", "avatarURL", settings{JoinOverrideParams: params{"avatarURL": "all"}}, settings{}, value("all"), value("all"), value("all")},
		{"override", "join", "avatarURL", settings{}, settings{JoinOverrideParams: params{"avatarURL": "own"}}, value("own"), value("own"), value("own")},
		{"override twice", "join", "avatarURL", settings{JoinOverrideParams: params{"avatarURL": "all"}}, settings{JoinOverrideParams: params{"avatarURL": "own"}}, value("own"), value("own"), value("own")},
		{"blocked for all", "join", "avatarURL", settings{JoinBlockedParams: []string{"avatarURL"}}, settings{}, none, none, none},
		{"blocked", "join", "avatarURL", settings{}, settings{JoinBlockedParams: []string{"avatarURL"}}, none, none, none},
		{"blocked for others", "join", "avatarURL", settings{JoinBlockedParams: []string{"avatarURL"}}, settings{JoinBlockedParams: []string{"guest"}}, none, value("client"), value("")},
		{"settings of the other call", "join", "welcome", settings{CreateOverrideParams: params{"welcome": "all"}}, settings{CreateBlockedParams: []string{"welcome"}}, none, value("client"), value("")},
		{"settings of the other call", "create", "welcome", settings{JoinOverrideParams: params{"welcome": "all"}}, settings{JoinBlockedParams: []string{"welcome"}}, none, value("client"), value("")},

		// Each is stronger than those after it.
		{"blocked, overridden, default", "create", "welcome", settings{CreateBlockedParams: []string{"welcome"}},
			settings{CreateOverrideParams: params{"welcome": "own"}, CreateDefaultParams: params{"welcome": "own"}}, none, none, none},
		{"blocked, overridden, default", "join", "avatarURL", settings{JoinBlockedParams: []string{"avatarURL"}},
			settings{JoinOverrideParams: params{"avatarURL": "own"}, JoinDefaultParams: params{"avatarURL": "own"}}, none, none, none},
		{"overridden, default", "create", "welcome", settings{CreateOverrideParams: params{"welcome": "all"}}, settings{CreateDefaultParams: params{"welcome": "own"}},
			value("all"), value("all"), value("all")},

		// Metadata in any spelling; other names as they stand.
		{"default of metadata", "create", "META_cOURSE", settings{}, settings{CreateDefaultParams: params{"meta_Course": "own"}}, value("own"), value("client"), value("")},
		{"override of metadata", "create", "META_cOURSE", settings{}, settings{CreateOverrideParams: params{"meta_Course": "own"}}, value("own"), value("own"), value("own")},
		{"blocked metadata", "create", "META_cOURSE", settings{}, settings{CreateBlockedParams: []string{"meta_Course"}}, none, none, none},
		{"blocked in another case", "create", "welcome", settings{}, settings{CreateBlockedParams: []string{"Welcome"}}, none, value("client"), value("")},

		// What no rule may touch, should it ever have been stored.
		{"overridden id", "create", "meetingid", settings{}, settings{CreateOverrideParams: params{"checksum": "x", "meta_b3s-frontend": "x"}, CreateBlockedParams: []string{"meetingID", "meta_b3s-frontend"}},
			none, value("client"), value("")},
	} {
		t.Run(c.call+" "+c.setting, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{})
			h.create("there")
			h.policy(c.defaults, c.own)
			for i, want := range [][]string{c.absent, c.sent, c.empty} {
				params := h.reaches(c.call, strings.ReplaceAll(client[i], "NAME", c.name))
				got := all(params, c.name)
				if c.name == "meetingid" {
					got = slices.DeleteFunc(got, func(id string) bool { return strings.HasPrefix(id, nodeID("")[:8]) })
				}
				if !slices.Equal(got, want) {
					t.Errorf("of %s the node got %q, want %q", client[i], got, want)
				}
				if marks := all(params, "meta_b3s-frontend"); c.call == "create" && !slices.Equal(marks, []string{keyOne}) {
					t.Errorf("of %s the node got the marks %q", client[i], marks)
				}
				if params.Count("meetingID") != 1 || params.Count("checksum") != 0 {
					t.Errorf("of %s the node got %s", client[i], params.Encode())
				}
			}
		})
	}
}

// Caps at every level, with everything that stands for no limit.
func TestCappedParameters(t *testing.T) {
	t.Parallel()
	type settings = b3scale.FrontendSettings
	caps := func(most int) settings { return settings{CreateMaxParams: b3scale.Caps{"duration": most}} }
	for _, c := range []struct {
		name          string
		defaults, own settings
		want          map[string]string // by what the client sends
	}{
		{"none", settings{}, settings{}, map[string]string{"": "", "duration=": "", "duration=0": "0", "duration=90": "90", "duration=x": "x"}},
		{"of all", caps(60), settings{}, map[string]string{"": "60", "duration=": "60", "duration=0": "60", "duration=45": "45", "duration=90": "60", "duration=x": "60", "duration=-5": "60"}},
		{"own", settings{}, caps(30), map[string]string{"": "30", "duration=": "30", "duration=45": "30", "duration=30": "30", "duration=+7": "7"}},
		{"both, own is lower", caps(60), caps(30), map[string]string{"": "30", "duration=45": "30"}},
		{"both, own is higher", caps(60), caps(120), map[string]string{"": "120", "duration=90": "90"}},
		{"of another parameter", caps(60), settings{CreateMaxParams: b3scale.Caps{"maxParticipants": 5}}, map[string]string{"": "60", "duration=90": "60"}},
		{"over a default below", caps(60), settings{CreateDefaultParams: b3scale.Params{"duration": "20"}}, map[string]string{"": "20", "duration=": "60", "duration=90": "60"}},
		{"over a default above", caps(60), settings{CreateDefaultParams: b3scale.Params{"duration": "90"}}, map[string]string{"": "60", "duration=45": "45"}},
		{"under an override", caps(60), settings{CreateOverrideParams: b3scale.Params{"duration": "90"}}, map[string]string{"": "90", "duration=45": "90"}},
		{"blocked", caps(60), settings{CreateBlockedParams: []string{"duration"}}, map[string]string{"": "", "duration=45": "", "duration=90": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{})
			h.policy(c.defaults, c.own)
			for query, want := range c.want {
				params := h.reaches("create", query)
				if got := params.Get("duration"); got != want || params.Count("duration") > 1 {
					t.Errorf("%q: the node got %q, want %q", query, got, want)
				}
			}
		})
	}
}

// disabledFeatures is added up where there is a default.
func TestDisabledFeatures(t *testing.T) {
	t.Parallel()
	type settings = b3scale.FrontendSettings
	features := func(list string) b3scale.Params { return b3scale.Params{"disabledFeatures": list} }
	for _, c := range []struct {
		name                string
		defaults, own       settings // of create; of join the same is made
		absent, sent, empty string
	}{
		{"nothing", settings{}, settings{}, "-", "chat,,polls", ""},
		{"default of all", settings{CreateDefaultParams: features("polls, timer,")}, settings{}, "polls,timer", "chat,polls,timer", "polls,timer"},
		{"default", settings{}, settings{CreateDefaultParams: features("polls,timer")}, "polls,timer", "chat,polls,timer", "polls,timer"},
		{"own default only", settings{CreateDefaultParams: features("polls")}, settings{CreateDefaultParams: features("layouts")}, "layouts", "chat,polls,layouts", "layouts"},
		{"override", settings{}, settings{CreateOverrideParams: features("layouts,")}, "layouts,", "layouts,", "layouts,"},
		{"override and default", settings{CreateDefaultParams: features("polls")}, settings{CreateOverrideParams: features("layouts,,polls")}, "layouts,polls", "layouts,polls", "layouts,polls"},
		{"empty default", settings{CreateDefaultParams: features(" ,")}, settings{}, "-", "chat,polls", ""},
		{"blocked", settings{CreateDefaultParams: features("polls")}, settings{CreateOverrideParams: features("layouts"), CreateBlockedParams: []string{"disabledFeatures"}}, "-", "-", "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{})
			h.create("there")
			for _, s := range []*settings{&c.defaults, &c.own} {
				s.JoinDefaultParams, s.JoinOverrideParams, s.JoinBlockedParams = s.CreateDefaultParams, s.CreateOverrideParams, s.CreateBlockedParams
			}
			h.policy(c.defaults, c.own)
			for query, want := range map[string]string{"x=1": c.absent, "disabledFeatures=chat,,polls": c.sent, "disabledFeatures=": c.empty} {
				for _, call := range []string{"create", "join"} {
					params := h.reaches(call, query)
					got, found := params.Lookup("disabledFeatures")
					if !found {
						got = "-"
					}
					if got != want {
						t.Errorf("%s, %s: the node got %q, want %q", call, query, got, want)
					}
				}
			}
		})
	}
}

// Whatever a policy does not name stays as it was sent, and in its place.
func TestPolicyKeepsTheRest(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.policy(b3scale.FrontendSettings{CreateMaxParams: b3scale.Caps{"duration": 60}, CreateDefaultParams: b3scale.Params{"b": "1", "a": "2"}}, b3scale.FrontendSettings{
		CreateBlockedParams: []string{"welcome"}, CreateOverrideParams: b3scale.Params{"record": "false", "meta_X": "ü&"},
	})
	const sent = "z;z=%c3%bc&META_x=1&name=R%6fom&welcome=a&welcome=b&record=true&=&meta_X=2&duration=99&meetingID=room&record=true&future=%7b%7D"
	if got := h.call("create", sent); got.outcome(t) != bbb.Success {
		t.Fatalf("got %v", got)
	}
	query, _, _ := bbb.SplitChecksum(h.only().RawQuery)
	query, _, _ = strings.Cut(strings.ReplaceAll(query, url.QueryEscape(nodeID("room")), "ID"), "&attendeePW")
	const want = "z;z=%c3%bc&name=R%6fom&record=false&=&duration=60&meetingID=ID&future=%7b%7D&meta_x=%C3%BC%26&a=2&b=1&meta_b3s-frontend=fe1"
	if query != want {
		t.Errorf("the node got\n%s, want\n%s", query, want)
	}
	// The others are not concerned but by the defaults.
	h.forget()
	if got := h.do(request{target: signedBy(keyTwo, secretTwo, "create", "name=Room&meetingID=other&welcome=hi")}); got.outcome(t) != bbb.Success {
		t.Fatalf("got %v", got)
	}
	if p := h.only().Params; p.Get("welcome") != "hi" || p.Count("record") != 0 || p.Get("duration") != "60" || p.Get("meta_b3s-frontend") != keyTwo {
		t.Errorf("of the other frontend the node got %s", p.Encode())
	}
}

// What the door itself reads of a join is what the policy has made of it.
func TestJoinPolicyDecidesAtTheDoor(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	const client, operator = "https://client.example.org/", "https://operator.example.org/"
	for _, c := range []struct {
		name     string
		settings b3scale.FrontendSettings
		query    string
		location string
		status   int
	}{
		{"nothing", b3scale.FrontendSettings{}, "&errorRedirectUrl=" + client, client, 302},
		{"blocked", b3scale.FrontendSettings{JoinBlockedParams: []string{"errorRedirectUrl"}}, "&errorRedirectUrl=" + client, "", 404},
		{"overridden", b3scale.FrontendSettings{JoinOverrideParams: b3scale.Params{"errorRedirectUrl": operator}}, "&errorRedirectUrl=" + client, operator, 302},
		{"default", b3scale.FrontendSettings{JoinDefaultParams: b3scale.Params{"errorRedirectUrl": operator}}, "", operator, 302},
		{"XML asked for", b3scale.FrontendSettings{}, "&redirect=false", "", 200},
		{"a page in its place", b3scale.FrontendSettings{JoinBlockedParams: []string{"redirect"}}, "&redirect=false", "", 404},
	} {
		h.policy(b3scale.FrontendSettings{}, c.settings)
		got := h.browse(signed("join", "meetingID=unknown&role=VIEWER&fullName="+personQuery+c.query))
		if location := got.header.Get("Location"); got.status != c.status || !strings.HasPrefix(location, c.location) || (location == "") != (c.location == "") {
			t.Errorf("%s: got %v, want %d to %q", c.name, got, c.status, c.location)
		}
	}
}
