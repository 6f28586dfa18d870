package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

// change is what set is told.
type change struct {
	dry          bool
	secret, opts string
	settings     json.RawMessage // of opts; nil: stay as they are
}

func (s *session) setCommand() *cobra.Command {
	cmd := group("set", "add or change backends and frontends", "update", "u", "add", "a")
	c := &change{}
	cmd.PersistentFlags().BoolVar(&c.dry, "dry", false, "only say what would be done")
	cmd.AddCommand(s.setBackendCommand(c), s.setFrontendCommand(c), s.setVisibilityCommand(c))
	return cmd
}

func (c *change) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&c.secret, "secret", "s", "", "its secret")
	cmd.Flags().StringVarP(&c.opts, "opts", "j", "", "settings as a JSON object; they are merged into what is there")
}

func (c *change) parse() (err error) {
	c.secret = strings.TrimSpace(c.secret)
	if c.opts != "" {
		c.settings, err = parseSettings(c.opts)
	}
	return err
}

// patch is what is sent for something with this secret. Settings are
// always sent: only the server knows what they come to when it merges them.
func (c *change) patch(secret *string) json.RawMessage {
	body := map[string]any{}
	if c.changesSecret(secret) {
		body["bbb"] = map[string]string{"secret": c.secret}
	}
	if c.settings != nil {
		body["settings"] = c.settings
	}
	return asText(body)
}

func (c *change) changesSecret(secret *string) bool {
	return c.secret != "" && (secret == nil || *secret != c.secret)
}

// idle reports whether there is nothing to do. After --dry nothing is sent, and
// it is what we expect of the server.
func (c *change) idle(secret *string, settings json.RawMessage) bool {
	return !c.changesSecret(secret) && (c.settings == nil || c.dry && !wouldChange(settings, c.settings))
}

// unchanged tells that there was nothing to do.
func (s *session) unchanged() error {
	s.say("no changes")
	return errNoChange
}

func (s *session) setBackendCommand(c *change) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backend URL",
		Short: "add or change a backend",
		Long: "Add the backend with this address, or change the one that is there. A new one needs --secret, and gets\n" +
			"meetings as soon as it answers. In --opts a list replaces the old one, null clears a setting. The exit\n" +
			"code is 64 when nothing had to be changed.",
		Example: `  b3scalectl set backend https://bbb1.example.org/bigbluebutton/api/ --secret "$SALT"
  b3scalectl set backend https://bbb1.example.org/bigbluebutton/api/ --opts '{"tags":["large"],"max_meetings":20}'`,
		Args: wants("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := c.parse(); err != nil {
				return err
			}
			host := withSlash(strings.TrimSpace(args[0]))
			if !strings.HasPrefix(host, "http") {
				return fmt.Errorf("%q: the address of a backend should start with http:// or https://", args[0])
			}
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			found, _, err := s.backends(ctx, host)
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return s.addBackend(ctx, host, c)
			}
			return s.changeBackend(ctx, &found[0], c)
		},
	}
	cmd.ValidArgsFunction = s.completeHosts
	c.flags(cmd)
	return cmd
}

func (s *session) addBackend(ctx context.Context, host string, c *change) error {
	if c.secret == "" {
		return errors.New("need secret to create host: add --secret; b3scalectl show backends lists the backends that are there")
	}
	if c.dry {
		s.say("skipped creating backend")
		return nil
	}
	body := apiclient.NewBackend{BBB: apiclient.NewBackendBBB{Host: host, Secret: c.secret}, AdminState: apiclient.AdminStateReady}
	raw, err := withSettings(body, c.settings)
	if err != nil {
		return err
	}
	answer, err := s.client.BackendsCreateWithBodyWithResponse(ctx, jsonType, raw)
	if err != nil {
		return err
	}
	s.warnOfUnknown(answer.Body, c)
	s.say("created backend: %s %s", answer.JSON200.ID, answer.JSON200.BBB.Host)
	return nil
}

