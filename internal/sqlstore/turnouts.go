package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"b3scale"
)

const (
	// RETURNING sees new values only, so the version before is kept. A negative
	// version says that it was not the one that the caller knew.
	saveTurnout = `UPDATE meetings SET info = COALESCE($6, info), ` + bringAccount + `,
			prior_version = version, version = ` + nextVersion + `
		WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3 AND generation = $4 AND internal_id = $5 AND state = 'active'
		RETURNING CASE WHEN prior_version = $15 THEN version ELSE -version END`
	// What is newer stays: within a boot by its number, between boots by its time.
	saveFact = `INSERT INTO attendees (backend_id, internal_meeting_id, internal_user_id, boot, sequence, seen_at, xml, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, {now})
		ON CONFLICT (backend_id, internal_meeting_id, internal_user_id) DO UPDATE
		SET boot = excluded.boot, sequence = excluded.sequence, seen_at = excluded.seen_at, xml = excluded.xml, version = excluded.version
		WHERE attendees.boot = excluded.boot AND attendees.sequence <= excluded.sequence
			OR attendees.boot <> excluded.boot AND attendees.seen_at <= excluded.seen_at
		RETURNING 1`
)

// SaveTurnouts stores what events told.
func (s *Store) SaveTurnouts(ctx context.Context, backendID string, told []b3scale.Turnout) ([]b3scale.Stored, error) {
	// Everybody locks rows in the same order.
	var order []int
	for i, v := range told {
		if storableKey(v.Key) && storableID(v.InternalID) && v.InternalID != "" {
			order = append(order, i)
		}
	}
	stored := make([]b3scale.Stored, len(told))
	if len(order) == 0 {
		return stored, nil
	}
	slices.SortFunc(order, func(a, b int) int { return compareKeys(told[a].Key, told[b].Key) })
	args := make([][]any, len(order))
	for n, i := range order {
		v := &told[i]
		args[n] = slices.Concat(
			[]any{v.Key.FrontendID, v.Key.MeetingID, backendID, v.Generation, v.InternalID, textOrNull(mend(v.Info))},
			accountOf(v.Headcount, v.Peak, v.LatePeople, v.LateVoice, v.LateVideo), []any{v.Known})
	}
	err := s.writeLong(ctx, func(ctx context.Context, tx session) error {
		clear(stored)
		versions, err := s.dialect.batch(ctx, tx, saveTurnout, args)
		if err != nil {
			return err
		}
		var facts, gone, came [][]any
		for n, i := range order {
			if versions[n] == 0 {
				continue
			}
			v := &told[i]
			stored[i] = b3scale.Stored{Version: max(versions[n], -versions[n]), Complete: versions[n] > 0}
			for _, a := range mendAll(v.Attendees) {
				facts = append(facts, []any{backendID, v.InternalID, a.InternalUserID, a.Boot, a.Sequence, int64(a.SeenAt), string(a.XML)})
			}
			for _, id := range v.Forget {
				gone = append(gone, []any{backendID, v.InternalID, id})
			}
			came = arrivalArgs(came, v.Key, v.Arrivals)
		}
		if _, err := s.dialect.batch(ctx, tx, deleteAttendee, gone); err != nil {
			return err
		}
		if _, err := s.dialect.batch(ctx, tx, saveFact, facts); err != nil {
			return err
		}
		return s.arrived(ctx, tx, came)
	})
	if err != nil {
		return nil, fmt.Errorf("save what events told of backend %s: %w", backendID, err)
	}
	return stored, nil
}

const (
	saveAgentReport = `UPDATE heartbeats SET report = $2 WHERE backend_id = $1 RETURNING 1`
	agentSigns      = `SELECT backend_id, heard_at, report FROM heartbeats`
)

// SaveAgentReports stores what agents said of their nodes.
func (s *Store) SaveAgentReports(ctx context.Context, reports map[string][]byte) error {
	var args [][]any
	for backendID, report := range reports {
		if err := errors.Join(checkIDs(backendID), checkTexts(string(report))); err != nil {
			return fmt.Errorf("save reports of agents: %w", err)
		}
		args = append(args, []any{backendID, string(report)})
	}
	if len(args) == 0 {
		return nil
	}
	slices.SortFunc(args, func(a, b []any) int { return cmp.Compare(a[0].(string), b[0].(string)) })
	err := s.writeAlone(ctx, func(ctx context.Context, tx session) error {
		_, err := s.dialect.batch(ctx, tx, saveAgentReport, args)
		return err
	})
	if err != nil {
		return fmt.Errorf("save reports of agents: %w", err)
	}
	return nil
}

// Agents reads the signs of all agents.
func (s *Store) Agents(ctx context.Context) (map[string]b3scale.AgentSign, error) {
	signs := make(map[string]b3scale.AgentSign)
	err := s.each(ctx, agentSigns, func(rows *sql.Rows) error {
		var id string
		var sign b3scale.AgentSign
		err := rows.Scan(&id, &sign.HeardAt, &sign.Report)
		signs[id] = sign
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the signs of agents: %w", err)
	}
	return signs, nil
}
