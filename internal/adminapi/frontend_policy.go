package adminapi

import (
	"net/http"

	"b3scale"
	"b3scale/internal/auth"
)

// FrontendPolicyRead shows what counts for one, and where it comes from.
func (s *Server) FrontendPolicyRead(w http.ResponseWriter, r *http.Request, id FrontendID) {
	all, err := s.Store.Frontends(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	f, err := pickFrontend(all, id, who(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defaults, err := s.Mind.FrontendDefaults(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	answer := policyOf(f, defaults, who(r))
	answer.Usage = s.usage(f.ID)
	s.send(w, r, http.StatusOK, answer)
}

// policyOf is the policy as i may see it. The passwords in the defaults are the
// operators', whoever owns the frontend.
func policyOf(f *b3scale.Frontend, defaults b3scale.FrontendSettings, i auth.Identity) FrontendPolicy {
	own := f.Settings
	if !i.Has(auth.Admin) {
		defaults = defaults.Masked()
		if !ownsFrontend(i, f) {
			own = own.Masked()
		}
	}
	sources := map[string]SettingSource{}
	for name, from := range own.Sources(defaults) {
		sources[name] = SettingSource(from)
	}
	return FrontendPolicy{Settings: frontendSettingsOf(own.Over(defaults)), Sources: sources}
}

// usage counts as limits do: breakout rooms are no meetings, and people in them
// are in the meeting that they came from.
func (s *Server) usage(frontendID string) (u FrontendUsage) {
	for _, room := range s.Mind.AllRooms() {
		if room.Key.FrontendID != frontendID || room.Breakout {
			continue
		}
		u.Meetings++
		u.Participants += room.People
		if crowd := room.Crowd(); crowd != nil {
			u.Moderators += crowd.Headcount().Moderators
		}
	}
	return u
}