func (s *session) changeBackend(ctx context.Context, b *backend, c *change) error {
	settings := settingsOf(b.raw)
	if c.idle(b.BBB.Secret, settings) {
		return s.unchanged()
	}
	if c.dry {
		s.say("skipping backend update")
		return nil
	}
	answer, err := s.client.BackendsPatchWithResponse(ctx, b.ID, c.patch(b.BBB.Secret))
	if err != nil {
		return err
	}
	s.warnOfUnknown(answer.Body, c)
	if sameText(answer.JSON200.BBB.Secret, b.BBB.Secret) && same(settingsOf(answer.Body), settings) {
		return s.unchanged()
	}
	s.say("updated backend")
	return nil
}

func (s *session) setFrontendCommand(c *change) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "frontend KEY",
		Short: "add or change a frontend",
		Long: "Add the frontend with this key, or change the one that is there. A new one needs --secret. In --opts a list\n" +
			"replaces the old one, a map of parameters is merged by name, an empty value takes a parameter out, null\n" +
			"clears a setting: then the default of the installation counts again, which an empty list takes the place of.\n" +
			"The exit code is 64 when nothing had to be changed.",
		Example: `  b3scalectl set frontend moodle --secret "$SECRET" --opts '{"required_tags":["large"]}'`,
		Args:    wants("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := c.parse(); err != nil {
				return err
			}
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			s.say("getting frontend: %s", args[0])
			found, _, err := s.frontends(ctx, args[0])
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return s.addFrontend(ctx, args[0], c)
			}
			return s.changeFrontend(ctx, &found[0], c)
		},
	}
	cmd.ValidArgsFunction = s.completeKeys
	c.flags(cmd)
	return cmd
}

func (s *session) addFrontend(ctx context.Context, key string, c *change) error {
	if c.secret == "" {
		return errors.New("need secret to create frontend: add --secret; b3scalectl show frontends lists the frontends that are there")
	}
	s.say("creating frontend")
	if c.dry {
		s.say("skipped creating frontend")
		return nil
	}
	raw, err := withSettings(apiclient.NewFrontend{BBB: apiclient.NewFrontendBBB{Key: key, Secret: c.secret}}, c.settings)
	if err != nil {
		return err
	}
	answer, err := s.client.FrontendsCreateWithBodyWithResponse(ctx, jsonType, raw)
	if err != nil {
		return err
	}
	s.warnOfUnknown(answer.Body, c)
	s.say("created frontend: %s %s", answer.JSON200.ID, answer.JSON200.BBB.Key)
	return nil
}

func (s *session) changeFrontend(ctx context.Context, f *frontend, c *change) error {
	settings := settingsOf(f.raw)
	if c.idle(f.BBB.Secret, settings) {
		return s.unchanged()
	}
	if c.dry {
		s.say("skipping saving changes in frontend")
		return nil
	}
	answer, err := s.client.FrontendsPatchWithResponse(ctx, f.ID, c.patch(f.BBB.Secret))
	if err != nil {
		return err
	}
	s.warnOfUnknown(answer.Body, c)
	if sameText(answer.JSON200.BBB.Secret, f.BBB.Secret) && same(settingsOf(answer.Body), settings) {
		return s.unchanged()
	}
	s.say("updated frontend")
	return nil
}

// warnOfUnknown tells of settings that the server has not taken: they are
// ignored there, which is seldom what was meant. What the server itself finds
// odd comes first.
func (s *session) warnOfUnknown(answer []byte, c *change) {
	if c.settings == nil {
		return
	}
	var says struct{ Warnings []string }
	_ = json.Unmarshal(answer, &says) // the client has read it already
	for _, warning := range says.Warnings {
		s.complain("warning: %s", warning)
	}
	settings := settingsOf(answer)
	known, _ := decoded(settings).(map[string]any)
	var names []string
	for name := range known {
		names = append(names, name)
	}
	for _, name := range unknownSettings(settings, c.settings) {
		s.complain("warning: the server knows no setting %q%s", name, didYouMean(name, names))
	}
}

const jsonType = "application/json"

// withSettings adds settings to a new object as they were typed.
func withSettings(object any, settings json.RawMessage) (*strings.Reader, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(asText(object), &members); err != nil {
		return nil, err
	}
	if settings != nil {
		members["settings"] = settings
	}
	return strings.NewReader(string(asText(members))), nil
}

func sameText(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
