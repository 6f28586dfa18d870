package ctl

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

func (s *session) enableCommand() *cobra.Command {
	var dry bool
	cmd := group("enable", "let backends and frontends work", "en", "start")
	cmd.PersistentFlags().BoolVar(&dry, "dry", false, "only say what would be done")
	cmd.AddCommand(
		s.stateCommand("let a backend take new meetings", apiclient.AdminStateReady, &dry),
		s.activeCommand("enable", "serve the requests of a frontend", true, &dry),
	)
	return cmd
}

func (s *session) disableCommand() *cobra.Command {
	var dry bool
	cmd := group("disable", "stop backends and frontends", "dis", "stop")
	cmd.PersistentFlags().BoolVar(&dry, "dry", false, "only say what would be done")
	cmd.AddCommand(
		s.stateCommand("give a backend no new meetings; those it has go on", apiclient.AdminStateStopped, &dry),
		s.activeCommand("disable", "refuse the requests of a frontend", false, &dry),
	)
	return cmd
}

func (s *session) stateCommand(short string, state apiclient.AdminState, dry *bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backend HOST",
		Short: short,
		Long:  upper(short) + ". The exit code is 64 when it was so already.",
		Args:  wants("HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.login(cmd.Context(), changes); err != nil {
				return err
			}
			b, err := s.backend(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case b.AdminState == state:
				return s.unchanged()
			case *dry:
				s.say("skipping backend admin state update")
				return nil
			}
			_, err = s.setState(cmd.Context(), b.ID, state)
			return err
		},
	}
	cmd.ValidArgsFunction = s.completeHosts
	return cmd
}

// setState returns the backend as it is then.
func (s *session) setState(ctx context.Context, id string, state apiclient.AdminState) (*apiclient.Backend, error) {
	answer, err := s.client.BackendsPatchWithResponse(ctx, id, asText(map[string]any{"admin_state": state}))
	if err != nil {
		return nil, err
	}
	s.say("updated backend admin state")
	return answer.JSON200, nil
}

func (s *session) activeCommand(verb, short string, active bool, dry *bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "frontend KEY",
		Short: short,
		Args:  wants("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.login(cmd.Context(), changes); err != nil {
				return err
			}
			f, err := s.frontend(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case *dry:
				s.say("skipping %s (dry)", verb)
				return nil
			}
			if _, err := s.client.FrontendsPatchWithResponse(cmd.Context(), f.ID, asText(map[string]any{"active": active})); err != nil {
				return err
			}
			s.say("%s frontend: %s", verb, f.ID)
			return nil
		},
	}
	cmd.ValidArgsFunction = s.completeKeys
	return cmd
}

func (s *session) deleteCommand() *cobra.Command {
	var dry, force bool
	cmd := group("delete", "remove backends, frontends and recordings, give up callbacks", "d", "del", "rm")
	cmd.PersistentFlags().BoolVar(&dry, "dry", false, "only say what would be done")
	cmd.PersistentFlags().BoolVarP(&force, "force", "f", false, "delete a backend now, and forget its meetings")
	s.asks(cmd)
	cmd.AddCommand(s.deleteBackendCommand(&dry, &force), s.deleteFrontendCommand(&dry), s.deleteRecordingCommand(&dry), s.deleteCallbackCommand(&dry))
	return cmd
}

func (s *session) deleteBackendCommand(dry, force *bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backend HOST",
		Short: "remove a backend once it is empty, or now",
		Long: "Mark a backend for decommissioning: it gets no new meetings, and is deleted once the last one is over.\n" +
			"With --force it is deleted now and its meetings are forgotten; their rooms stay open on the node.",
		Args: wants("HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			b, err := s.backend(ctx, args[0])
			if err != nil {
				return err
			}
			if *dry {
				if *force {
					s.say("skipping deleting backend (dry)")
				} else {
					s.say("skipping decommissioning backend (dry)")
				}
				return nil
			}
			var params apiclient.BackendsDestroyParams
			question := "Decommission %s, which has %s?"
			if *force {
				params.Force = new("true")
				question = "Delete %s now and forget what it has: %s?"
			}
			if err := s.confirm(ctx, question, b.BBB.Host, meetingsWith(b.MeetingsCount, b.AttendeesCount)); err != nil {
				return err
			}
			if *force {
				s.say("deleting backend")
			}
			answer, err := s.client.BackendsDestroyWithResponse(ctx, b.ID, &params)
			if err != nil {
				return err
			}
			s.say("backend marked for decommissioning") // scripts wait for this line in both cases
			switch {
			case answer.JSON200.AdminState == apiclient.AdminStateDestroyed:
				s.say("deleted backend: %s %s", b.ID, b.BBB.Host)
			case b.NodeState == apiclient.NodeStateError:
				s.complain("it does not answer, and is deleted once it is known to be empty; with --force it is deleted now")
			}
			return nil
		},
	}
	cmd.ValidArgsFunction = s.completeHosts
	return cmd
}

func (s *session) deleteFrontendCommand(dry *bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "frontend KEY",
		Short: "delete a frontend",
		Long:  "Delete a frontend. Its meetings are forgotten; rooms that are open stay open on their nodes.",
		Args:  wants("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			f, err := s.frontend(ctx, args[0])
			if err != nil {
				return err
			}
			if *dry {
				s.say("skipping delete (dry)")
				return nil
			}
			if err := s.confirm(ctx, "Delete the frontend %s, which has %s?", f.BBB.Key, meetingsWith(f.Counts.Meetings, f.Counts.Participants)); err != nil {
				return err
			}
			if _, err := s.client.FrontendsDestroyWithResponse(ctx, f.ID); err != nil {
				return err
			}
			s.say("delete frontend: %s", f.ID)
			return nil
		},
	}
	cmd.ValidArgsFunction = s.completeKeys
	return cmd
}

func (s *session) declareLostCommand() *cobra.Command {
	cmd := group("declare-lost", "say that a backend is gone for good")
	s.asks(cmd)
	backend := &cobra.Command{
		Use:   "backend HOST",
		Short: "let the meetings of a dead backend be created elsewhere",
		Long: "Declare a backend lost: its meetings may be created anew on other backends from now on. Do so only when the\n" +
			"machine is surely down; otherwise the same meeting can be open in two places. The backend is found again as\n" +
			"soon as it answers.",
		Args: wants("HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			b, err := s.backend(ctx, args[0])
			if err != nil {
				return err
			}
			alive := ""
			if b.NodeState == apiclient.NodeStateReady {
				alive = " It answers!"
			}
			question := fmt.Sprintf("Declare %%s lost, so that what it has may be created elsewhere: %%s?%s Is it surely down?", alive)
			if err := s.confirm(ctx, question, b.BBB.Host, meetingsWith(b.MeetingsCount, b.AttendeesCount)); err != nil {
				return err
			}
			if _, err := s.client.BackendsDeclareLostWithResponse(ctx, b.ID); err != nil {
				return err
			}
			s.say("declared lost: %s %s", b.ID, b.BBB.Host)
			return nil
		},
	}
	backend.ValidArgsFunction = s.completeHosts
	cmd.AddCommand(backend)
	return cmd
}
