-- +goose Up

-- When that was heard, or when the list was begun that showed the person. An
-- empty xml says that the person has left.
ALTER TABLE attendees ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;

-- What the agent said of its node, JSON.
ALTER TABLE heartbeats ADD COLUMN report TEXT NOT NULL DEFAULT '';

-- The account of the present room: how many are there since counted_at, and the
-- time that people have spent there until then. prior_version is the version
-- before the last turnout.
ALTER TABLE meetings ADD COLUMN prior_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN started_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN counted_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN people BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN voices BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN videos BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN peak BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN people_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN voice_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meetings ADD COLUMN video_time BIGINT NOT NULL DEFAULT 0;

-- The ledger: one row for each room that is over. It outlives frontends and
-- backends, and names nobody.
CREATE TABLE sessions (
    frontend_id TEXT COLLATE "C" NOT NULL,
    internal_id TEXT COLLATE "C" NOT NULL,
    meeting_id  TEXT COLLATE "C" NOT NULL,
    backend_id  TEXT COLLATE "C" NOT NULL,
    started_at  BIGINT           NOT NULL,
    ended_at    BIGINT           NOT NULL,
    peak        BIGINT           NOT NULL,
    people_time BIGINT           NOT NULL,
    voice_time  BIGINT           NOT NULL,
    video_time  BIGINT           NOT NULL,
    PRIMARY KEY (frontend_id, internal_id, meeting_id)
);

CREATE INDEX sessions_ended ON sessions (ended_at);

-- Rooms that are open when the ledger begins.
UPDATE meetings SET started_at = confirmed_at, counted_at = confirmed_at WHERE state = 'active';
