package sqlstore_test

import (
	"path/filepath"
	"testing"

	"b3scale"
	"b3scale/internal/sqlstore"
	"b3scale/internal/storetest"
)

func TestSQLiteKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) b3scale.Store {
		t.Helper()
		s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "b3scale.db"), sqlstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	})
}
