package gateway_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"b3scale"
	"b3scale/internal/sqlstore"
)

// spyStore notes which methods that may change meetings were called.
type spyStore struct {
	b3scale.Store
	mu     sync.Mutex
	writes []string
}

// openStore copies a migrated database, which is faster than migrating one.
func openStore(t testing.TB) *spyStore {
	t.Helper()
	file := filepath.Join(t.TempDir(), "b3scale.db")
	database, err := emptyDatabase()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, database, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := sqlstore.Open(t.Context(), file, sqlstore.Options{CheckSchemaOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &spyStore{Store: store}
}

var emptyDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "b3scale-gateway-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "b3scale.db")
	store, err := sqlstore.Open(context.Background(), file, sqlstore.Options{})
	if err != nil {
		return nil, err
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

func (s *spyStore) note(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, method)
}

func (s *spyStore) takeWrites() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	writes := s.writes
	s.writes = nil
	return writes
}

func (s *spyStore) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	s.note("ClaimMeeting")
	return s.Store.ClaimMeeting(ctx, c)
}

func (s *spyStore) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	s.note("ConfirmMeeting")
	return s.Store.ConfirmMeeting(ctx, key, generation, room)
}

func (s *spyStore) EndMeeting(ctx context.Context, seen b3scale.Meeting) (bool, error) {
	s.note("EndMeeting")
	return s.Store.EndMeeting(ctx, seen)
}

func (s *spyStore) RequestEnd(ctx context.Context, key b3scale.MeetingKey, generation int64, internalID string) (b3scale.Meeting, bool, error) {
	s.note("RequestEnd")
	return s.Store.RequestEnd(ctx, key, generation, internalID)
}

func (s *spyStore) AdoptMeeting(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, size int) (b3scale.Meeting, bool, error) {
	s.note("AdoptMeeting")
	return s.Store.AdoptMeeting(ctx, key, backendID, room, size)
}
