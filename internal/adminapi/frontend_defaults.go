package adminapi

import (
	"net/http"

	"b3scale"
	"b3scale/internal/auth"
)

// FrontendDefaultsRead shows the settings of frontends that do not set them.
func (s *Server) FrontendDefaultsRead(w http.ResponseWriter, r *http.Request) {
	defaults, err := s.Mind.FrontendDefaults(r.Context())
	s.answerDefaults(w, r, defaults, nil, err)
}

// FrontendDefaultsPatch changes them.
func (s *Server) FrontendDefaultsPatch(w http.ResponseWriter, r *http.Request) {
	text, err := readBody(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var warnings []string
	defaults, err := s.Mind.EditFrontendDefaults(r.Context(), s.actor(r), func(defaults *b3scale.FrontendSettings) error {
		body := cloneSettings(*defaults)
		if err := decode(text, &body); err != nil {
			return err
		}
		var err error
		warnings, err = editDefaults(defaults, body)
		return err
	})
	s.answerDefaults(w, r, defaults, warnings, err)
}

// editDefaults makes the defaults what the body says.
func editDefaults(defaults *b3scale.FrontendSettings, body b3scale.FrontendSettings) (warnings []string, err error) {
	wrong := fieldErrors{}
	wrong.judge("hosts", body.Hosts != nil, "should be set for one frontend alone")
	body.Hosts = nil
	was := *defaults
	*defaults = settled(body, &was)
	warnings = wrong.checkSettings("", defaults, &was)
	return warnings, wrong.err()
}

func (s *Server) answerDefaults(w http.ResponseWriter, r *http.Request, defaults b3scale.FrontendSettings, warnings []string, err error) {
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !who(r).Has(auth.Admin) {
		defaults = defaults.Masked()
	}
	answer := frontendDefaultsOf(defaults)
	answer.Warnings = warnings
	s.send(w, r, http.StatusOK, answer)
}
