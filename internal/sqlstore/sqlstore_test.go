package sqlstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"b3scale"
	"b3scale/internal/sqlstore"
	"b3scale/internal/storetest"
)

func TestSQLiteKeepsTheContract(t *testing.T) {
	t.Parallel()
	// Each case gets a copy of one migrated file: migrating costs the most.
	path := filepath.Join(t.TempDir(), "empty.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	empty, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T) b3scale.Store {
		t.Helper()
		path := filepath.Join(t.TempDir(), "b3scale.db")
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			t.Fatal(err)
		}
		return open(t, path)
	})
}

// open opens the database at path for the rest of the test.
func open(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), path, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
