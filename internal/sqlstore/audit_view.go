package sqlstore

import (
	"b3scale"
)

// What the audit keeps of frontends and backends has the form of the REST API,
// but for secrets: those are hidden, and only that they changed is told.

type frontendView struct {
	ID         string                   `json:"id"`
	Active     bool                     `json:"active"`
	BBB        bbbView                  `json:"bbb"`
	Settings   b3scale.FrontendSettings `json:"settings"`
	AccountRef *string                  `json:"account_ref"`
}

type backendView struct {
	ID         string                  `json:"id"`
	AdminState b3scale.AdminState      `json:"admin_state"`
	LoadFactor float64                 `json:"load_factor"`
	BBB        bbbView                 `json:"bbb"`
	Settings   b3scale.BackendSettings `json:"settings"`
	AgentRef   *string                 `json:"agent_ref"`
}

// lostView is for what changes nothing else.
type lostView struct {
	backendView
	Lost bool `json:"lost"`
}

type bbbView struct {
	Key             string  `json:"key,omitempty"`
	Host            string  `json:"host,omitempty"`
	Secret          *string `json:"secret"`
	SecondarySecret *string `json:"secondary_secret"`
}

func newFrontendView(f b3scale.Frontend, old *b3scale.Frontend) frontendView {
	if old == nil {
		old = &f
	}
	return frontendView{ID: f.ID, Active: f.Active, Settings: f.Settings, AccountRef: unlessEmpty(f.AccountRef), BBB: bbbView{
		Key: f.Key, Secret: hidden(f.Secret, old.Secret), SecondarySecret: hidden(f.SecondarySecret, old.SecondarySecret)}}
}

func newBackendView(b b3scale.Backend, old *b3scale.Backend) backendView {
	if old == nil {
		old = &b
	}
	return backendView{ID: b.ID, AdminState: b.AdminState, LoadFactor: b.LoadFactor, Settings: b.Settings, AgentRef: unlessEmpty(b.AgentRef), BBB: bbbView{
		Host: b.Host, Secret: hidden(b.Secret, old.Secret), SecondarySecret: hidden(b.SecondarySecret, old.SecondarySecret)}}
}

func newLostView(b b3scale.Backend, old *b3scale.Backend) lostView {
	return lostView{newBackendView(b, old), b.Lost}
}

func hidden(s, old b3scale.Secret) *string {
	text := s.String()
	if s != old {
		text += " (changed)"
	}
	if s == "" {
		return nil
	}
	return &text
}

func unlessEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
