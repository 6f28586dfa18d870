-- +goose Up

-- Messages of nodes to frontends. Who is at work with one may finish it until
-- lease_until.
CREATE TABLE callbacks (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    frontend_id TEXT COLLATE "C" NOT NULL REFERENCES frontends (id) ON DELETE CASCADE,
    kind        TEXT COLLATE "C" NOT NULL,
    meeting_id  TEXT COLLATE "C" NOT NULL,
    url         TEXT NOT NULL,
    host        TEXT COLLATE "C" NOT NULL,
    payload     TEXT,
    dedup       TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'delivered', 'refused', 'expired', 'dropped')),
    attempts    BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    done_at     BIGINT NOT NULL DEFAULT 0,
    last_status BIGINT NOT NULL DEFAULT 0,
    last_error  TEXT NOT NULL DEFAULT '',
    holder      TEXT COLLATE "C" NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX callbacks_dedup ON callbacks (frontend_id, dedup) WHERE dedup <> '';
-- Most are over.
CREATE INDEX callbacks_waiting ON callbacks (next_at) WHERE state = 'waiting';
CREATE INDEX callbacks_created ON callbacks (created_at);
CREATE INDEX callbacks_frontend ON callbacks (frontend_id, created_at);
