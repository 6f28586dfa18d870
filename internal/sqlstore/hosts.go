package sqlstore

import (
	"context"
	"slices"

	"b3scale"
)

const (
	hostsOf    = `SELECT host FROM frontend_hosts WHERE frontend_id = $1`
	takeHost   = `INSERT INTO frontend_hosts (host, frontend_id) VALUES ($1, $2) ON CONFLICT (host) DO NOTHING`
	giveUpHost = `DELETE FROM frontend_hosts WHERE host = $1 AND frontend_id = $2`
)

// keepHosts makes the rows of a frontend's host names those of its settings. All
// are touched in one order, so that two frontends never wait for each other.
func keepHosts(ctx context.Context, tx session, f b3scale.Frontend) error {
	before, err := textsOf(ctx, tx, hostsOf, f.ID)
	if err != nil {
		return err
	}
	touched := slices.Concat(before, f.Settings.Hosts)
	slices.Sort(touched)
	for _, host := range slices.Compact(touched) {
		has, wants := slices.Contains(before, host), slices.Contains(f.Settings.Hosts, host)
		switch {
		case has && !wants:
			_, err = tx.exec(ctx, giveUpHost, host, f.ID)
		case wants && !has:
			err = claimHost(ctx, tx, host, f.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func claimHost(ctx context.Context, tx session, host, frontendID string) error {
	n, err := tx.exec(ctx, takeHost, host, frontendID)
	if err == nil && n == 0 {
		return b3scale.Errorf(b3scale.Conflict, "the host name %q is taken", host).Because(b3scale.ErrHostTaken)
	}
	return err
}
