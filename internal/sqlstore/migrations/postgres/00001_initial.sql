-- +goose Up

-- Times are microseconds since the Unix epoch, 0 means never; *_at columns are
-- by this database's clock. Secrets and settings are text, settings are JSON.
-- version grows with every change of a row that other instances follow.
-- Texts compare as bytes, whatever locale the database has: COLLATE "C".

CREATE TABLE frontends (
    id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    key              TEXT COLLATE "C" NOT NULL UNIQUE,
    secret           TEXT             NOT NULL,
    secondary_secret TEXT             NOT NULL DEFAULT '',
    active           BOOLEAN          NOT NULL,
    settings         TEXT             NOT NULL,
    account_ref      TEXT             NOT NULL DEFAULT '',
    created_at       BIGINT           NOT NULL,
    updated_at       BIGINT           NOT NULL,
    version          BIGINT           NOT NULL
);

-- Small tables whose rows change all the time, and in no indexed column, have
-- room in their pages: updates stay there and touch no index.
CREATE TABLE backends (
    id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    host             TEXT COLLATE "C" NOT NULL UNIQUE,
    secret           TEXT             NOT NULL,
    secondary_secret TEXT             NOT NULL DEFAULT '',
    admin_state      TEXT             NOT NULL,
    load_factor      DOUBLE PRECISION NOT NULL,
    settings         TEXT             NOT NULL,
    lost             BOOLEAN          NOT NULL DEFAULT FALSE,
    lost_at          BIGINT           NOT NULL DEFAULT 0,
    listed_at        BIGINT           NOT NULL DEFAULT 0,
    created_at       BIGINT           NOT NULL,
    updated_at       BIGINT           NOT NULL,
    version          BIGINT           NOT NULL
) WITH (fillfactor = 50);

-- One row per meeting decides where it lives. blunt_end_at is when a room of it
-- on that backend was last ended by its external id: such an end may arrive late
-- and hit the next room.
CREATE TABLE meetings (
    frontend_id               TEXT COLLATE "C" NOT NULL REFERENCES frontends (id),
    meeting_id                TEXT COLLATE "C" NOT NULL,
    generation                BIGINT           NOT NULL,
    backend_id                TEXT COLLATE "C" NOT NULL REFERENCES backends (id),
    state                     TEXT COLLATE "C" NOT NULL CHECK (state IN ('creating', 'active', 'ended')),
    internal_id               TEXT COLLATE "C" NOT NULL DEFAULT '',
    last_ended_internal_id    TEXT COLLATE "C" NOT NULL DEFAULT '',
    create_time               BIGINT           NOT NULL DEFAULT 0,
    attendee_pw               TEXT             NOT NULL DEFAULT '',
    moderator_pw              TEXT             NOT NULL DEFAULT '',
    end_requested_internal_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    end_requested_at          BIGINT           NOT NULL DEFAULT 0,
    claimed_at                BIGINT           NOT NULL DEFAULT 0,
    confirmed_at              BIGINT           NOT NULL DEFAULT 0,
    ended_at                  BIGINT           NOT NULL DEFAULT 0,
    size                      BIGINT           NOT NULL DEFAULT 0,
    version                   BIGINT           NOT NULL,
    blunt_end_at              BIGINT           NOT NULL DEFAULT 0,
    info                      TEXT             NOT NULL DEFAULT '',
    PRIMARY KEY (frontend_id, meeting_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- Every instance asks once a second what has a new version.
CREATE INDEX meetings_version ON meetings (version);

-- Live rows are read all at once and rarely. Old ended rows are looked for
-- every hour.
CREATE INDEX meetings_ended ON meetings (ended_at) WHERE state = 'ended';

-- Rooms that may have outlived their place.
CREATE TABLE orphans (
    frontend_id  TEXT COLLATE "C" NOT NULL REFERENCES frontends (id),
    meeting_id   TEXT COLLATE "C" NOT NULL,
    backend_id   TEXT COLLATE "C" NOT NULL REFERENCES backends (id),
    internal_id  TEXT COLLATE "C" NOT NULL DEFAULT '',
    booked_at    BIGINT           NOT NULL,
    ending       TEXT COLLATE "C" NOT NULL DEFAULT '',
    lease_until  BIGINT           NOT NULL DEFAULT 0,
    blunt_end_at BIGINT           NOT NULL DEFAULT 0,
    PRIMARY KEY (frontend_id, meeting_id, backend_id)
);

CREATE INDEX orphans_backend ON orphans (backend_id);

-- Rows live only while their room does: they name people.
CREATE TABLE attendees (
    backend_id          TEXT COLLATE "C" NOT NULL,
    internal_meeting_id TEXT COLLATE "C" NOT NULL,
    internal_user_id    TEXT COLLATE "C" NOT NULL,
    boot                TEXT             NOT NULL,
    sequence            BIGINT           NOT NULL,
    xml                 TEXT             NOT NULL,
    version             BIGINT           NOT NULL,
    PRIMARY KEY (backend_id, internal_meeting_id, internal_user_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- Each row is written by its own instance only.
CREATE TABLE probes (
    instance    TEXT COLLATE "C" NOT NULL,
    backend_id  TEXT COLLATE "C" NOT NULL REFERENCES backends (id) ON DELETE CASCADE,
    probe_ok_at BIGINT           NOT NULL,
    PRIMARY KEY (instance, backend_id)
) WITH (fillfactor = 50);

-- When the agent on a backend was last heard, by whichever instance.
CREATE TABLE heartbeats (
    backend_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES backends (id) ON DELETE CASCADE,
    heard_at   BIGINT           NOT NULL
) WITH (fillfactor = 50);

-- What else the last list of a backend showed, for the other instances.
CREATE TABLE reports (
    backend_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES backends (id) ON DELETE CASCADE,
    report     TEXT             NOT NULL,
    version    BIGINT           NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE leases (
    name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    until  BIGINT           NOT NULL
) WITH (fillfactor = 50);

-- Its row is locked while a verdict is passed; nobody ever holds it.
INSERT INTO leases (name, holder, until) VALUES ('verdict', '', 9000000000000000);
