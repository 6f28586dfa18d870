package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"b3scale/internal/apiclient"
)

var errBehind = errors.New("the server acknowledges nothing new")

const (
	legacyWorkers  = 16   // calls at a time
	legacyWaiting  = 1000 // events that wait for their call
	legacyDeadline = 20 * time.Second
)

// legacy tells events to a server of the existing product: one call for each,
// in order and one at a time for each meeting. Such a server waits up to 15 s
// for a meeting that it does not know, so a meeting must not wait for another.
// What fails is dropped: the server looks for itself every few seconds.
type legacy struct {
	api   *api
	log   *slog.Logger
	count *counters

	calling chan struct{} // holds one for every call
	waiting chan struct{} // holds one for every event that was taken
	workers sync.WaitGroup

	mu     sync.Mutex
	queues map[string][]Event // by meeting; one with a worker is there, empty or not
}

func newLegacy(calls *api, log *slog.Logger, count *counters) *legacy {
	return &legacy{
		api: calls, log: log, count: count,
		calling: make(chan struct{}, legacyWorkers),
		waiting: make(chan struct{}, legacyWaiting),
		queues:  make(map[string][]Event),
	}
}

// take waits until there is room for an event.
func (l *legacy) take(ctx context.Context, e Event) error {
	if e.Kind == kindGap {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case l.waiting <- struct{}{}:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	queue, working := l.queues[e.Meeting]
	l.queues[e.Meeting] = append(queue, e)
	if !working {
		l.workers.Go(func() { l.work(ctx, e.Meeting) })
	}
	return nil
}

func (l *legacy) work(ctx context.Context, meeting string) {
	for {
		l.mu.Lock()
		queue := l.queues[meeting]
		if len(queue) == 0 {
			delete(l.queues, meeting)
			l.mu.Unlock()
			return
		}
		e := queue[0]
		l.queues[meeting] = queue[1:]
		l.mu.Unlock()

		l.calling <- struct{}{}
		l.tell(ctx, e)
		<-l.calling
		<-l.waiting
	}
}

func (l *legacy) tell(ctx context.Context, e Event) {
	ctx, cancel := context.WithTimeout(ctx, legacyDeadline)
	defer cancel()
	err := l.call(ctx, e)
	switch {
	case errors.Is(err, errNoCall):
		return
	case err != nil:
		l.count.callsFailed.Add(1)
		l.log.WarnContext(ctx, "an event was not taken", "kind", e.Kind, "meeting", e.Meeting, "error", err)
	}
	l.count.calls.Add(1)
}

// errNoCall says that there is no call for an event.
var errNoCall = errors.New("no call for this")

// attendee is a person as the existing product has it.
type attendee struct {
	UserID, InternalUserID, FullName, Role                 string
	IsPresenter, IsListeningOnly, HasJoinedVoice, HasVideo bool
	ClientType                                             string
}

func (l *legacy) call(ctx context.Context, e Event) error {
	type of struct {
		Meeting  string    `json:"internal_meeting_id"`
		Running  bool      `json:"running,omitempty"`
		Attendee *attendee `json:"attendee,omitempty"`
		UserID   string    `json:"internal_user_id,omitempty"`
	}
	switch e.Kind {
	case kindMeetingCreated:
		return l.api.rpc(ctx, "meeting_set_running", of{Meeting: e.Meeting, Running: true})
	case kindMeetingEnded:
		return l.api.rpc(ctx, "meeting_state_reset", of{Meeting: e.Meeting})
	case kindMeetingDestroyed:
		err := l.api.deleteMeeting(ctx, e.Meeting)
		if apiclient.IsNotFound(err) {
			return nil // it was there before us
		}
		return err
	case kindAttendeeLeft:
		return l.api.rpc(ctx, "meeting_remove_attendee", of{Meeting: e.Meeting, UserID: e.UserID})
	case kindAttendee:
		if !e.Joined {
			return errNoCall
		}
		if e.again { // such a server adds whom it has already
			if err := l.api.rpc(ctx, "meeting_remove_attendee", of{Meeting: e.Meeting, UserID: e.UserID}); err != nil {
				return fmt.Errorf("remove, to add again: %w", err)
			}
		}
		return l.api.rpc(ctx, "meeting_add_attendee", of{Meeting: e.Meeting, Attendee: e.attendee()})
	}
	return errNoCall
}

func (e Event) attendee() *attendee {
	return &attendee{
		UserID: value(e.ExternalUserID), InternalUserID: e.UserID, FullName: value(e.Name), Role: value(e.Role),
		IsPresenter: value(e.Presenter), IsListeningOnly: value(e.ListeningOnly), HasJoinedVoice: value(e.Voice), HasVideo: value(e.Video),
		ClientType: value(e.ClientType),
	}
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// wait lets the calls finish that were begun.
func (l *legacy) wait(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.workers.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
