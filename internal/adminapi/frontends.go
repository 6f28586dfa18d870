package adminapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"b3scale"
	"b3scale/internal/auth"
	"b3scale/internal/cluster"
)

// secretUses tell when secrets were last used. nil: nobody knows.
type secretUses map[b3scale.SecretSlot]b3scale.Micros

// FrontendsList lists those that the bearer of the token may see.
func (s *Server) FrontendsList(w http.ResponseWriter, r *http.Request, params FrontendsListParams) {
	all, uses, err := s.frontends(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	counts, _ := s.Mind.Counts()
	var found []Frontend
	for _, f := range all {
		if seesFrontend(who(r), &f) && wantsFrontend(params, &f) {
			one := frontendOf(&f, uses, who(r))
			one.Counts = countsOf(counts[f.ID])
			found = append(found, one)
		}
	}
	found, err = page(w, found, paging{params.Limit, params.Offset, params.Order}, frontendOrders)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, found)
}

// FrontendsCreate adds one.
func (s *Server) FrontendsCreate(w http.ResponseWriter, r *http.Request) {
	body := frontendBody{Active: true}
	if err := request(r, &body); err != nil {
		s.fail(w, r, err)
		return
	}
	var f b3scale.Frontend
	warnings, err := body.create(&f)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	f, err = s.Mind.AddFrontend(r.Context(), f, s.actor(r))
	s.answerFrontend(w, r, "", f, warnings, err)
}

