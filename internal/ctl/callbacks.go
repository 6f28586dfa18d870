package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

func (s *session) showCallbacksCommand() *cobra.Command {
	var key, state, kind, meeting string
	var limit int
	cmd := &cobra.Command{
		Use:     "callbacks",
		Aliases: []string{"cb"},
		Short:   "show what frontends were told, or are to be told",
		Long: "Show the messages of nodes to frontends, the newest first, separated by tabs: when it came, id, state, kind,\n" +
			"frontend, meeting, attempts, target, why the last attempt failed.",
		Example: "  b3scalectl show callbacks --state refused --frontend moodle",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if err := s.login(ctx, looks); err != nil {
				return err
			}
			params := apiclient.CallbacksListParams{Limit: &limit}
			if key != "" {
				f, err := s.frontend(ctx, key)
				if err != nil {
					return err
				}
				params.FrontendID = &f.ID
			}
			if state != "" {
				params.State = new(apiclient.CallbackState(state))
			}
			if kind != "" {
				params.Kind = new(apiclient.CallbackKind(kind))
			}
			if meeting != "" {
				params.Meeting = &meeting
			}
			answer, err := s.client.CallbacksListWithResponse(ctx, &params)
			if err != nil {
				return err
			}
			keys, err := s.keysByID(ctx)
			if err != nil {
				return err
			}
			return s.show(answer.Body, func() {
				for i := range *answer.JSON200 {
					c := &(*answer.JSON200)[i]
					s.say("%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s", c.CreatedAt.Format(time.RFC3339), c.ID, string(c.State), string(c.Kind),
						keys[c.FrontendID], orEmpty(c.MeetingID), c.Attempts, c.URL, orEmpty(c.LastError))
				}
			}, func() table { return callbackTable(*answer.JSON200, keys) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "frontend", "", "only those to the frontend with this key")
	flags.StringVar(&state, "state", "", "only those that are waiting, delivered, refused, expired or dropped")
	flags.StringVar(&kind, "kind", "", "only those of this kind: end, meeting_ended, recording_ready, analytics")
	flags.StringVar(&meeting, "meeting", "", "only those about the meeting with this id, as the frontend chose it")
	flags.IntVar(&limit, "limit", 100, "at most so many")
	s.completesFlag(cmd, "frontend", s.completeKeys)
	s.completes(cmd, "state", "waiting", "delivered", "refused", "expired", "dropped")
	s.completes(cmd, "kind", "end", "meeting_ended", "recording_ready", "analytics")
	return cmd
}

// keysByID are the keys of all frontends.
func (s *session) keysByID(ctx context.Context) (map[string]string, error) {
	all, _, err := s.frontends(ctx, "")
	keys := make(map[string]string, len(all))
	for i := range all {
		keys[all[i].ID] = all[i].BBB.Key
	}
	return keys, err
}

func callbackTable(all []apiclient.Callback, keys map[string]string) table {
	t := table{header: []string{"WHEN", "ID", "STATE", "KIND", "FRONTEND", "MEETING", "TRIED", "TARGET", "WHY NOT"}}
	for i := range all {
		c := &all[i]
		state := text(string(c.State))
		switch c.State {
		case apiclient.CallbackStateDelivered:
			state = state.in(good)
		case apiclient.CallbackStateRefused, apiclient.CallbackStateExpired:
			state = state.in(bad)
		case apiclient.CallbackStateDropped:
			state = state.in(faint)
		case apiclient.CallbackStateWaiting:
			if c.Attempts > 0 {
				state = state.in(careful)
			}
		}
		t.add(text(moment(c.CreatedAt)), text(c.ID), state, text(string(c.Kind)), text(keys[c.FrontendID]), text(orEmpty(c.MeetingID)),
			number(c.Attempts), text(c.URL), text(orEmpty(c.LastError)))
	}
	return t
}

func (s *session) showCallbackCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "callback ID",
		Short: "show one message to a frontend",
		Args:  wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := s.login(ctx, looks); err != nil {
				return err
			}
			answer, err := s.client.CallbacksReadWithResponse(ctx, args[0])
			if err != nil {
				return noCallback(args[0], err)
			}
			keys, err := s.keysByID(ctx)
			if err != nil {
				return err
			}
			c := answer.JSON200
			return s.show(answer.Body, func() {
				s.say("Callback: %s", c.ID)
				s.say("State: %s", stateInWords(c))
				s.say("Kind: %s", string(c.Kind))
				s.say("Frontend: %s", keys[c.FrontendID])
				s.say("Meeting: %s", orEmpty(c.MeetingID))
				s.say("Target: %s", c.URL)
				s.say("Received: %s", moment(c.CreatedAt))
				s.say("Attempts: %d%s", c.Attempts, lastAttempt(c))
			}, func() table { return callbackTable([]apiclient.Callback{*c}, keys) })
		},
	}
}

