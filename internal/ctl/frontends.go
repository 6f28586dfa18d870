package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

// frontend is one, and how the server wrote it.
type frontend struct {
	apiclient.Frontend
	raw json.RawMessage
}

// frontends lists the one with a key, or all when it is empty.
func (s *session) frontends(ctx context.Context, key string) ([]frontend, []byte, error) {
	var params apiclient.FrontendsListParams
	if key != "" {
		params.Key = &key
	}
	answer, err := s.client.FrontendsListWithResponse(ctx, &params)
	if err != nil {
		return nil, nil, err
	}
	raw := objects(answer.Body)
	all := make([]frontend, len(raw))
	for i, f := range *answer.JSON200 {
		all[i] = frontend{f, raw[i]}
	}
	return all, answer.Body, nil
}

// frontend finds one by its key.
func (s *session) frontend(ctx context.Context, key string) (frontend, error) {
	found, _, err := s.frontends(ctx, key)
	if err != nil {
		return frontend{}, err
	}
	if len(found) > 0 && key != "" {
		return found[0], nil
	}
	keys, err := s.keys(ctx)
	if err != nil {
		return frontend{}, err
	}
	return frontend{}, notFound("frontend", key, keys)
}

func (s *session) keys(ctx context.Context) ([]string, error) {
	all, _, err := s.frontends(ctx, "")
	keys := make([]string, len(all))
	for i := range all {
		keys[i] = all[i].BBB.Key
	}
	return keys, err
}

func (s *session) showFrontendsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "frontends",
		Short: "list all frontends",
		Long:  "List all frontends, separated by tabs: id, key, secret, enabled or disabled, settings. A table has no secrets.",
		Args:  wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.login(cmd.Context(), looks); err != nil {
				return err
			}
			all, answer, err := s.frontends(cmd.Context(), "")
			if err != nil {
				return err
			}
			return s.show(answer, func() {
				for i := range all {
					f := &all[i]
					s.say("%s\t%s\t%s\t%s\t%s", f.ID, f.BBB.Key, orEmpty(f.BBB.Secret), enabled(f.Active), compact(settingsOf(f.raw)))
				}
			}, func() table { return frontendTable(all) })
		},
	}
}

func (s *session) showFrontendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "frontend KEY",
		Short: "show one frontend: its settings, its URL and its secret",
		Args:  wants("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.login(cmd.Context(), looks); err != nil {
				return err
			}
			f, err := s.frontend(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return s.show(f.raw, func() {
				s.say("Frontend: %s", f.BBB.Key)
				s.say("Enabled: %t", f.Active)
				s.saySettings(f.raw)
				s.say("")
				s.say("Frontend URL:    %s", s.frontendURL(f.BBB.Key))
				s.say("Frontend Secret: %s", orEmpty(f.BBB.Secret))
			}, func() table { return frontendTable([]frontend{f}) })
		},
	}
	cmd.ValidArgsFunction = s.completeKeys
	return cmd
}

// frontendURL is where a frontend speaks the BBB API.
func (s *session) frontendURL(key string) string {
	return withSlash(s.api) + "bbb/" + key + "/"
}

func frontendTable(all []frontend) table {
	t := table{header: []string{"KEY", "STATE", "MEETINGS", "PEOPLE", "LIMIT", "REQUIRED TAGS", "ACCOUNT"}}
	for i := range all {
		f := &all[i]
		state := text(enabled(f.Active)).in(good)
		if !f.Active {
			state = state.in(careful)
		}
		limit := ""
		if l := f.Settings.AttendeesLimit; l != nil && l.Limit > 0 {
			limit = fmt.Sprint(l.Limit)
		}
		t.add(text(f.BBB.Key), state, number(f.Counts.Meetings), number(f.Counts.Participants), number(limit),
			text(strings.Join(f.Settings.RequiredTags, ",")), text(orEmpty(f.AccountRef)))
	}
	return t
}

func enabled(active bool) string {
	if active {
		return "enabled"
	}
	return "disabled"
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
