package cluster

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver, for a connection of our own

	"b3scale"
)

// The database itself watches the invariants of docs/consistency.md: triggers
// see every row as it is written, in the transaction that writes it.
const witnessSchema = `
CREATE TABLE witness (name TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE placements (frontend_id TEXT, meeting_id TEXT, generation BIGINT, backend_id TEXT,
	PRIMARY KEY (frontend_id, meeting_id, generation, backend_id));
CREATE TABLE confirmed (frontend_id TEXT, meeting_id TEXT, internal_id TEXT, backend_id TEXT,
	PRIMARY KEY (frontend_id, meeting_id, internal_id, backend_id));

CREATE TRIGGER w_placed AFTER INSERT ON meetings BEGIN
	INSERT OR IGNORE INTO placements VALUES (NEW.frontend_id, NEW.meeting_id, NEW.generation, NEW.backend_id);
	INSERT OR IGNORE INTO confirmed SELECT NEW.frontend_id, NEW.meeting_id, NEW.internal_id, NEW.backend_id WHERE NEW.state = 'active';
END;
CREATE TRIGGER w_replaced AFTER UPDATE ON meetings BEGIN
	INSERT OR IGNORE INTO placements VALUES (NEW.frontend_id, NEW.meeting_id, NEW.generation, NEW.backend_id);
	INSERT OR IGNORE INTO confirmed SELECT NEW.frontend_id, NEW.meeting_id, NEW.internal_id, NEW.backend_id WHERE NEW.state = 'active';
END;

CREATE TRIGGER w_i1_back AFTER UPDATE ON meetings WHEN NEW.generation < OLD.generation BEGIN
	INSERT INTO witness VALUES ('I1', NEW.meeting_id || ': the generation went back');
END;
CREATE TRIGGER w_i1_moved AFTER UPDATE ON meetings WHEN NEW.backend_id <> OLD.backend_id AND NEW.generation = OLD.generation BEGIN
	INSERT INTO witness VALUES ('I1', NEW.meeting_id || ': moved within a generation');
END;
CREATE TRIGGER w_moved_active AFTER UPDATE ON meetings WHEN OLD.state = 'active' AND NEW.backend_id <> OLD.backend_id
	AND NOT EXISTS (SELECT 1 FROM backends WHERE id = OLD.backend_id AND lost) BEGIN
	INSERT INTO witness VALUES ('I1', NEW.meeting_id || ': moved although active on a backend that is not lost');
END;
CREATE TRIGGER w_i4_unbooked AFTER UPDATE ON meetings WHEN NEW.backend_id <> OLD.backend_id AND NOT EXISTS (SELECT 1 FROM orphans
	WHERE frontend_id = NEW.frontend_id AND meeting_id = NEW.meeting_id AND backend_id = OLD.backend_id) BEGIN
	INSERT INTO witness VALUES ('I4', NEW.meeting_id || ': left a backend without a booking');
END;
CREATE TRIGGER w_i4_returned AFTER UPDATE ON meetings WHEN NEW.state <> 'ended' AND NEW.generation <> OLD.generation AND EXISTS (SELECT 1 FROM orphans
	WHERE frontend_id = NEW.frontend_id AND meeting_id = NEW.meeting_id AND backend_id = NEW.backend_id) BEGIN
	INSERT INTO witness VALUES ('I4', NEW.meeting_id || ': placed where it is booked');
END;
CREATE TRIGGER w_i4_inserted AFTER INSERT ON meetings WHEN EXISTS (SELECT 1 FROM orphans
	WHERE frontend_id = NEW.frontend_id AND meeting_id = NEW.meeting_id AND backend_id = NEW.backend_id) BEGIN
	INSERT INTO witness VALUES ('I4', NEW.meeting_id || ': placed where it is booked');
END;
CREATE TRIGGER w_i5_time AFTER UPDATE ON meetings WHEN NEW.generation = OLD.generation AND NEW.create_time < OLD.create_time BEGIN
	INSERT INTO witness VALUES ('I5', NEW.meeting_id || ': create time went back');
END;
CREATE TRIGGER w_i5_ended AFTER UPDATE ON meetings WHEN NEW.generation = OLD.generation AND NEW.state = 'active'
	AND NEW.internal_id = OLD.last_ended_internal_id BEGIN
	INSERT INTO witness VALUES ('I5', NEW.meeting_id || ': a room that had ended was confirmed');
END;
CREATE TRIGGER w_i5_ending AFTER UPDATE ON meetings WHEN NEW.generation = OLD.generation AND NEW.state = 'active'
	AND NEW.internal_id <> OLD.internal_id AND NEW.internal_id = OLD.end_requested_internal_id BEGIN
	INSERT INTO witness VALUES ('I5', NEW.meeting_id || ': a room that is being ended was confirmed');
END;
CREATE TRIGGER w_i5_home AFTER UPDATE ON meetings WHEN NEW.state = 'active' AND (NEW.create_time % 64) / 8 <>
	(SELECT CAST(substr(host, 12, 1) AS INTEGER) FROM backends WHERE id = NEW.backend_id) BEGIN
	INSERT INTO witness VALUES ('I5', NEW.meeting_id || ': the row has the room of another node, ' || NEW.internal_id);
END;
CREATE TRIGGER w_i5_mixed AFTER UPDATE ON meetings WHEN NEW.state = 'active' AND NEW.internal_id NOT LIKE '%-' || NEW.create_time BEGIN
	INSERT INTO witness VALUES ('I5', NEW.meeting_id || ': ' || NEW.internal_id || ' with the create time ' || NEW.create_time);
END;
CREATE TRIGGER w_i6_current AFTER UPDATE ON orphans WHEN NEW.ending <> OLD.ending AND EXISTS (SELECT 1 FROM meetings
	WHERE frontend_id = NEW.frontend_id AND meeting_id = NEW.meeting_id AND backend_id = NEW.backend_id AND state <> 'ended') BEGIN
	INSERT INTO witness VALUES ('I6', NEW.meeting_id || ': is to be ended where it lives');
END;
CREATE TRIGGER w_i6_reason AFTER UPDATE ON orphans WHEN NEW.ending <> OLD.ending AND NOT EXISTS (SELECT 1 FROM meetings
	WHERE frontend_id = NEW.frontend_id AND meeting_id = NEW.meeting_id AND (state = 'active' AND backend_id <> NEW.backend_id
		OR end_requested_internal_id = NEW.ending OR end_requested_at > NEW.booked_at)) BEGIN
	INSERT INTO witness VALUES ('I6', NEW.meeting_id || ': is to be ended for no reason');
END;
`

