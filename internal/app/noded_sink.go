package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/agent"
	"b3scale/internal/cluster"
	"b3scale/internal/routing"
)

// nodeSink brings what the agent of one node tells to the database, as the
// agent API of an instance would.
type nodeSink struct {
	mind  *cluster.Cluster
	store b3scale.Store
	log   *slog.Logger
}

var _ agent.Sink = (*nodeSink)(nil)

// noNodes answers in place of the backends, whom only the instances ask.
type noNodes struct{}

func (noNodes) Do(context.Context, bbb.Node, bbb.Call) (*bbb.Answer, error) {
	return nil, errors.New("b3scalenoded asks no node")
}

// Reach proves that the database answers.
func (s *nodeSink) Reach(ctx context.Context) ([]slog.Attr, error) {
	schema, err := s.store.Schema(ctx)
	if err != nil {
		return nil, err
	}
	return []slog.Attr{slog.String("database", schema.Database), slog.Int64("schema", schema.Version)}, nil
}

// Backend finds the backend that has the node's address.
func (s *nodeSink) Backend(ctx context.Context, n agent.Node) (agent.Backend, error) {
	if err := s.mind.LoadConfig(ctx); err != nil {
		return agent.Backend{}, err
	}
	b, err := backendAt(s.mind.Backends(), n.Host)
	if err != nil {
		return agent.Backend{}, err
	}
	if b.Host != n.Host {
		s.log.WarnContext(ctx, "the address of the backend is not exactly that of this node: b3scaleagent would not find it", "backend", b.ID, "host", b.Host, "node", n)
	}
	if b.AgentRef != "" {
		s.log.WarnContext(ctx, "the backend belongs to a b3scaleagent: stop b3scalenoded", "backend", b.ID, "host", b.Host, "agent_ref", b.AgentRef)
	}
	return agent.Backend{ID: b.ID, Host: b.Host, AdminState: string(b.AdminState)}, nil
}

// backendAt finds the backend whose address begins with that of the server, in
// upper or lower case. A name that goes on belongs to another server.
func backendAt(all []*routing.Backend, host string) (*routing.Backend, error) {
	server := strings.TrimSuffix(host, "bigbluebutton/api/")
	var found, exact []*routing.Backend
	var hosts []string
	for _, b := range all {
		if len(b.Host) < len(server) || !strings.EqualFold(b.Host[:len(server)], server) {
			continue
		}
		if b.Host == host {
			return b, nil
		}
		if strings.EqualFold(b.Host, host) {
			exact = append(exact, b)
		}
		found, hosts = append(found, b), append(hosts, b.Host)
	}
	switch {
	case len(found) == 0:
		return nil, agent.NoBackend(fmt.Sprintf("no backend has an address that begins with %s: start b3scalenoded with -a once, or add %s with b3scalectl", server, host))
	case len(found) == 1:
		return found[0], nil
	case len(exact) == 1:
		return exact[0], nil
	}
	return nil, fmt.Errorf("several backends have an address that begins with %s (%s): give that of this node exactly the address %s", server, strings.Join(hosts, ", "), host)
}

// Change writes only what is different: each write is in the audit. A secret
// that the operator has entered as the second one is known already.
func (s *nodeSink) Change(ctx context.Context, backendID string, n agent.Node) error {
	b := s.mind.Backend(backendID)
	if b == nil {
		return errNodeGone
	}
	change := func(b *b3scale.Backend) (changed bool) {
		if secret := b3scale.Secret(n.Secret); b.Secret != secret && b.SecondarySecret != secret {
			b.Secret, changed = secret, true
		}
		if n.LoadFactor != 0 && b.LoadFactor != n.LoadFactor {
			b.LoadFactor, changed = n.LoadFactor, true
		}
		return changed
	}
	if known := b.Backend; !change(&known) {
		return nil
	}
	_, err := s.mind.EditBackend(ctx, backendID, actorOf(n), func(b *b3scale.Backend) error {
		change(b)
		return nil
	})
	if err == nil {
		s.log.InfoContext(ctx, "the backend was changed to what the node says", "backend", backendID, "host", n)
	}
	return err
}

// Add adds the node with the state init: an operator looks first.
func (s *nodeSink) Add(ctx context.Context, n agent.Node) (agent.Backend, error) {
	b, err := s.mind.AddBackend(ctx, b3scale.Backend{
		Host: n.Host, Secret: b3scale.Secret(n.Secret), AdminState: b3scale.AdminInit, LoadFactor: cmp.Or(n.LoadFactor, 1),
	}, actorOf(n))
	return agent.Backend{ID: b.ID, Host: b.Host, AdminState: string(b.AdminState)}, err
}

// actorOf names this program in the audit.
func actorOf(n agent.Node) b3scale.Actor {
	by := b3scale.Actor{Subject: "b3scalenoded"}
	if u, err := url.Parse(n.Host); err == nil {
		by.Subject += "@" + u.Hostname()
	}
	return by
}

// errNodeGone makes the agent look for its backend again.
const errNodeGone = agent.NoBackend("the backend was removed from the database")

// Heartbeat is by the clock of the database.
func (s *nodeSink) Heartbeat(ctx context.Context, backendID string, h agent.Heartbeat) error {
	if s.mind.Backend(backendID) == nil {
		return errNodeGone
	}
	// What the agent says as JSON is what the API reads.
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	var report cluster.AgentReport
	if err := json.Unmarshal(text, &report); err != nil {
		return err
	}
	return s.mind.SaveHeartbeat(ctx, backendID, &report)
}

// Events brings a batch into memory; the database has it within a second.
func (s *nodeSink) Events(_ context.Context, backendID string, b agent.Batch) (agent.Receipt, error) {
	if s.mind.Backend(backendID) == nil {
		return agent.Receipt{}, errNodeGone
	}
	batch := cluster.Batch{Boot: b.Boot, Lost: int64(b.Lost), Events: make([]cluster.Event, len(b.Events))}
	for i, e := range b.Events {
		batch.Events[i] = cluster.Event{
			Sequence: int64(e.Sequence), Kind: e.Kind, Meeting: e.Meeting, UserID: e.UserID, Joined: e.Joined, On: e.Recording,
			Person: cluster.PersonFacts{
				ExternalUserID: e.ExternalUserID, Name: e.Name, Role: e.Role, ClientType: e.ClientType,
				Presenter: e.Presenter, ListeningOnly: e.ListeningOnly, Voice: e.Voice, Video: e.Video,
			},
		}
	}
	acknowledged, reconcile := s.mind.TakeEvents(backendID, batch)
	return agent.Receipt{Acknowledged: new(uint64(acknowledged)), Reconcile: reconcile}, nil
}
