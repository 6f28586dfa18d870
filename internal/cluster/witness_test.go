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
const witnessTables = `
CREATE TABLE witness (name TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE placements (frontend_id TEXT, meeting_id TEXT, generation BIGINT, backend_id TEXT,
	PRIMARY KEY (frontend_id, meeting_id, generation, backend_id));
CREATE TABLE confirmed (frontend_id TEXT, meeting_id TEXT, internal_id TEXT, backend_id TEXT,
	PRIMARY KEY (frontend_id, meeting_id, internal_id, backend_id));
`

// witnessRule says what is noted in which case.
type witnessRule struct{ on, when, does string }

const (
	sameOrphan = `frontend_id = NEW.frontend_id AND meeting_id = NEW.meeting_id AND backend_id = NEW.backend_id`

	notePlace = `INSERT INTO placements VALUES (NEW.frontend_id, NEW.meeting_id, NEW.generation, NEW.backend_id) ON CONFLICT DO NOTHING`
	noteRoom  = `INSERT INTO confirmed VALUES (NEW.frontend_id, NEW.meeting_id, NEW.internal_id, NEW.backend_id) ON CONFLICT DO NOTHING`
)

func breaks(invariant, how string) string {
	return `INSERT INTO witness VALUES ('` + invariant + `', NEW.meeting_id || ': ` + how + `)`
}

var witnessRules = []witnessRule{
	{`INSERT ON meetings`, `1 = 1`, notePlace},
	{`UPDATE ON meetings`, `NEW.generation <> OLD.generation OR NEW.backend_id <> OLD.backend_id`, notePlace},
	{`INSERT ON meetings`, `NEW.state = 'active'`, noteRoom},
	{`UPDATE ON meetings`, `NEW.state = 'active'`, noteRoom},

	{`UPDATE ON meetings`, `NEW.generation < OLD.generation`, breaks(`I1`, `the generation went back'`)},
	{`UPDATE ON meetings`, `NEW.backend_id <> OLD.backend_id AND NEW.generation = OLD.generation`, breaks(`I1`, `moved within a generation'`)},
	{
		`UPDATE ON meetings`, `OLD.state = 'active' AND NEW.backend_id <> OLD.backend_id
			AND NOT EXISTS (SELECT 1 FROM backends WHERE id = OLD.backend_id AND lost)`,
		breaks(`I1`, `moved although active on a backend that is not lost'`),
	},
	{
		`UPDATE ON meetings`, `NEW.backend_id <> OLD.backend_id AND NOT EXISTS (SELECT 1 FROM orphans
			WHERE frontend_id = NEW.frontend_id AND meeting_id = NEW.meeting_id AND backend_id = OLD.backend_id)`,
		breaks(`I4`, `left a backend without a booking'`),
	},
	{
		`UPDATE ON meetings`, `NEW.state <> 'ended' AND NEW.generation <> OLD.generation AND EXISTS (SELECT 1 FROM orphans WHERE ` + sameOrphan + `)`,
		breaks(`I4`, `placed where it is booked'`),
	},
	{`INSERT ON meetings`, `EXISTS (SELECT 1 FROM orphans WHERE ` + sameOrphan + `)`, breaks(`I4`, `placed where it is booked'`)},
	{`UPDATE ON meetings`, `NEW.generation = OLD.generation AND NEW.create_time < OLD.create_time`, breaks(`I5`, `create time went back'`)},
	{
		`UPDATE ON meetings`, `NEW.generation = OLD.generation AND NEW.state = 'active' AND NEW.internal_id = OLD.last_ended_internal_id`,
		breaks(`I5`, `a room that had ended was confirmed'`),
	},
	{
		`UPDATE ON meetings`, `NEW.generation = OLD.generation AND NEW.state = 'active' AND NEW.internal_id <> OLD.internal_id
			AND NEW.internal_id = OLD.end_requested_internal_id`,
		breaks(`I5`, `a room that is being ended was confirmed'`),
	},
	{
		`UPDATE ON meetings`, `NEW.generation <> OLD.generation AND NEW.state = 'active' AND OLD.state = 'ended'
			AND NEW.internal_id = OLD.end_requested_internal_id`,
		breaks(`I5`, `a room whose end was requested is the meeting again'`),
	},
	{
		// The hosts of the nodes are numbered, and so are their create times.
		`UPDATE ON meetings`, `NEW.state = 'active' AND (NEW.create_time % 64) / 8 <>
			(SELECT CAST(substr(host, 12, 1) AS INTEGER) FROM backends WHERE id = NEW.backend_id)`,
		breaks(`I5`, `the row has the room of another node, ' || NEW.internal_id`),
	},
	{
		`UPDATE ON meetings`, `NEW.state = 'active' AND NEW.internal_id NOT LIKE '%-' || CAST(NEW.create_time AS TEXT)`,
		breaks(`I5`, `' || NEW.internal_id || ' with the create time ' || CAST(NEW.create_time AS TEXT)`),
	},
	{
		`UPDATE ON orphans`, `NEW.ending <> OLD.ending AND NEW.ending <> '' AND EXISTS (SELECT 1 FROM meetings WHERE ` + sameOrphan + ` AND state <> 'ended')`,
		breaks(`I6`, `is to be ended where it lives'`),
	},
	{
		`UPDATE ON orphans`, `NEW.ending <> OLD.ending AND NEW.ending <> '' AND NOT EXISTS (SELECT 1 FROM meetings
			WHERE frontend_id = NEW.frontend_id AND meeting_id = NEW.meeting_id AND (state = 'active' AND backend_id <> NEW.backend_id
				OR end_requested_internal_id = NEW.ending OR end_requested_at > NEW.booked_at))`,
		breaks(`I6`, `is to be ended for no reason'`),
	},
}

