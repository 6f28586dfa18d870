-- +goose Up

-- When a room of the meeting on that backend was last ended by its external
-- id. Such an end may arrive late and hit the next room.
ALTER TABLE meetings ADD COLUMN blunt_end_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orphans ADD COLUMN blunt_end_at BIGINT NOT NULL DEFAULT 0;

-- What else the last list of a backend showed, for the other instances.
CREATE TABLE reports (
    backend_id TEXT   NOT NULL PRIMARY KEY REFERENCES backends (id) ON DELETE CASCADE,
    report     TEXT   NOT NULL,
    version    BIGINT NOT NULL
);

-- Its row is locked while a verdict is passed; nobody ever holds it.
INSERT INTO leases (name, holder, until) VALUES ('verdict', '', 9000000000000000);

-- When the agent on a backend was last heard, by whichever instance.
CREATE TABLE heartbeats (
    backend_id TEXT   NOT NULL PRIMARY KEY REFERENCES backends (id) ON DELETE CASCADE,
    heard_at   BIGINT NOT NULL
);
