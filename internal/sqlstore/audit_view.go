package sqlstore

import (
	"encoding/json"
	"reflect"

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
	return frontendView{ID: f.ID, Active: f.Active, Settings: f.Settings.Masked(), AccountRef: unlessEmpty(f.AccountRef), BBB: bbbView{
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

// differences keeps what two JSON objects do not have in common, and their id.
func differences(before, after []byte) (was, is []byte, err error) {
	var a, b map[string]any
	if err := json.Unmarshal(before, &a); err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(after, &b); err != nil {
		return nil, nil, err
	}
	id := a["id"]
	dropCommon(a, b)
	a["id"], b["id"] = id, id
	if was, err = json.Marshal(a); err != nil {
		return nil, nil, err
	}
	is, err = json.Marshal(b)
	return was, is, err
}

func dropCommon(a, b map[string]any) {
	for name, x := range a {
		y, both := b[name]
		if !both {
			continue
		}
		inA, objectA := x.(map[string]any)
		inB, objectB := y.(map[string]any)
		if objectA && objectB {
			dropCommon(inA, inB)
			if len(inA)+len(inB) > 0 {
				continue
			}
		} else if !reflect.DeepEqual(x, y) {
			continue
		}
		delete(a, name)
		delete(b, name)
	}
}
