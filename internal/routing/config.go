package routing

import (
	"time"

	"b3scale"
)

// config is a snapshot of what operators set. It is never changed.
type config struct {
	defaults     b3scale.FrontendSettings
	frontends    map[string]*b3scale.Frontend // by key
	frontendByID map[string]*b3scale.Frontend
	byHost       map[string]*b3scale.Frontend
	uses         map[string]*SecretUse // by id of the frontend
	backends     []*Backend
	backendByID  map[string]*Backend
	byAgent      map[string]*Backend // by the subject of the agent's tokens
}

func newConfig(defaults b3scale.FrontendSettings, frontends, backends int) *config {
	return &config{
		defaults:     defaults,
		frontends:    make(map[string]*b3scale.Frontend, frontends),
		frontendByID: make(map[string]*b3scale.Frontend, frontends),
		byHost:       map[string]*b3scale.Frontend{},
		uses:         make(map[string]*SecretUse, frontends),
		backendByID:  make(map[string]*Backend, backends),
		byAgent:      make(map[string]*Backend, backends),
	}
}

// Frontend finds a frontend by its key; nil when there is none.
func (t *Table) Frontend(key string) *b3scale.Frontend { return t.config.Load().frontends[key] }

// FrontendByID finds a frontend by its id; nil when there is none.
func (t *Table) FrontendByID(id string) *b3scale.Frontend { return t.config.Load().frontendByID[id] }

// FrontendAt finds the frontend that has a host name, in lower case; nil when
// there is none.
func (t *Table) FrontendAt(host string) *b3scale.Frontend { return t.config.Load().byHost[host] }

// FrontendDefaults are the settings that count for frontends that do not set
// them. Do not change what they hold.
func (t *Table) FrontendDefaults() b3scale.FrontendSettings { return t.config.Load().defaults }

// FrontendUse tells when the secrets of a frontend were used; nil when there is
// no such frontend.
func (t *Table) FrontendUse(id string) *SecretUse { return t.config.Load().uses[id] }

// EachFrontend calls yield for every frontend.
func (t *Table) EachFrontend(yield func(*b3scale.Frontend)) {
	for _, f := range t.config.Load().frontendByID {
		yield(f)
	}
}

// Backend finds a backend; nil when there is none.
func (t *Table) Backend(id string) *Backend { return t.config.Load().backendByID[id] }

// BackendOfAgent finds the backend whose agent's tokens have that subject; nil
// when there is none.
func (t *Table) BackendOfAgent(subject string) *Backend { return t.config.Load().byAgent[subject] }

// Backends are all backends. The slice is shared: do not change it.
func (t *Table) Backends() []*Backend { return t.config.Load().backends }

// SetConfig replaces the defaults, all frontends and all backends. What was observed of a
// backend stays with its id. Those that are no longer there go with all their
// rooms.
func (t *Table) SetConfig(defaults b3scale.FrontendSettings, frontends []b3scale.Frontend, backends []b3scale.Backend, now time.Time) {
	t.configMu.Lock()
	defer t.configMu.Unlock()
	c := newConfig(defaults, len(frontends), len(backends))
	for _, f := range frontends {
		t.gone.Delete(f.ID)
		t.addFrontend(c, withPolicy(f, defaults))
	}
	for _, b := range backends {
		t.gone.Delete(b.ID)
		t.addBackend(c, b)
	}
	t.replace(c, now)
}

// SetDefaults replaces the defaults of the frontends' settings.
func (t *Table) SetDefaults(defaults b3scale.FrontendSettings, now time.Time) {
	t.configMu.Lock()
	defer t.configMu.Unlock()
	old := t.config.Load()
	c := newConfig(defaults, len(old.frontendByID), len(old.backends))
	for _, f := range old.frontendByID {
		t.addFrontend(c, withPolicy(*f, defaults))
	}
	for _, b := range old.backends {
		t.addBackend(c, b.Backend)
	}
	t.replace(c, now)
}

// SetFrontend replaces or adds one frontend. An older version than the known
// one changes nothing, and what was removed does not come back.
func (t *Table) SetFrontend(f b3scale.Frontend, now time.Time) {
	t.configMu.Lock()
	defer t.configMu.Unlock()
	old := t.config.Load()
	if known := old.frontendByID[f.ID]; t.isGone(f.ID, "") || known != nil && known.Version > f.Version {
		return
	}
	t.replace(t.without(old, f.ID, func(c *config) { t.addFrontend(c, withPolicy(f, c.defaults)) }), now)
}

