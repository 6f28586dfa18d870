-- +goose Up

-- Times are microseconds since the Unix epoch, 0 means never; *_at columns are
-- by the store's clock. Secrets and settings are text, settings are JSON.
-- version grows with every change of a row that other instances follow. In
-- this mode there are no others, so no index leads to it.

CREATE TABLE frontends (
    id               TEXT    NOT NULL PRIMARY KEY,
    key              TEXT    NOT NULL UNIQUE,
    secret           TEXT    NOT NULL,
    secondary_secret TEXT    NOT NULL DEFAULT '',
    active           BOOLEAN NOT NULL,
    settings         TEXT    NOT NULL,
    account_ref      TEXT    NOT NULL DEFAULT '',
    created_at       BIGINT  NOT NULL,
    updated_at       BIGINT  NOT NULL,
    version          BIGINT  NOT NULL
);

CREATE TABLE backends (
    id               TEXT             NOT NULL PRIMARY KEY,
    host             TEXT             NOT NULL UNIQUE,
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
);

-- One row per meeting decides where it lives.
CREATE TABLE meetings (
    frontend_id               TEXT   NOT NULL REFERENCES frontends (id),
    meeting_id                TEXT   NOT NULL,
    generation                BIGINT NOT NULL,
    backend_id                TEXT   NOT NULL REFERENCES backends (id),
    state                     TEXT   NOT NULL CHECK (state IN ('creating', 'active', 'ended')),
    internal_id               TEXT   NOT NULL DEFAULT '',
    last_ended_internal_id    TEXT   NOT NULL DEFAULT '',
    create_time               BIGINT NOT NULL DEFAULT 0,
    attendee_pw               TEXT   NOT NULL DEFAULT '',
    moderator_pw              TEXT   NOT NULL DEFAULT '',
    end_requested_internal_id TEXT   NOT NULL DEFAULT '',
    end_requested_at          BIGINT NOT NULL DEFAULT 0,
    claimed_at                BIGINT NOT NULL DEFAULT 0,
    confirmed_at              BIGINT NOT NULL DEFAULT 0,
    ended_at                  BIGINT NOT NULL DEFAULT 0,
    size                      BIGINT NOT NULL DEFAULT 0,
    version                   BIGINT NOT NULL,
    info                      TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (frontend_id, meeting_id)
);

-- Live rows are read all at once, at the start, and ended ones are small: an
-- index would cost every claim and every confirmation more pages than a scan
-- can save. Old ended rows are looked for every day.
CREATE INDEX meetings_ended ON meetings (ended_at) WHERE state = 'ended';

-- Rooms that may have outlived their place.
CREATE TABLE orphans (
    frontend_id TEXT   NOT NULL REFERENCES frontends (id),
    meeting_id  TEXT   NOT NULL,
    backend_id  TEXT   NOT NULL REFERENCES backends (id),
    internal_id TEXT   NOT NULL DEFAULT '',
    booked_at   BIGINT NOT NULL,
    ending      TEXT   NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (frontend_id, meeting_id, backend_id)
);

CREATE INDEX orphans_backend ON orphans (backend_id);

-- Rows live only while their room does: they name people.
CREATE TABLE attendees (
    backend_id          TEXT   NOT NULL,
    internal_meeting_id TEXT   NOT NULL,
    internal_user_id    TEXT   NOT NULL,
    boot                TEXT   NOT NULL,
    sequence            BIGINT NOT NULL,
    xml                 TEXT   NOT NULL,
    version             BIGINT NOT NULL,
    PRIMARY KEY (backend_id, internal_meeting_id, internal_user_id)
);

-- Each row is written by its own instance only.
CREATE TABLE probes (
    instance    TEXT   NOT NULL,
    backend_id  TEXT   NOT NULL REFERENCES backends (id) ON DELETE CASCADE,
    probe_ok_at BIGINT NOT NULL,
    PRIMARY KEY (instance, backend_id)
);

CREATE TABLE leases (
    name   TEXT   NOT NULL PRIMARY KEY,
    holder TEXT   NOT NULL,
    until  BIGINT NOT NULL
);
