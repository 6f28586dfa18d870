package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"b3scale/internal/sqlstore"
)

func freshPostgres(t *testing.T) string {
	t.Helper()
	t.Skip("not yet")
	return ""
}

func connectPostgres(context.Context, string, int, func() time.Time) (*sqlstore.Store, error) {
	return nil, errors.New("not yet")
}
