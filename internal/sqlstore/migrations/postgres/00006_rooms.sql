-- +goose Up

-- The create that made the room of a meeting; 0 and nothing where nobody knows.
-- It stays when the row ends: nodes tell of the end of a room afterwards.
ALTER TABLE meetings
    ADD COLUMN room_generation BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN room_create TEXT COLLATE "C" NOT NULL DEFAULT '';

-- What waits is counted for each frontend, and what is over is deleted from the
-- oldest on.
CREATE INDEX callbacks_queue ON callbacks (frontend_id) WHERE state = 'waiting';
CREATE INDEX callbacks_over ON callbacks (done_at) WHERE state <> 'waiting';
