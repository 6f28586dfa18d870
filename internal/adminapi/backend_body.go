package adminapi

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"b3scale"
	"b3scale/internal/auth"
)

// backendBody is what a body may set of a backend, as frontendBody.
type backendBody struct {
	BBB        *backendBodyBBB         `json:"bbb"` // null is a mistake
	Settings   b3scale.BackendSettings `json:"settings"`
	AdminState b3scale.AdminState      `json:"admin_state"`
	LoadFactor float64                 `json:"load_factor"`
}

type backendBodyBBB struct {
	Host            string         `json:"host"`
	Secret          b3scale.Secret `json:"secret"`
	SecondarySecret *string        `json:"secondary_secret"`
}

// backendBodyOf shares nothing with b.
func backendBodyOf(b *b3scale.Backend) backendBody {
	body := backendBody{
		BBB:        &backendBodyBBB{b.Host, b.Secret, orNull(b.SecondarySecret.Reveal())},
		Settings:   b.Settings,
		AdminState: b.AdminState,
		LoadFactor: b.LoadFactor,
	}
	body.Settings.Tags = slices.Clone(b.Settings.Tags)
	return body
}

// merge puts a text on top. The agents of old call the member bbb "backend", and
// always send a load factor: 1 unless they were told another one.
func (body *backendBody) merge(text []byte, i auth.Identity) error {
	if i.Has(auth.Node) {
		var alias struct {
			Backend json.RawMessage `json:"backend"`
		}
		if err := decode(text, &alias); err != nil {
			return err
		}
		if err := decode(alias.Backend, body.BBB); err != nil {
			return err
		}
	}
	set := body.LoadFactor
	if err := decode(text, body); err != nil {
		return err
	}
	if !i.Has(auth.Admin) && notGiven(body.LoadFactor) {
		body.LoadFactor = set
	}
	return nil
}

// notGiven reports whether a load factor of an agent means nothing.
func notGiven(factor float64) bool { return factor == 0 || factor == 1 }

// create makes a backend of the body.
func (body backendBody) create(i auth.Identity) (b b3scale.Backend, err error) {
	wrong := fieldErrors{}
	agent := i.Has(auth.Node) && !i.Has(auth.Admin)
	if agent {
		if i.Subject == "" {
			return b, statusError{http.StatusForbidden, "a token without a subject is no agent's"}
		}
		no := fieldErrors{}
		no.refuse("admin_state", body.AdminState != "" && body.AdminState != b3scale.AdminInit)
		no.refuse("settings", len(body.Settings.Tags) > 0 || body.Settings.MaxMeetings != 0 || body.Settings.MaxAttendees != 0)
		if err := forbidden(no); err != nil {
			return b, err
		}
		body.AdminState, body.Settings = b3scale.AdminInit, b3scale.BackendSettings{}
	}
	if body.BBB == nil {
		wrong.add("bbb", isRequired)
		return b, wrong
	}
	body.AdminState = cmp.Or(body.AdminState, b3scale.AdminReady)
	body.LoadFactor = cmp.Or(body.LoadFactor, 1)
	body.apply(&b)
	if i.Has(auth.Node) {
		b.AgentRef = i.Subject
		wrong.judge("agent_ref", true, wrongWithName(b.AgentRef, maxAgentRef))
	}
	wrong.judge("bbb.host", b.Host == "", isRequired)
	wrong.judge("bbb.secret", b.Secret == "", isRequired)
	wrong.checkBackend(&b, &b3scale.Backend{})
	b.Host = withSlash(b.Host)
	return b, wrong.err()
}

// edit makes b what the body says. An agent may change only what concerns its
// node.
func (body backendBody) edit(b *b3scale.Backend, i auth.Identity) error {
	wrong := fieldErrors{}
	if body.BBB == nil {
		wrong.add("bbb", isRequired)
		return wrong
	}
	was := *b
	body.apply(b)
	if !i.Has(auth.Admin) {
		no := fieldErrors{}
		no.refuse("admin_state", b.AdminState != was.AdminState)
		no.refuse("bbb.secondary_secret", b.SecondarySecret != was.SecondarySecret)
		no.refuse("settings.tags", !slices.Equal(b.Settings.Tags, was.Settings.Tags))
		no.refuse("settings.max_meetings", b.Settings.MaxMeetings != was.Settings.MaxMeetings)
		no.refuse("settings.max_attendees", b.Settings.MaxAttendees != was.Settings.MaxAttendees)
		if err := forbidden(no); err != nil {
			return err
		}
		// Joins lead people there: an operator looks first.
		if withSlash(b.Host) != withSlash(was.Host) && !sameServer(b.Host, was.Host) && b.AdminState == b3scale.AdminReady {
			b.AdminState = b3scale.AdminInit
		}
		wrong.judge("load_factor", b.LoadFactor != was.LoadFactor && (b.LoadFactor < 0.01 || b.LoadFactor > 100), "should be between 0.01 and 100")
	}
	wrong.checkBackend(b, &was)
	return wrong.err()
}

// sameServer reports whether two addresses differ in their paths only.
func sameServer(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && strings.EqualFold(x.Scheme, y.Scheme) && strings.EqualFold(x.Host, y.Host)
}

func (body backendBody) apply(b *b3scale.Backend) {
	b.Host = trimmed(body.BBB.Host, b.Host)
	b.Secret = b3scale.Secret(trimmed(body.BBB.Secret.Reveal(), b.Secret.Reveal()))
	b.SecondarySecret = b3scale.Secret(trimmed(text(body.BBB.SecondarySecret), b.SecondarySecret.Reveal()))
	b.Settings = body.Settings
	b.AdminState = body.AdminState
	b.LoadFactor = body.LoadFactor
}

// adminStates are those that may be set. "error" is only kept where it is.
var adminStates = []b3scale.AdminState{b3scale.AdminInit, b3scale.AdminReady, b3scale.AdminStopped, b3scale.AdminDecommissioned}

// checkBackend judges what is not as it was.
func (f fieldErrors) checkBackend(now, was *b3scale.Backend) {
	f.judge("bbb.host", now.Host != was.Host, wrongWithHost(now.Host))
	f.judge("bbb.secret", now.Secret != was.Secret, wrongWithSecret(now.Secret))
	f.judge("bbb.secondary_secret", now.SecondarySecret != was.SecondarySecret, wrongWithSecondary(now.SecondarySecret))
	f.judge("admin_state", now.AdminState != was.AdminState && !slices.Contains(adminStates, now.AdminState), "should be "+listed(adminStates))
	bad := !(now.LoadFactor > 0) || math.IsInf(now.LoadFactor, 1)
	f.judge("load_factor", now.LoadFactor != was.LoadFactor && bad, "should be above 0")
	s, old := &now.Settings, &was.Settings
	f.judge("settings.tags", !slices.Equal(s.Tags, old.Tags), wrongWithTags(s.Tags))
	f.judge("settings.max_meetings", s.MaxMeetings != old.MaxMeetings, wrongWithCount(s.MaxMeetings))
	f.judge("settings.max_attendees", s.MaxAttendees != old.MaxAttendees, wrongWithCount(s.MaxAttendees))
}