func stateInWords(c *apiclient.Callback) string {
	switch {
	case c.State == apiclient.CallbackStateWaiting:
		return fmt.Sprintf("waiting; next attempt %s, given up %s", moment(c.NextAt), moment(c.ExpiresAt))
	case c.DoneAt != nil:
		return string(c.State) + " " + moment(*c.DoneAt)
	}
	return string(c.State)
}

// lastAttempt says how it ended.
func lastAttempt(c *apiclient.Callback) string {
	var parts []string
	if c.LastStatus != nil {
		parts = append(parts, fmt.Sprintf("HTTP status %d", *c.LastStatus))
	}
	if c.LastError != nil {
		parts = append(parts, *c.LastError)
	}
	if len(parts) == 0 {
		return ""
	}
	return "; the last one: " + strings.Join(parts, ", ")
}

func noCallback(id string, err error) error {
	if apiclient.IsNotFound(err) {
		return fmt.Errorf("there is no callback %q; those that are over are kept for a week", id)
	}
	return err
}

func (s *session) replayCommand() *cobra.Command {
	cmd := group("replay", "send messages to frontends anew")
	s.asks(cmd)
	cmd.AddCommand(&cobra.Command{
		Use:   "callback ID",
		Short: "tell a frontend again",
		Long: "Send a message to its frontend anew, whatever became of it: at once, and for another day. It keeps its id, by\n" +
			"which the frontend can tell that it is the same.",
		Args: wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			c, err := s.callback(ctx, args[0])
			if err != nil {
				return err
			}
			if c.State == apiclient.CallbackStateDelivered {
				if err := s.confirm(ctx, "%s has taken this already. Send it again?", c.URL); err != nil {
					return err
				}
			}
			if _, err := s.client.CallbacksReplayWithResponse(ctx, c.ID); err != nil {
				return noCallback(c.ID, err)
			}
			s.say("replaying callback: %s", c.ID)
			return nil
		},
	})
	return cmd
}

func (s *session) deleteCallbackCommand(dry *bool) *cobra.Command {
	return &cobra.Command{
		Use:   "callback ID",
		Short: "give up a message that waits for its frontend",
		Long:  "Give up a message that waits for its frontend. \"replay callback\" takes that back for a week.",
		Args:  wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			c, err := s.callback(ctx, args[0])
			if err != nil {
				return err
			}
			if *dry {
				s.say("skipping delete (dry)")
				return nil
			}
			if err := s.confirm(ctx, "Give up telling %s (%s of meeting %q)?", c.URL, string(c.Kind), orEmpty(c.MeetingID)); err != nil {
				return err
			}
			if _, err := s.client.CallbacksDestroyWithResponse(ctx, c.ID); err != nil {
				return noCallback(c.ID, err)
			}
			s.say("dropped callback: %s", c.ID)
			return nil
		},
	}
}

// callback is one that is to be changed.
func (s *session) callback(ctx context.Context, id string) (*apiclient.Callback, error) {
	if err := s.login(ctx, changes); err != nil {
		return nil, err
	}
	answer, err := s.client.CallbacksReadWithResponse(ctx, id)
	if err != nil {
		return nil, noCallback(id, err)
	}
	return answer.JSON200, nil
}
