package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

const (
	commandTime  = 2 * time.Minute  // after it a command is no longer done
	commandLease = time.Minute      // of who is at work with it; another one takes over then
	commandWork  = 50 * time.Second // so long it works, and then has time to say so
	commandGone  = time.Minute      // so long after its deadline a command can be looked at
	takeEvery    = time.Second
	purgeEvery   = 30 * time.Second
	manyCommands = 4 // at the same time at one instance
	manyEnds     = 8 // at the same time in one command
)

// AddCommand asks for something to be done once, by whichever instance.
func (c *Cluster) AddCommand(ctx context.Context, action b3scale.CommandAction, params []byte, by b3scale.Actor) (b3scale.Command, error) {
	if action != b3scale.EndAllMeetings {
		return b3scale.Command{}, b3scale.Errorf(b3scale.InvalidArgument, "there is no command %q", string(action))
	}
	command, err := c.store.AddCommand(ctx, action, params, commandTime, by)
	if err == nil {
		select {
		case c.commanded <- struct{}{}:
		default: // it is awake already
		}
	}
	return command, err
}

// Commands are those of the last minutes, the oldest first.
func (c *Cluster) Commands(ctx context.Context) ([]b3scale.Command, error) {
	return c.store.Commands(ctx)
}

// Command finds one of them.
func (c *Cluster) Command(ctx context.Context, id string) (b3scale.Command, error) {
	return c.store.Command(ctx, id)
}

// runCommands takes commands until ctx ends. One that is under way then is left
// to the others, or to the next start.
func (c *Cluster) runCommands(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	working := make(chan struct{}, manyCommands)
	take := time.NewTicker(takeEvery)
	defer take.Stop()
	purge := time.NewTicker(purgeEvery)
	defer purge.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-purge.C:
			if err := c.store.PurgeCommands(ctx, commandGone); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "old commands not purged", "error", err)
			}
			continue
		case <-take.C:
		case <-c.commanded:
		}
		for len(working) < cap(working) {
			command, found, err := c.store.TakeCommand(ctx, c.opts.Instance, commandLease)
			if err != nil && ctx.Err() == nil && c.StoreAnswers() { // otherwise everybody says so
				c.log.WarnContext(ctx, "commands not read", "error", err)
			}
			if err != nil || !found {
				break
			}
			working <- struct{}{}
			wg.Go(func() {
				c.execute(ctx, command)
				<-working
			})
		}
	}
}

// execute does what a command asks for and stores how it ended.
func (c *Cluster) execute(ctx context.Context, command b3scale.Command) {
	c.log.InfoContext(ctx, "command taken", "command", command.ID, "action", command.Action)
	left := command.Deadline.Time().Sub(command.StartedAt.Time())
	working, cancel := context.WithTimeout(ctx, min(commandWork, left-5*time.Second))
	defer cancel()
	err := c.do(working, command)
	if ctx.Err() != nil {
		return // we are stopping: it is not over
	}
	state, result := b3scale.CommandSuccess, []byte("true")
	if err != nil {
		state = b3scale.CommandError
		result, _ = json.Marshal(sentence(err)) // a string always marshals
	}
	ctx, cancel = context.WithTimeout(ctx, commandLease-commandWork)
	defer cancel()
	finished, err := c.store.FinishCommand(ctx, command.ID, c.opts.Instance, state, result)
	c.log.InfoContext(ctx, "command over", "command", command.ID, "state", state, "result", string(result), "stored", finished, "error", err)
}

// sentence is what an operator is told.
func sentence(err error) string {
	if e, ok := errors.AsType[*b3scale.Error](err); ok {
		return e.Message
	}
	return "it did not work"
}

func (c *Cluster) do(ctx context.Context, command b3scale.Command) error {
	if command.Action != b3scale.EndAllMeetings {
		return b3scale.Errorf(b3scale.InvalidArgument, "there is no command %q", string(command.Action))
	}
	if c.opts.Observe {
		return errObserving
	}
	var params struct{ BackendID string }
	if err := json.Unmarshal(command.Params, &params); err != nil {
		return b3scale.Errorf(b3scale.InvalidArgument, "the parameters are malformed").Because(err)
	}
	return c.endAll(ctx, params.BackendID, command.CreatedAt)
}

// endAll ends every live meeting on a backend. One that cannot be ended does
// not keep the others.
func (c *Cluster) endAll(ctx context.Context, backendID string, asked b3scale.Micros) error {
	if c.shared() {
		if err := c.poll(ctx); err != nil { // also of what the others created a moment ago
			return err
		}
	}
	if c.table.Backend(backendID) == nil {
		return b3scale.Errorf(b3scale.NotFound, "no such backend: %s", backendID)
	}
	rooms := slices.DeleteFunc(slices.Clone(c.table.MeetingsOn(backendID)), func(r *routing.Room) bool {
		return !r.Breakout && r.ClaimedAt > asked // nobody meant those: the command may be done a second time, much later
	})
	var (
		mu     sync.Mutex
		failed int
		causes []string
		wg     sync.WaitGroup
		places = make(chan struct{}, manyEnds)
	)
	for _, r := range rooms {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			err := c.endSeen(ctx, r)
			if err == nil {
				return
			}
			c.log.WarnContext(ctx, "meeting not ended", "meeting", r.Key, "backend", backendID, "error", err)
			mu.Lock()
			defer mu.Unlock()
			failed++
			if why := sentence(err); len(causes) < 3 && !slices.Contains(causes, why) {
				causes = append(causes, why)
			}
		})
	}
	wg.Wait()
	if failed == 0 {
		return nil
	}
	return b3scale.Errorf(b3scale.NodeFailed, "%d of %d meetings were not ended: %s", failed, len(rooms), strings.Join(causes, "; "))
}

// endSeen ends the room that was seen on a backend. If it is gone, or if the
// meeting has moved, there is nothing to do.
func (c *Cluster) endSeen(ctx context.Context, r *routing.Room) error {
	if err := ctx.Err(); err != nil {
		return b3scale.Errorf(b3scale.Unavailable, "there was no time left").Because(err)
	}
	if r.State == b3scale.MeetingCreating {
		now, err := c.settled(ctx, r.Key)
		switch {
		case b3scale.CodeOf(err) == b3scale.NotFound, err == nil && now.BackendID != r.BackendID:
			return nil
		case err != nil:
			return err
		}
		r = now
	}
	b, err := c.backendOf(r)
	if err != nil {
		return err
	}
	answer, err := c.requestEnd(ctx, b, r, bbb.Params{})
	switch {
	case err != nil:
		return err
	case answer.Succeeded(), answer.MessageKey() == bbb.ErrNotFound.Key:
		return nil
	}
	return endFailed(answer)
}

func endFailed(answer *bbb.Answer) error {
	return b3scale.Errorf(b3scale.NodeFailed, "end meeting failed: %s", answer.MessageKey())
}