// FrontendsRead shows one.
func (s *Server) FrontendsRead(w http.ResponseWriter, r *http.Request, id FrontendID) {
	all, uses, err := s.frontends(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	f, err := pickFrontend(all, id, who(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.sendFrontend(w, r, f, uses, nil)
}

// FrontendsPatch changes one.
func (s *Server) FrontendsPatch(w http.ResponseWriter, r *http.Request, id FrontendID) {
	text, err := readBody(r)
	if err == nil && !validID(id) {
		err = unknown("frontend", id)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	admin := who(r).Has(auth.Admin)
	var defaults b3scale.FrontendSettings
	if !admin {
		if defaults, err = s.Mind.FrontendDefaults(r.Context()); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	var warnings []string
	f, err := s.Mind.EditFrontend(r.Context(), id, s.actor(r), func(f *b3scale.Frontend) error {
		if !admin && !ownsFrontend(who(r), f) {
			return unknown("frontend", id)
		}
		body := frontendBodyOf(f)
		if err := decode(text, &body); err != nil {
			return err
		}
		var err error
		warnings, err = body.edit(f, admin, defaults)
		return err
	})
	s.answerFrontend(w, r, id, f, warnings, err)
}

// FrontendsDestroy deletes one.
func (s *Server) FrontendsDestroy(w http.ResponseWriter, r *http.Request, id FrontendID) {
	if !validID(id) {
		s.fail(w, r, unknown("frontend", id))
		return
	}
	f, err := s.Mind.DeleteFrontend(r.Context(), id, s.actor(r))
	if b3scale.CodeOf(err) == b3scale.Conflict { // it has recordings
		s.fail(w, r, err)
		return
	}
	f.Active = false
	s.answerFrontend(w, r, id, f, nil, err)
}

// frontends reads them all, and when their secrets were used.
func (s *Server) frontends(ctx context.Context) ([]b3scale.Frontend, secretUses, error) {
	all, err := s.Store.Frontends(ctx)
	if err != nil {
		return nil, nil, err
	}
	uses, err := s.Mind.SecretUses(ctx)
	return all, uses, err
}

// pickFrontend finds the one with the id, if i may see it.
func pickFrontend(all []b3scale.Frontend, id string, i auth.Identity) (*b3scale.Frontend, error) {
	at := slices.IndexFunc(all, func(f b3scale.Frontend) bool { return f.ID == id })
	if at < 0 || !seesFrontend(i, &all[at]) {
		return nil, unknown("frontend", id)
	}
	return &all[at], nil
}

// answerFrontend answers a change.
func (s *Server) answerFrontend(w http.ResponseWriter, r *http.Request, id string, f b3scale.Frontend, warnings []string, err error) {
	switch b3scale.CodeOf(err) {
	case b3scale.NotFound: // as for what the token must not know of
		err = unknown("frontend", id)
	case b3scale.Conflict:
		switch {
		case errors.Is(err, b3scale.ErrHostTaken):
			err = taken("settings.hosts", "has the host name of another frontend", err)
		case errors.Is(err, b3scale.ErrMeetingsRun):
			err = taken("bbb.key", "cannot change while meetings are running", err)
		default:
			err = taken("bbb.key", "is the key of another frontend", err)
		}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	uses, err := s.Mind.SecretUses(r.Context())
	if err != nil { // the change is done, and must not look as if it were not
		s.Log.WarnContext(r.Context(), "uses of secrets not read", "error", err)
	}
	s.sendFrontend(w, r, &f, uses, warnings)
}

func (s *Server) sendFrontend(w http.ResponseWriter, r *http.Request, f *b3scale.Frontend, uses secretUses, warnings []string) {
	counts, _ := s.Mind.Counts()
	answer := frontendOf(f, uses, who(r))
	answer.Counts = countsOf(counts[f.ID])
	answer.Warnings = warnings
	s.send(w, r, http.StatusOK, answer)
}

func countsOf(c cluster.Count) Counts {
	return Counts{
		Meetings: c.Meetings, Participants: c.People, Listeners: c.Listeners,
		Voice: c.Voices, Video: c.Videos, Moderators: c.Moderators,
	}
}

// ownsFrontend reports whether a tenant's token is that of this frontend. A
// token without a subject owns nothing.
func ownsFrontend(i auth.Identity, f *b3scale.Frontend) bool {
	return i.Has(auth.Owner) && i.Subject != "" && f.AccountRef == i.Subject
}

func seesFrontend(i auth.Identity, f *b3scale.Frontend) bool {
	return i.HasAny(auth.Admin, auth.Read) || ownsFrontend(i, f)
}

func wantsFrontend(params FrontendsListParams, f *b3scale.Frontend) bool {
	account, key, like := text(params.AccountRef), text(params.Key), text(params.KeyLike)
	return (account == "" || f.AccountRef == account) && (key == "" || f.Key == key) && strings.Contains(f.Key, like)
}

// By key unless asked otherwise: databases sort texts in ways of their own.
var frontendOrders = ordering[Frontend]{
	"":            by(func(f Frontend) string { return f.BBB.Key }),
	"id":          by(func(f Frontend) string { return f.ID }),
	"active":      by(func(f Frontend) int { return number(f.Active) }),
	"bbb.key":     by(func(f Frontend) string { return f.BBB.Key }),
	"account_ref": by(func(f Frontend) string { return text(f.AccountRef) }),
	"created_at":  func(a, b Frontend) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"updated_at":  func(a, b Frontend) int { return a.UpdatedAt.Compare(b.UpdatedAt) },
}

// frontendOf is the frontend as i may see it.
func frontendOf(f *b3scale.Frontend, uses secretUses, i auth.Identity) Frontend {
	secrets, settings := i.Has(auth.Admin) || ownsFrontend(i, f), f.Settings
	if !secrets {
		settings = settings.Masked()
	}
	return Frontend{
		ID:     f.ID,
		Active: f.Active,
		BBB: FrontendBBB{
			Key:                   f.Key,
			Secret:                reveal(f.Secret, secrets),
			SecondarySecret:       reveal(f.SecondarySecret, secrets),
			SecretUsedAt:          unlessNever(uses[b3scale.SecretSlot{OwnerID: f.ID}]),
			SecondarySecretUsedAt: unlessNever(uses[b3scale.SecretSlot{OwnerID: f.ID, Secondary: true}]),
		},
		Settings:   frontendSettingsOf(settings),
		AccountRef: orNull(f.AccountRef),
		CreatedAt:  moment(f.CreatedAt),
		UpdatedAt:  moment(f.UpdatedAt),
	}
}

// number makes a flag something to sort by.
func number(flag bool) int {
	if flag {
		return 1
	}
	return 0
}

// unknown is the same for what does not exist and for what the token must not
// know of.
func unknown(kind, id string) error {
	return b3scale.Errorf(b3scale.NotFound, "no %s with the id %q", kind, cmp.Or(id, "?"))
}
