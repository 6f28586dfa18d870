-- +goose Up

-- The subject of the token of the agent there.
ALTER TABLE backends ADD COLUMN agent_ref TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE UNIQUE INDEX backends_agent_ref ON backends (agent_ref) WHERE agent_ref <> '';

-- What operators changed, in the transaction that changed it. before and after
-- are JSON, NULL where there was nothing. Ids grow and have gaps.
CREATE TABLE audit (
    id         BIGINT           NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         BIGINT           NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    address    TEXT             NOT NULL,
    request_id TEXT             NOT NULL,
    action     TEXT COLLATE "C" NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    object_id  TEXT COLLATE "C" NOT NULL,
    name       TEXT             NOT NULL,
    before     TEXT,
    after      TEXT
);

CREATE INDEX audit_object ON audit (kind, object_id, id);
CREATE INDEX audit_subject ON audit (subject, id);
CREATE INDEX audit_at ON audit (at);

-- What is to be done once. A holder may finish a running one until lease_until.
CREATE TABLE commands (
    seq         BIGINT           NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('requested', 'running', 'success', 'error')),
    action      TEXT COLLATE "C" NOT NULL,
    params      TEXT,
    result      TEXT,
    deadline    BIGINT           NOT NULL,
    started_at  BIGINT           NOT NULL DEFAULT 0,
    stopped_at  BIGINT           NOT NULL DEFAULT 0,
    created_at  BIGINT           NOT NULL,
    holder      TEXT COLLATE "C" NOT NULL DEFAULT '',
    lease_until BIGINT           NOT NULL DEFAULT 0
);

-- Every instance asks all the time; most commands are over.
CREATE INDEX commands_open ON commands (seq) WHERE state IN ('requested', 'running');

-- When the secrets of frontends and backends were last used.
CREATE TABLE secret_uses (
    owner_id  TEXT COLLATE "C" NOT NULL,
    secondary BOOLEAN          NOT NULL,
    used_at   BIGINT           NOT NULL,
    PRIMARY KEY (owner_id, secondary)
) WITH (fillfactor = 50);
