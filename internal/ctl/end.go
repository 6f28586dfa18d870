package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

func (s *session) endCommand() *cobra.Command {
	cmd := group("end", "end meetings")
	s.asks(cmd)
	cmd.AddCommand(s.endMeetingCommand(), s.endMeetingsCommand())
	return cmd
}

// asks adds what scripts at a terminal need.
func (s *session) asks(cmd *cobra.Command) {
	cmd.PersistentFlags().BoolVarP(&s.yes, "yes", "y", false, "do not ask; without a terminal nobody is asked")
}

func (s *session) endMeetingCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "meeting ID",
		Short: "end one meeting and send everybody out",
		Args:  wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			m, err := s.meeting(ctx, args[0], key)
			if err != nil {
				return err
			}
			if err := s.confirm(ctx, "End %q (%s of %s) with %s?", m.Meeting.Meeting.MeetingName, m.plainID, m.frontend, people(m.Meeting.Meeting.ParticipantCount)); err != nil {
				return err
			}
			// By the internal id, so that it is the room that was seen.
			id := m.ID
			if m.InternalID != "" {
				id = "internal:" + m.InternalID
			}
			_, err = s.client.MeetingsDestroyWithResponse(ctx, id, &apiclient.MeetingsDestroyParams{End: new("true")})
			if apiclient.IsNotFound(err) {
				err = errors.New("the meeting was over before it could be ended")
			}
			if err != nil {
				return err
			}
			s.say("ended meeting: %s", m.ID)
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "frontend", "", "key of its frontend, when several have a meeting of this id")
	cmd.ValidArgsFunction = s.completeMeetings
	s.completesFlag(cmd, "frontend", s.completeKeys)
	return cmd
}

func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

func meetingsWith(meetings, attendees int) string {
	if meetings == 1 {
		return "1 meeting, " + people(attendees)
	}
	return fmt.Sprintf("%d meetings, %s", meetings, people(attendees))
}

const askAgainAfter = 500 * time.Millisecond

func (s *session) endMeetingsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "meetings HOST",
		Short: "end all meetings on a backend",
		Args:  wants("HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			b, err := s.backend(ctx, args[0])
			if err != nil {
				return err
			}
			if err := s.confirm(ctx, "End all on %s: %s?", b.BBB.Host, meetingsWith(b.MeetingsCount, b.AttendeesCount)); err != nil {
				return err
			}
			answer, err := s.client.CommandsCreateWithResponse(ctx, apiclient.NewCommand{
				Action: endAll, Params: &apiclient.NewCommandParams{BackendID: b.ID},
			})
			if err != nil {
				return err
			}
			s.say("Dispatch: %s map[BackendID:%s]", endAll, b.ID)
			return s.follow(ctx, answer.JSON202)
		},
	}
	cmd.ValidArgsFunction = s.completeHosts
	return cmd
}

const endAll = "end_all_meetings"

// follow tells how a command gets on until it is over.
func (s *session) follow(ctx context.Context, c *apiclient.Command) error {
	patience := c.Deadline.Sub(c.CreatedAt) // the clocks may differ, durations do not
	if patience <= 0 || patience > time.Hour {
		patience = 2 * time.Minute
	}
	giveUp := time.Now().Add(patience + time.Minute)
	var state apiclient.CommandState
	for {
		answer, err := s.client.CommandsReadWithResponse(ctx, c.ID)
		over := time.Now().After(giveUp)
		switch {
		case apiclient.IsNotFound(err):
			return errors.New("the server has forgotten the command: b3scalectl show meetings --backend tells what became of it")
		case err != nil && (over || !mayPass(err)):
			return err
		case err == nil:
			if answer.JSON200.State != state {
				state = answer.JSON200.State
				s.say("State: %s", string(state))
			}
			if state == apiclient.CommandStateSuccess || state == apiclient.CommandStateError {
				return s.sayResult(answer.JSON200)
			}
		}
		if over {
			return errors.New("the command is not over although its time is: is an instance of b3scaled at work?")
		}
		if err := pause(ctx, askAgainAfter); err != nil {
			return err
		}
	}
}

func (s *session) sayResult(c *apiclient.Command) error {
	result := resultText(c.Result)
	s.say("Result: %s", result)
	if c.State == apiclient.CommandStateError {
		return fmt.Errorf("not all meetings could be ended: %s", result)
	}
	return nil
}

// resultText is the result of a command: a text, or what else it is as JSON.
func resultText(result json.RawMessage) string {
	var words string
	if json.Unmarshal(result, &words) == nil {
		return words
	}
	return compact(result)
}

// pause waits no longer than for a signal.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
