package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

// withSlash is the one spelling of a host.
func withSlash(host string) string { return strings.TrimRight(host, "/") + "/" }

// backend is one, and how the server wrote it.
type backend struct {
	apiclient.Backend
	raw json.RawMessage
}

// backends lists those with a host, or all when it is empty.
func (s *session) backends(ctx context.Context, host string) ([]backend, []byte, error) {
	var params apiclient.BackendsListParams
	if host != "" {
		params.Host = new(withSlash(host))
	}
	answer, err := s.client.BackendsListWithResponse(ctx, &params)
	if err != nil {
		return nil, nil, err
	}
	raw := objects(answer.Body)
	all := make([]backend, len(raw))
	for i, b := range *answer.JSON200 {
		all[i] = backend{b, raw[i]}
	}
	return all, answer.Body, nil
}

// backend finds one by its host.
func (s *session) backend(ctx context.Context, host string) (backend, error) {
	found, _, err := s.backends(ctx, host)
	if err != nil {
		return backend{}, err
	}
	if len(found) > 0 {
		return found[0], nil
	}
	hosts, err := s.hosts(ctx)
	if err != nil {
		return backend{}, err
	}
	return backend{}, notFound("backend", host, hosts)
}

func (s *session) hosts(ctx context.Context) ([]string, error) {
	all, _, err := s.backends(ctx, "")
	hosts := make([]string, len(all))
	for i := range all {
		hosts[i] = all[i].BBB.Host
	}
	return hosts, err
}

func (s *session) showBackendsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backends",
		Short: "list all backends",
		Long: "List all backends: id, host, settings, states, meetings/people/people per meeting, load factor and\n" +
			"latency. In JSON and YAML their secrets are there, too.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.login(cmd.Context(), looks); err != nil {
				return err
			}
			all, answer, err := s.backends(cmd.Context(), "")
			if err != nil {
				return err
			}
			return s.show(answer, func() {
				for i := range all {
					s.sayBackend(&all[i])
				}
			}, func() table { return backendTable(all) })
		},
	}
}

func (s *session) sayBackend(b *backend) {
	each := 0.0
	if b.MeetingsCount > 0 {
		each = float64(b.AttendeesCount) / float64(b.MeetingsCount)
	}
	s.say("%s", b.ID)
	s.say("  Host:\t %s", b.BBB.Host)
	s.say("  Settings:\t %s", compact(settingsOf(b.raw)))
	s.say("  NodeState:\t %s\t  AdminState:\t %s", string(b.NodeState), string(b.AdminState))
	s.say("  MC/AC/R:\t %d/%d/%.2f", b.MeetingsCount, b.AttendeesCount, each)
	s.say("  LoadFactor:\t %v", b.LoadFactor)
	s.say("  Latency:\t %v", time.Duration(b.Latency))
	if b.NodeState == apiclient.NodeStateError && b.LastError != nil {
		s.say("  LastError: %s", *b.LastError)
	}
	s.say("")
}

func (s *session) showBackendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "backend HOST",
		Short:   "show one backend and its settings",
		Example: "  b3scalectl show backend https://bbb1.example.org/bigbluebutton/api/",
		Args:    wants("HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.login(cmd.Context(), looks); err != nil {
				return err
			}
			b, err := s.backend(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return s.show(b.raw, func() {
				s.say("Backend: %s", b.BBB.Host)
				s.saySettings(b.raw)
			}, func() table { return backendTable([]backend{b}) })
		},
	}
	cmd.ValidArgsFunction = s.completeHosts
	return cmd
}

// saySettings shows the settings of a backend or a frontend.
func (s *session) saySettings(object []byte) {
	s.say("Settings:")
	if indented, err := indent(settingsOf(object)); err == nil {
		_, _ = fmt.Fprintf(s.Out, "%s\n", indented)
	}
}

func backendTable(all []backend) table {
	t := table{header: []string{"HOST", "NODE", "ADMIN", "MEETINGS", "PEOPLE", "LOAD", "LATENCY", "TAGS", "WHY NOT"}}
	for i := range all {
		b := &all[i]
		t.add(text(b.BBB.Host), nodeState(&b.Backend), adminState(b.AdminState), number(b.MeetingsCount), number(b.AttendeesCount),
			number(b.LoadFactor), number(time.Duration(b.Latency).Round(100*time.Microsecond)),
			text(strings.Join(b.Settings.Tags, ",")), text(whyNot(&b.Backend)))
	}
	return t
}

func nodeState(b *apiclient.Backend) cell {
	switch {
	case b.Lost:
		return text("lost").in(bad)
	case b.NodeState == apiclient.NodeStateReady:
		return text(string(b.NodeState)).in(good)
	case b.NodeState == apiclient.NodeStateError:
		return text(string(b.NodeState)).in(bad)
	}
	return text(string(b.NodeState)).in(careful)
}

func adminState(state apiclient.AdminState) cell {
	if state == apiclient.AdminStateReady {
		return text(string(state)).in(good)
	}
	return text(string(state)).in(careful)
}

// whyNot says why a backend gets no new meetings, or what went wrong last.
func whyNot(b *apiclient.Backend) string {
	reasons := b.Reasons
	if b.Eligible {
		reasons = nil
	}
	why := strings.Join(reasons, "; ")
	if b.LastError != nil && *b.LastError != "" && !strings.Contains(why, *b.LastError) {
		if why != "" {
			why += ": "
		}
		why += *b.LastError
	}
	return why
}
