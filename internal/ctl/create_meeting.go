package ctl

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"b3scale/bbb"
)

// attendee is who joins a meeting that was made here.
const attendee = "b3scalectl"

func (s *session) createMeetingCommand() *cobra.Command {
	var key, name string
	var params []string
	cmd := &cobra.Command{
		Use:     "create-meeting",
		Aliases: []string{"cm"},
		Short:   "create a meeting as a frontend does, and join it",
		Long: "Create a meeting through the gateway, with the key and the secret of a frontend, and join it as a moderator.\n" +
			"The URL that is printed lets one person in.",
		Example: "  b3scalectl create-meeting --frontend moodle --name Test --param record=true",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if key == "" {
				return errors.New("which frontend? Add --frontend KEY")
			}
			create, err := createParams(name, params)
			if err != nil {
				return err
			}
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			f, err := s.frontend(ctx, key)
			if err != nil {
				return err
			}
			return s.createMeeting(ctx, bbb.Node{BaseURL: s.frontendURL(f.BBB.Key), Secret: orEmpty(f.BBB.Secret)}, create)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "frontend", "", "key of the frontend")
	flags.StringVar(&name, "name", "", "name of the meeting")
	flags.StringArrayVar(&params, "param", nil, "a parameter of create, as name=value; may be repeated")
	s.completesFlag(cmd, "frontend", s.completeKeys)
	return cmd
}

// parseParams reads what --param says.
func parseParams(given []string) (params bbb.Params, err error) {
	for _, param := range given {
		name, value, found := strings.Cut(param, "=")
		if !found || name == "" {
			return params, fmt.Errorf("--param %s: want name=value", param)
		}
		params.Set(name, value)
	}
	return params, nil
}

func createParams(name string, given []string) (bbb.Params, error) {
	params, err := parseParams(given)
	if err != nil {
		return params, err
	}
	if params.Get("meetingID") == "" {
		params.Set("meetingID", strings.ToLower(rand.Text()[:meetingIDLength]))
	}
	if name != "" {
		params.Set("name", name)
	}
	if params.Get("name") == "" {
		id := []rune(params.Get("meetingID"))
		params.Set("name", "b3scalectl "+string(id[:min(6, len(id))]))
	}
	return params, nil
}

const meetingIDLength = 23

func (s *session) createMeeting(ctx context.Context, frontend bbb.Node, params bbb.Params) error {
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	client := bbb.NewClient(bbb.ClientOptions{})
	defer client.CloseIdle()
	// A body, though empty, makes it a POST: parameters are no secret, but long.
	answer, err := client.Do(ctx, frontend, bbb.Call{Name: "create", Params: params, Body: []byte{}})
	if err != nil {
		return fmt.Errorf("create at %s: %w", frontend.BaseURL, err)
	}
	if !answer.Succeeded() {
		return fmt.Errorf("the meeting was not created: %s: %s", answer.MessageKey(), answer.Root().Child("message").Text())
	}
	s.say("Meeting: %s (%s)", params.Get("name"), params.Get("meetingID"))
	s.say("Created: %s", answer.Root().Child("createDate").Text())
	var join bbb.Params
	join.Set("fullName", attendee)
	join.Set("meetingID", params.Get("meetingID"))
	join.Set("role", "MODERATOR")
	if password := answer.Root().Child("moderatorPW").Text(); password != "" {
		join.Set("password", password) // nodes of old know no roles
	}
	location, err := joinLocation(ctx, frontend.URL("join", join.Encode()))
	if err != nil {
		return err
	}
	s.say("Joined as: %s", attendee)
	s.say("URL: %s", location)
	return nil
}

// joinLocation asks the gateway where to join, and does not go there. Its
// errors have no address: that is signed.
func joinLocation(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", errors.New("join: the address of the API cannot be called")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if err != nil {
		return "", fmt.Errorf("join: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusFound {
		return "", fmt.Errorf("join: the gateway answered with status %d instead of a redirect", answer.StatusCode)
	}
	return answer.Header.Get("Location"), nil
}
