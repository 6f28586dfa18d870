package ctl

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"b3scale"
	"b3scale/internal/apiclient"
)

// patienceWithFiles is how long a request may take that moves files, unless
// somebody says otherwise. The server gives up before.
const patienceWithFiles = 12 * time.Minute

// patient gives the server time to move files.
func (s *session) patient(cmd *cobra.Command) {
	if !cmd.Flags().Changed("timeout") {
		s.timeout = patienceWithFiles
	}
}

var visibilities = []string{
	string(b3scale.RecordingUnpublished), string(b3scale.RecordingPublished), string(b3scale.RecordingProtected),
	string(b3scale.RecordingPublic), string(b3scale.RecordingPublicProtected),
}

func (s *session) setVisibilityCommand(c *change) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recording-visibility ID VISIBILITY",
		Short: "publish, protect or hide a recording",
		Long:  "Change who may see a recording: " + strings.Join(visibilities, ", ") + ".",
		Args:  wants("ID", "VISIBILITY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, visibility := args[0], args[1]
			if !slices.Contains(visibilities, visibility) {
				return fmt.Errorf("unknown visibility %q%s", visibility, didYouMean(visibility, visibilities))
			}
			s.patient(cmd)
			if err := s.login(cmd.Context(), changes); err != nil {
				return err
			}
			s.say("setting visibility of %s to %s", id, visibility)
			if c.dry {
				s.say("skipping visibility update")
				return nil
			}
			_, err := s.client.RecordingsVisibilityUpdateWithResponse(cmd.Context(), apiclient.RecordingVisibilityUpdate{RecordID: &id, Visibility: &visibility})
			if err != nil {
				return noRecording(id, err)
			}
			s.say("Ok.")
			return nil
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return visibilities, cobra.ShellCompDirectiveNoFileComp
		}
		return s.completeRecordings(cmd, args, begun)
	}
	return cmd
}

func (s *session) deleteRecordingCommand(dry *bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recording ID",
		Short: "delete a recording and its files",
		Long:  "Delete a recording and all its files, of all formats. This cannot be taken back.",
		Args:  wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			s.patient(cmd)
			r, err := s.recording(ctx, args[0])
			if err != nil {
				return err
			}
			if *dry {
				s.say("skipping delete (dry)")
				return nil
			}
			frontend, _, _ := b3scale.DecodeMeetingID(r.MeetingID)
			if err := s.confirm(ctx, "Delete the recording %s of %s (%q) with all its files?", r.RecordID, frontend, r.Recording.Name); err != nil {
				return err
			}
			if _, err := s.client.RecordingsDestroyWithResponse(ctx, r.RecordID); err != nil {
				return noRecording(r.RecordID, err)
			}
			s.say("deleted recording: %s", r.RecordID)
			return nil
		},
	}
	cmd.ValidArgsFunction = s.completeRecordings
	return cmd
}

func (s *session) moveCommand() *cobra.Command {
	cmd := group("move", "give recordings to other frontends")
	var key string
	var dry bool
	recording := &cobra.Command{
		Use:   "recording ID --frontend KEY",
		Short: "give a recording to another frontend",
		Long:  "Give a recording to another frontend. Its files stay where they are, and so does who may see it.",
		Args:  wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if key == "" {
				return fmt.Errorf("to which frontend? Add --frontend KEY")
			}
			r, err := s.recording(ctx, args[0])
			if err != nil {
				return err
			}
			f, err := s.frontend(ctx, key)
			switch {
			case err != nil:
				return err
			case f.ID == r.FrontendID:
				return s.unchanged()
			case dry:
				s.say("skipping move (dry)")
				return nil
			}
			if _, err := s.client.RecordingsMoveWithResponse(ctx, r.RecordID, apiclient.RecordingMove{FrontendID: &f.ID}); err != nil {
				return noRecording(r.RecordID, err)
			}
			s.say("moved recording: %s to %s", r.RecordID, f.BBB.Key)
			return nil
		},
	}
	recording.Flags().StringVar(&key, "frontend", "", "key of the frontend that shall have it")
	recording.Flags().BoolVar(&dry, "dry", false, "only say what would be done")
	recording.ValidArgsFunction = s.completeRecordings
	s.completesFlag(recording, "frontend", s.completeKeys)
	cmd.AddCommand(recording)
	return cmd
}