// SetBackend does so with a backend.
func (t *Table) SetBackend(b b3scale.Backend, now time.Time) {
	t.configMu.Lock()
	defer t.configMu.Unlock()
	old := t.config.Load()
	if known := old.backendByID[b.ID]; t.isGone("", b.ID) || known != nil && known.Version > b.Version {
		return
	}
	t.replace(t.without(old, b.ID, func(c *config) { t.addBackend(c, b) }), now)
}

// Remove forgets a frontend or a backend and all its rooms.
func (t *Table) Remove(id string, now time.Time) {
	t.configMu.Lock()
	defer t.configMu.Unlock()
	t.replace(t.without(t.config.Load(), id, func(*config) {}), now)
}

// without copies a configuration; instead puts something in the place of what
// has the id, or at the end.
func (t *Table) without(old *config, id string, instead func(*config)) *config {
	c := newConfig(old.defaults, len(old.frontendByID)+1, len(old.backends)+1)
	for _, f := range old.frontendByID {
		if f.ID != id {
			t.addFrontend(c, f)
		}
	}
	replaced := false
	for _, b := range old.backends {
		if b.ID == id {
			instead(c)
			replaced = true
		} else {
			t.addBackend(c, b.Backend)
		}
	}
	if !replaced {
		instead(c)
	}
	return c
}

func withPolicy(f b3scale.Frontend, defaults b3scale.FrontendSettings) *b3scale.Frontend {
	f.Policy = f.Settings.Over(defaults)
	return &f
}

func (t *Table) addFrontend(c *config, f *b3scale.Frontend) {
	use, _ := t.uses.LoadOrStore(f.ID, &SecretUse{})
	c.frontends[f.Key] = f
	c.frontendByID[f.ID] = f
	for _, host := range f.Settings.Hosts {
		c.byHost[host] = f
	}
	c.uses[f.ID] = use.(*SecretUse)
}

func (t *Table) addBackend(c *config, b b3scale.Backend) {
	backend := &Backend{Backend: b, Observed: t.observedOf(b.ID)}
	c.backends = append(c.backends, backend)
	c.backendByID[b.ID] = backend
	if b.AgentRef != "" {
		c.byAgent[b.AgentRef] = backend
	}
}

// observedOf outlives the configuration: rooms count on a backend before it is
// known here.
func (t *Table) observedOf(backendID string) *Observed {
	o, ok := t.observed.Load(backendID)
	if !ok {
		o, _ = t.observed.LoadOrStore(backendID, &Observed{})
	}
	return o.(*Observed)
}

// replace makes c the configuration and forgets what is no longer in it.
func (t *Table) replace(c *config, now time.Time) {
	old := t.config.Swap(c)
	lost := map[string]bool{}
	for id := range old.frontendByID {
		lost[id] = c.frontendByID[id] == nil
	}
	for id := range old.backendByID {
		lost[id] = c.backendByID[id] == nil
	}
	forgetUses(old, c)
	removed := 0
	for id, really := range lost {
		if really {
			t.gone.Store(id, true) // before the sweep: whoever comes too late for that sees this
			removed++
		}
	}
	if removed == 0 {
		return
	}
	t.sweep(now)
	for id, really := range lost {
		if really {
			t.observed.Delete(id)
			t.counters.Delete(id)
			t.uses.Delete(id)
		}
	}
}

// forgetUses begins anew for secrets that were replaced.
func forgetUses(old, c *config) {
	compare := func(use *SecretUse, was, is [2]b3scale.Secret) {
		for i := range was {
			if use != nil && was[i] != is[i] {
				use.Forget(i == 1)
			}
		}
	}
	for id, f := range c.frontendByID {
		if was := old.frontendByID[id]; was != nil {
			compare(c.uses[id], [2]b3scale.Secret{was.Secret, was.SecondarySecret}, [2]b3scale.Secret{f.Secret, f.SecondarySecret})
		}
	}
	for id, b := range c.backendByID {
		if was := old.backendByID[id]; was != nil {
			compare(b.SecretUse(), [2]b3scale.Secret{was.Secret, was.SecondarySecret}, [2]b3scale.Secret{b.Secret, b.SecondarySecret})
		}
	}
}

// isGone reports whether the frontend or the backend was removed.
func (t *Table) isGone(frontendID, backendID string) bool {
	if _, gone := t.gone.Load(backendID); gone {
		return true
	}
	_, gone := t.gone.Load(frontendID)
	return gone
}

// sweep forgets the rooms of what is gone.
func (t *Table) sweep(now time.Time) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for key, r := range s.rooms {
			switch {
			case !r.Live() || !t.isGone(key.FrontendID, r.BackendID):
			case r.Breakout:
				t.take(r)
				delete(s.rooms, key)
			default:
				t.put(s, r, ended(r.Meeting, r.Version, now), now)
			}
		}
		s.mu.Unlock()
	}
}
