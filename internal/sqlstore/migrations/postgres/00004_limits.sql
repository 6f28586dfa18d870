-- +goose Up

-- The settings that count for every frontend that does not set them itself. One
-- row at most.
CREATE TABLE frontend_defaults (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id = 'defaults'),
    settings   TEXT             NOT NULL,
    updated_at BIGINT           NOT NULL,
    version    BIGINT           NOT NULL
);

-- The host names of frontends: what their settings say, so that each is
-- somebody's alone.
CREATE TABLE frontend_hosts (
    host        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    frontend_id TEXT COLLATE "C" NOT NULL REFERENCES frontends (id) ON DELETE CASCADE
);

CREATE INDEX frontend_hosts_frontend ON frontend_hosts (frontend_id);

-- Whoever counts what a frontend has, in order to let it have more, holds its
-- row here until that is written.
CREATE TABLE frontend_limits (
    frontend_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES frontends (id) ON DELETE CASCADE,
    counted_at  BIGINT           NOT NULL
);

-- Who is about to come into a meeting of a frontend whose people are limited.
CREATE TABLE places (
    frontend_id TEXT COLLATE "C" NOT NULL REFERENCES frontends (id) ON DELETE CASCADE,
    holder      TEXT COLLATE "C" NOT NULL,
    meeting_id  TEXT COLLATE "C" NOT NULL,
    arrival     TEXT COLLATE "C" NOT NULL,
    until       BIGINT           NOT NULL,
    PRIMARY KEY (frontend_id, holder)
);

CREATE INDEX places_arrival ON places (frontend_id, meeting_id, arrival);
CREATE INDEX places_until ON places (until);

-- How many of the people there moderate.
ALTER TABLE meetings ADD COLUMN moderators BIGINT NOT NULL DEFAULT 0;

-- What a frontend has now, without the rows that only stay as fences.
CREATE INDEX meetings_live ON meetings (frontend_id) WHERE state <> 'ended';
