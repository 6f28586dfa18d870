package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

// recording is what we show of one. The contract of this version has none; the
// routes are those of servers that do.
type recording struct {
	ID        string `json:"record_id"`
	Recording struct {
		EndTime  json.Number
		State    string
		Metadata map[string]string
	} `json:"recording"`
}

const recordingsPath = "/api/v1/recordings"

// call asks for a route that is not in the contract.
func (s *session) call(ctx context.Context, method, path string, query url.Values, in any) ([]byte, error) {
	inner, ok := s.client.ClientInterface.(*apiclient.Client)
	if !ok {
		return nil, errors.New("the client of the API is not what was generated")
	}
	address := strings.TrimRight(inner.Server, "/") + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var body io.Reader
	if in != nil {
		body = bytes.NewReader(asText(in))
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		request.Header.Set("Content-Type", jsonType)
	}
	answer, err := inner.Client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	return io.ReadAll(answer.Body)
}

func (s *session) showRecordingsCommand() *cobra.Command {
	var key, id string
	cmd := &cobra.Command{
		Use:   "recordings",
		Short: "list the recordings of a frontend",
		Args:  wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if key == "" && id == "" {
				return errors.New("which frontend? Add --frontend KEY or --frontend-id ID")
			}
			if err := s.login(ctx, looks); err != nil {
				return err
			}
			query := url.Values{"frontend_id": {id}}
			if id == "" {
				f, err := s.frontend(ctx, key)
				if err != nil {
					return err
				}
				query = url.Values{"frontend_key": {f.BBB.Key}}
			}
			answer, err := s.call(ctx, http.MethodGet, recordingsPath, query, nil)
			if apiclient.IsNotFound(err) {
				return errNoRecordings
			}
			if err != nil {
				return err
			}
			var all []recording
			if err := json.Unmarshal(answer, &all); err != nil {
				return errors.New("the answer is not a list of recordings")
			}
			return s.show(answer, func() {
				s.say("Recording\tTimestamp\tMeeting")
				for _, r := range all {
					s.say("%s %s %s", r.ID, string(r.Recording.EndTime), r.Recording.Metadata["meetingName"])
				}
			}, func() table { return recordingTable(all) })
		},
	}
	cmd.Flags().StringVar(&key, "frontend", "", "key of the frontend; -fe does, too")
	cmd.Flags().StringVar(&id, "frontend-id", "", "id of the frontend; -feid does, too")
	s.completesFlag(cmd, "frontend", s.completeKeys)
	return cmd
}

var errNoRecordings = errors.New("this server has no recordings: they are switched off, or it is too old for this")

func recordingTable(all []recording) table {
	t := table{header: []string{"RECORDING", "ENDED", "STATE", "MEETING"}}
	for _, r := range all {
		ended := ""
		if ms, err := r.Recording.EndTime.Int64(); err == nil {
			ended = moment(time.UnixMilli(ms))
		}
		t.add(text(r.ID), text(ended), text(r.Recording.State), text(r.Recording.Metadata["meetingName"]))
	}
	return t
}

func (s *session) showRecordingCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "recording ID",
		Short: "show one recording, always as JSON or YAML",
		Args:  wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.login(cmd.Context(), looks); err != nil {
				return err
			}
			answer, err := s.call(cmd.Context(), http.MethodGet, recordingsPath+"/"+url.PathEscape(args[0]), nil, nil)
			if apiclient.IsNotFound(err) {
				return fmt.Errorf("recording not found: %q, or %w", args[0], errNoRecordings)
			}
			if err != nil {
				return err
			}
			if s.output == asYAML {
				return s.showYAML(answer)
			}
			return s.showJSON(answer)
		},
	}
}

var visibilities = []string{"unpublished", "published", "protected", "public", "public_protected"}

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
			if err := s.login(cmd.Context(), changes); err != nil {
				return err
			}
			s.say("setting visibility of %s to %s", id, visibility)
			if c.dry {
				s.say("skipping visibility update")
				return nil
			}
			_, err := s.call(cmd.Context(), http.MethodPost, "/api/v1/recordings-visibility", nil,
				map[string]string{"record_id": id, "visibility": visibility})
			if apiclient.IsNotFound(err) {
				return fmt.Errorf("recording not found: %q, or %w", id, errNoRecordings)
			}
			if err != nil {
				return err
			}
			s.say("Ok.")
			return nil
		},
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return visibilities, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}
