-- +goose Up

-- A frontend that has recordings cannot be deleted.
CREATE TABLE recordings (
    id                  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    frontend_id         TEXT COLLATE "C" NOT NULL REFERENCES frontends (id),
    meeting_id          TEXT COLLATE "C" NOT NULL,
    internal_meeting_id TEXT COLLATE "C" NOT NULL,
    name                TEXT NOT NULL,
    breakout            BOOLEAN NOT NULL,
    published           BOOLEAN NOT NULL,
    state               TEXT COLLATE "C" NOT NULL,
    start_millis        BIGINT NOT NULL,
    end_millis          BIGINT NOT NULL,
    participants        BIGINT NOT NULL,
    raw_size            BIGINT NOT NULL,
    metadata            TEXT NOT NULL,
    breakout_of         TEXT,
    breakout_rooms      TEXT,
    formats             TEXT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    version             BIGINT NOT NULL
);

-- Pages are found and counted in an index alone.
CREATE INDEX recordings_newest ON recordings (frontend_id, start_millis DESC, id DESC, state);
CREATE INDEX recordings_newest_of_all ON recordings (start_millis DESC, id DESC, state);
CREATE INDEX recordings_state ON recordings (frontend_id, state);
CREATE INDEX recordings_id ON recordings (frontend_id, id);
CREATE INDEX recordings_meeting ON recordings (frontend_id, meeting_id);

-- The metadata once more, to search in. Names are in lower case; spelling is the
-- name as it is in the recording, where two may differ in case alone.
CREATE TABLE recording_metadata (
    recording_id TEXT COLLATE "C" NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    frontend_id  TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    spelling     TEXT COLLATE "C" NOT NULL,
    value        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (recording_id, name, spelling)
);

-- No index takes long values.
CREATE INDEX recording_metadata_value ON recording_metadata (name, frontend_id, substr(value, 1, 64));

-- Work on files. Whoever has it is holder, until lease_until.
CREATE TABLE recording_ops (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('import', 'publish', 'delete', 'repair')),
    formats     TEXT NOT NULL,
    origin      TEXT COLLATE "C" NOT NULL,
    holder      TEXT COLLATE "C" NOT NULL,
    lease_until BIGINT NOT NULL,
    created_at  BIGINT NOT NULL
);

-- One work at a time for each recording.
CREATE TABLE recording_locks (
    recording_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    op_id        TEXT COLLATE "C" NOT NULL REFERENCES recording_ops (id) ON DELETE CASCADE
);

CREATE INDEX recording_locks_op ON recording_locks (op_id);
