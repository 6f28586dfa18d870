package ctl

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"b3scale"
	"b3scale/internal/apiclient"
)

func (s *session) showRecordingsCommand() *cobra.Command {
	var key, id, meeting, prefix, state, since, until string
	var limit int
	cmd := &cobra.Command{
		Use:   "recordings",
		Short: "list recordings",
		Long: "List recordings, the newest meeting first: id, end of the meeting in milliseconds since 1970, and its name. A time\n" +
			"is like 2026-01-06T10:00:00Z or 2026-01-06, or says how long ago, like 36h.",
		Example: "  b3scalectl show recordings --frontend moodle --since 24h -o table",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			var params apiclient.RecordingsListParams
			var err error
			if params.From, err = millis("since", since); err != nil {
				return err
			}
			if params.To, err = millis("until", until); err != nil {
				return err
			}
			for _, filter := range []struct {
				to    **string
				value *string
			}{{&params.FrontendID, &id}, {&params.MeetingID, &meeting}, {&params.RecordID, &prefix}, {&params.State, &state}} {
				if *filter.value != "" {
					*filter.to = filter.value
				}
			}
			if limit > 0 {
				params.Limit = &limit
			}
			if err := s.login(ctx, looks); err != nil {
				return err
			}
			if key != "" && id == "" {
				f, err := s.frontend(ctx, key)
				if err != nil {
					return err
				}
				params.FrontendKey = &f.BBB.Key
			}
			answer, err := s.client.RecordingsListWithResponse(ctx, &params)
			if err != nil {
				return err
			}
			all := *answer.JSON200
			return s.show(answer.Body, func() {
				s.say("Recording\tTimestamp\tMeeting")
				for i := range all {
					s.say("%s %d %s", all[i].RecordID, all[i].Recording.EndTime, all[i].Recording.Metadata["meetingName"])
				}
			}, func() table { return recordingTable(all) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "frontend", "", "only those of the frontend with this key; -fe does, too")
	flags.StringVar(&id, "frontend-id", "", "only those of the frontend with this id; -feid does, too")
	flags.StringVar(&meeting, "meeting", "", "only those of meetings with this id, as the frontend chose it or as the nodes know it")
	flags.StringVar(&prefix, "id", "", "only those whose id begins so")
	flags.StringVar(&state, "state", "", "only those in this state, such as published or unpublished")
	flags.StringVar(&since, "since", "", "only meetings that began then or later")
	flags.StringVar(&until, "until", "", "only meetings that began before then")
	flags.IntVar(&limit, "limit", 0, "at most so many; 0: all")
	s.completesFlag(cmd, "frontend", s.completeKeys)
	s.completes(cmd, "state", b3scale.StatePublished, b3scale.StateUnpublished)
	return cmd
}

// millis is a time as the API takes it; nil when there is none.
func millis(flag, value string) (*string, error) {
	at, err := parseTime(flag, value)
	if at == nil {
		return nil, err
	}
	return new(strconv.FormatInt(at.UnixMilli(), 10)), err
}

func recordingTable(all []apiclient.Recording) table {
	t := table{header: []string{"RECORDING", "ENDED", "STATE", "SEEN BY", "FRONTEND", "FORMATS", "MEETING"}}
	for i := range all {
		r := &all[i].Recording
		state := text(r.State)
		if r.Published {
			state = state.in(good)
		}
		frontend, _, _ := b3scale.DecodeMeetingID(r.MeetingID)
		formats := make([]string, len(r.Formats))
		for j := range formats {
			formats[j] = r.Formats[j].Type
		}
		t.add(text(all[i].RecordID), text(moment(time.UnixMilli(r.EndTime))), state, text(visibilityOf(r)), text(frontend), text(strings.Join(formats, " ")), text(r.Name))
	}
	return t
}

// visibilityOf is what set recording-visibility would have to be told.
func visibilityOf(r *apiclient.RecordingData) string {
	listed, protected := r.Metadata[b3scale.MetaListed] == "true", r.Metadata[b3scale.MetaProtect] == "true"
	switch {
	case !r.Published:
		return string(b3scale.RecordingUnpublished)
	case listed && protected:
		return string(b3scale.RecordingPublicProtected)
	case listed:
		return string(b3scale.RecordingPublic)
	case protected:
		return string(b3scale.RecordingProtected)
	}
	return string(b3scale.RecordingPublished)
}

func (s *session) showRecordingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recording ID",
		Short: "show one recording, always as JSON or YAML",
		Args:  wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.login(cmd.Context(), looks); err != nil {
				return err
			}
			answer, err := s.client.RecordingsReadWithResponse(cmd.Context(), args[0])
			if err != nil {
				return noRecording(args[0], err)
			}
			if s.output == asYAML {
				return s.showYAML(answer.Body)
			}
			return s.showJSON(answer.Body)
		},
	}
	cmd.ValidArgsFunction = s.completeRecordings
	return cmd
}

// noRecording tells of an answer to a question for one recording. The server
// may have none at all, and says so.
func noRecording(id string, err error) error {
	if apiclient.IsNotFound(err) {
		return fmt.Errorf("recording not found: %q: %w", id, err)
	}
	return err
}

// recording is one that is to be changed.
func (s *session) recording(ctx context.Context, id string) (*apiclient.Recording, error) {
	if err := s.login(ctx, changes); err != nil {
		return nil, err
	}
	answer, err := s.client.RecordingsReadWithResponse(ctx, id)
	if err != nil {
		return nil, noRecording(id, err)
	}
	return answer.JSON200, nil
}

// offered is how many recordings a shell offers.
const offered = 200

func (s *session) completeRecordings(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return s.complete(cmd, args, begun, func(ctx context.Context) ([]string, error) {
		answer, err := s.client.RecordingsListWithResponse(ctx, &apiclient.RecordingsListParams{RecordID: &begun, Limit: new(offered)})
		if err != nil {
			return nil, err
		}
		var ids []string
		for i := range *answer.JSON200 {
			ids = append(ids, (*answer.JSON200)[i].RecordID)
		}
		return ids, nil
	})
}