// sqliteWitness is the schema of the witness for SQLite.
func sqliteWitness() string {
	var b strings.Builder
	b.WriteString(witnessTables)
	for i, r := range witnessRules {
		fmt.Fprintf(&b, "CREATE TRIGGER w_%02d AFTER %s WHEN %s BEGIN %s; END;\n", i, r.on, r.when, r.does)
	}
	return b.String()
}

// postgresWitness is the same for PostgreSQL.
func postgresWitness() string {
	var b strings.Builder
	b.WriteString(witnessTables)
	for i, r := range witnessRules {
		fmt.Fprintf(&b, "CREATE FUNCTION w_%02d() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF %s THEN %s; END IF; RETURN NULL; END $$;\n", i, r.when, r.does)
		fmt.Fprintf(&b, "CREATE TRIGGER w_%02d AFTER %s FOR EACH ROW EXECUTE FUNCTION w_%02d();\n", i, r.on, i)
	}
	return b.String()
}

// witness reads what the triggers saw, and collects what tests see.
type witness struct {
	db *sql.DB

	mu   sync.Mutex
	seen []string
}

// newWitness watches a database. The triggers of PostgreSQL are in the template.
func newWitness(d database) (*witness, error) {
	db, err := d.openSQL()
	if err == nil && d.dsn == "" {
		if _, err = db.Exec(sqliteWitness()); err != nil {
			_ = db.Close()
		}
	}
	if err != nil {
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

// exec changes the database behind everybody's back.
func (w *witness) exec(statement string, args ...any) int64 {
	result, err := w.db.ExecContext(context.Background(), statement, args...)
	if err != nil {
		w.broken("witness", "%s: %v", statement, err)
		return 0
	}
	n, _ := result.RowsAffected()
	return n
}

func (w *witness) placed(key b3scale.MeetingKey, backendID string) bool {
	return w.exists(`SELECT 1 FROM placements WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3`, key.FrontendID, key.MeetingID, backendID)
}

func (w *witness) wasActive(key b3scale.MeetingKey, internalID string) bool {
	return w.exists(`SELECT 1 FROM confirmed WHERE frontend_id = $1 AND meeting_id = $2 AND internal_id = $3`, key.FrontendID, key.MeetingID, internalID)
}

func (w *witness) isActive(key b3scale.MeetingKey, backendID, internalID string) bool {
	return w.exists(`SELECT 1 FROM meetings WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3 AND internal_id = $4 AND state = 'active'`,
		key.FrontendID, key.MeetingID, backendID, internalID)
}

func (w *witness) isEnding(internalID string) bool {
	return w.exists(`SELECT 1 FROM orphans WHERE ending = $1`, internalID)
}

// isWanted: a frontend wants the end of a room that is booked.
func (w *witness) isWanted(key b3scale.MeetingKey, backendID, internalID string) bool {
	return w.exists(`SELECT 1 FROM orphans o JOIN meetings m USING (frontend_id, meeting_id) WHERE o.frontend_id = $1 AND o.meeting_id = $2
		AND o.backend_id = $3 AND (m.end_requested_internal_id = $4 OR o.booked_at < m.end_requested_at)`, key.FrontendID, key.MeetingID, backendID, internalID)
}

// bookedWhereItLives: the sweeper could take the meeting for its own past.
func (w *witness) bookedWhereItLives() bool {
	return w.exists(`SELECT 1 FROM orphans o JOIN meetings m USING (frontend_id, meeting_id, backend_id) WHERE m.state <> 'ended'`)
}

// moves is how often a meeting got another place.
func (w *witness) moves() int {
	var n int
	err := w.db.QueryRow(`SELECT count(*) FROM placements p WHERE EXISTS (SELECT 1 FROM placements q
		WHERE q.frontend_id = p.frontend_id AND q.meeting_id = p.meeting_id AND q.generation < p.generation)`).Scan(&n)
	if err != nil {
		w.broken("witness", "moves: %v", err)
	}
	return n
}

// report is all that was seen, the same thing once.
func (w *witness) report() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.seen)
	rows, err := w.db.QueryContext(context.Background(), `SELECT name, detail FROM witness UNION ALL
		SELECT 'I1', meeting_id || ': on several backends in generation ' || CAST(generation AS TEXT) FROM placements
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