// witness reads what the triggers saw, and collects what tests see.
type witness struct {
	db *sql.DB

	mu   sync.Mutex
	seen []string
}

// newWitness puts the triggers into the database of a store that is not open.
func newWitness(path string) (*witness, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(witnessSchema); err != nil {
		_ = db.Close()
		return nil, err
	}
	return &witness{db: db}, nil
}

// broken notes that an invariant does not hold.
func (w *witness) broken(name, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, name+" "+fmt.Sprintf(format, args...))
}

// exists runs a query that selects whether something exists.
func (w *witness) exists(query string, args ...any) bool {
	var is bool
	if err := w.db.QueryRowContext(context.Background(), "SELECT EXISTS("+query+")", args...).Scan(&is); err != nil {
		w.broken("witness", "%s: %v", query, err)
	}
	return is
}

func (w *witness) placed(key b3scale.MeetingKey, backendID string) bool {
	return w.exists(`SELECT 1 FROM placements WHERE frontend_id = ? AND meeting_id = ? AND backend_id = ?`, key.FrontendID, key.MeetingID, backendID)
}

func (w *witness) wasActive(key b3scale.MeetingKey, internalID string) bool {
	return w.exists(`SELECT 1 FROM confirmed WHERE frontend_id = ? AND meeting_id = ? AND internal_id = ?`, key.FrontendID, key.MeetingID, internalID)
}

func (w *witness) isActive(key b3scale.MeetingKey, backendID, internalID string) bool {
	return w.exists(`SELECT 1 FROM meetings WHERE frontend_id = ? AND meeting_id = ? AND backend_id = ? AND internal_id = ? AND state = 'active'`,
		key.FrontendID, key.MeetingID, backendID, internalID)
}

func (w *witness) isEnding(internalID string) bool {
	return w.exists(`SELECT 1 FROM orphans WHERE ending = ?`, internalID)
}

// isWanted: a frontend wants the end of a room that is booked.
func (w *witness) isWanted(key b3scale.MeetingKey, backendID, internalID string) bool {
	return w.exists(`SELECT 1 FROM orphans o JOIN meetings m USING (frontend_id, meeting_id) WHERE o.frontend_id = ? AND o.meeting_id = ?
		AND o.backend_id = ? AND (m.end_requested_internal_id = ? OR o.booked_at < m.end_requested_at)`, key.FrontendID, key.MeetingID, backendID, internalID)
}

// report is all that was seen, the same thing once.
func (w *witness) report() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.seen)
	rows, err := w.db.QueryContext(context.Background(), `SELECT name, detail FROM witness UNION ALL
		SELECT 'I1', meeting_id || ': on several backends in generation ' || generation FROM placements
		GROUP BY frontend_id, meeting_id, generation HAVING count(*) > 1`)
	if err != nil {
		return append(all, err.Error())
	}
	defer rows.Close()
	for rows.Next() {
		var name, detail string
		if err := rows.Scan(&name, &detail); err != nil {
			return append(all, err.Error())
		}
		all = append(all, name+" "+detail)
	}
	if err := rows.Err(); err != nil {
		all = append(all, err.Error())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (w *witness) close() { _ = w.db.Close() }

// of keeps the lines of one invariant.
func of(name string, report []string) []string {
	return slices.DeleteFunc(slices.Clone(report), func(line string) bool { return !strings.HasPrefix(line, name+" ") })
}
