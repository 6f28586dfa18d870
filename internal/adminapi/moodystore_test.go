package adminapi

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"b3scale"
	"b3scale/internal/sqlstore"
)

// moodyStore is the real one, which can be away. It counts what is written.
type moodyStore struct {
	*sqlstore.Store
	away   atomic.Bool
	leaves atomic.Bool // after each frontend and backend that is added
	writes atomic.Int64
}

var (
	_ b3scale.Store = (*moodyStore)(nil)
	_ Store         = (*moodyStore)(nil)
)

// mood is the error of a store that is away.
func (s *moodyStore) mood() error {
	if s.away.Load() {
		return b3scale.Errorf(b3scale.Unavailable, "the store does not answer").Because(errors.New("dial: " + causeOfDeath))
	}
	return nil
}

func (s *moodyStore) leave() {
	if s.leaves.Load() {
		s.away.Store(true)
	}
}

func (s *moodyStore) write() error {
	s.writes.Add(1)
	return s.mood()
}

func (s *moodyStore) Frontends(ctx context.Context) ([]b3scale.Frontend, error) {
	if err := s.mood(); err != nil {
		return nil, err
	}
	return s.Store.Frontends(ctx)
}

func (s *moodyStore) AddFrontend(ctx context.Context, f b3scale.Frontend, by b3scale.Actor) (b3scale.Frontend, error) {
	if err := s.write(); err != nil {
		return b3scale.Frontend{}, err
	}
	defer s.leave()
	return s.Store.AddFrontend(ctx, f, by)
}

func (s *moodyStore) EditFrontend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Frontend) error) (b3scale.Frontend, error) {
	if err := s.write(); err != nil {
		return b3scale.Frontend{}, err
	}
	return s.Store.EditFrontend(ctx, id, by, edit)
}

func (s *moodyStore) DeleteFrontend(ctx context.Context, id string, by b3scale.Actor) (b3scale.Frontend, error) {
	if err := s.write(); err != nil {
		return b3scale.Frontend{}, err
	}
	return s.Store.DeleteFrontend(ctx, id, by)
}

func (s *moodyStore) FrontendDefaults(ctx context.Context) (b3scale.FrontendSettings, error) {
	if err := s.mood(); err != nil {
		return b3scale.FrontendSettings{}, err
	}
	return s.Store.FrontendDefaults(ctx)
}

func (s *moodyStore) EditFrontendDefaults(ctx context.Context, by b3scale.Actor, edit func(*b3scale.FrontendSettings) error) (b3scale.FrontendSettings, error) {
	if err := s.write(); err != nil {
		return b3scale.FrontendSettings{}, err
	}
	return s.Store.EditFrontendDefaults(ctx, by, edit)
}

func (s *moodyStore) Backends(ctx context.Context) ([]b3scale.Backend, error) {
	if err := s.mood(); err != nil {
		return nil, err
	}
	return s.Store.Backends(ctx)
}

func (s *moodyStore) AddBackend(ctx context.Context, b b3scale.Backend, by b3scale.Actor) (b3scale.Backend, error) {
	if err := s.write(); err != nil {
		return b3scale.Backend{}, err
	}
	defer s.leave()
	return s.Store.AddBackend(ctx, b, by)
}

func (s *moodyStore) EditBackend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Backend) error) (b3scale.Backend, error) {
	if err := s.write(); err != nil {
		return b3scale.Backend{}, err
	}
	return s.Store.EditBackend(ctx, id, by, edit)
}

func (s *moodyStore) DeleteBackend(ctx context.Context, id string, by b3scale.Actor) (b3scale.Backend, error) {
	if err := s.write(); err != nil {
		return b3scale.Backend{}, err
	}
	return s.Store.DeleteBackend(ctx, id, by)
}

func (s *moodyStore) DeclareLost(ctx context.Context, id string, by b3scale.Actor) (bool, error) {
	if err := s.write(); err != nil {
		return false, err
	}
	return s.Store.DeclareLost(ctx, id, by)
}

func (s *moodyStore) SecretUses(ctx context.Context) (map[b3scale.SecretSlot]b3scale.Micros, error) {
	if err := s.mood(); err != nil {
		return nil, err
	}
	return s.Store.SecretUses(ctx)
}

func (s *moodyStore) Probes(ctx context.Context) (map[string]b3scale.Micros, error) {
	if err := s.mood(); err != nil {
		return nil, err
	}
	return s.Store.Probes(ctx)
}

func (s *moodyStore) Audit(ctx context.Context, q b3scale.AuditQuery, yield func(b3scale.AuditEntry)) error {
	if err := s.mood(); err != nil {
		return err
	}
	return s.Store.Audit(ctx, q, yield)
}

func (s *moodyStore) NoteAction(ctx context.Context, e b3scale.AuditEntry) error {
	if err := s.write(); err != nil {
		return err
	}
	return s.Store.NoteAction(ctx, e)
}

func (s *moodyStore) Schema(ctx context.Context) (b3scale.Schema, error) {
	if err := s.mood(); err != nil {
		return b3scale.Schema{}, err
	}
	return s.Store.Schema(ctx)
}

func (s *moodyStore) Migrate(ctx context.Context) error {
	if err := s.write(); err != nil {
		return err
	}
	return s.Store.Migrate(ctx)
}

func (s *moodyStore) Commands(ctx context.Context) ([]b3scale.Command, error) {
	if err := s.mood(); err != nil {
		return nil, err
	}
	return s.Store.Commands(ctx)
}

func (s *moodyStore) Command(ctx context.Context, id string) (b3scale.Command, error) {
	if err := s.mood(); err != nil {
		return b3scale.Command{}, err
	}
	return s.Store.Command(ctx, id)
}

func (s *moodyStore) AddCommand(ctx context.Context, action b3scale.CommandAction, params []byte, d time.Duration, by b3scale.Actor) (b3scale.Command, error) {
	if err := s.write(); err != nil {
		return b3scale.Command{}, err
	}
	return s.Store.AddCommand(ctx, action, params, d, by)
}
