package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"b3scale/bbb"
	"b3scale/internal/apiclient"
)

func (s *session) explainCommand() *cobra.Command {
	cmd := group("explain", "tell what would be done, and why, without doing it")
	cmd.AddCommand(s.explainCreateCommand())
	return cmd
}

func (s *session) explainCreateCommand() *cobra.Command {
	var key string
	var given []string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "tell where a meeting would be created now, and why",
		Long: "Tell where a create of a frontend would go now: how every backend stands for it, which one would be chosen, and\n" +
			"the parameters that the server would get, with the frontend's rules applied. Nothing is created.\n\n" +
			"SCORE is the load in people, times the load factor; the lowest one wins. Where several are about equally good, the\n" +
			"choice is drawn from them. Without a meetingID it is a new meeting.",
		Example: "  b3scalectl explain create --frontend moodle --param 'meta_server-tag=gpu!' --param duration=90",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if key == "" {
				return errors.New("which frontend? Add --frontend KEY")
			}
			params, err := parseParams(given)
			if err != nil {
				return err
			}
			return s.explainCreate(cmd.Context(), key, params)
		},
	}
	cmd.Flags().StringVar(&key, "frontend", "", "key of the frontend")
	cmd.Flags().StringArrayVar(&given, "param", nil, "a parameter of create, as name=value; may be repeated")
	s.completesFlag(cmd, "frontend", s.completeKeys)
	return cmd
}

func (s *session) explainCreate(ctx context.Context, key string, params bbb.Params) error {
	if err := s.login(ctx, looks); err != nil {
		return err
	}
	f, err := s.frontend(ctx, key)
	if err != nil {
		return err
	}
	question := asText(map[string]any{"frontend_id": f.ID, "params": inOrder(params)})
	answer, err := s.client.PlacementsExplainWithBodyWithResponse(ctx, "application/json", bytes.NewReader(question))
	if err != nil {
		return err
	}
	lines := func() { s.sayExplanation(answer.JSON200) }
	if s.output == asTable {
		lines()
		return nil
	}
	return s.show(answer.Body, lines, nil)
}

// inOrder is an object with the parameters as they were given.
func inOrder(params bbb.Params) json.RawMessage {
	var b bytes.Buffer
	for name, value := range params.All() {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.Write(bytes.TrimSpace(asText(name)))
		b.WriteByte(':')
		b.Write(bytes.TrimSpace(asText(value)))
	}
	return json.RawMessage("{" + b.String() + "}")
}

func (s *session) sayExplanation(x *apiclient.PlacementExplanation) {
	hosts := make(map[string]string, len(x.Backends))
	for i := range x.Backends {
		hosts[x.Backends[i].BackendID] = x.Backends[i].Host
	}
	for _, line := range outcomeLines(x, hosts) {
		s.say("%s", line)
	}
	for _, warning := range x.Warnings {
		s.say("Note: %s", warning)
	}
	if len(x.Backends) > 0 {
		s.say("")
		s.print(verdictTable(x))
	}
	s.say("")
	s.say("The server would get, in %s:", carriedIn(&x.Call))
	for _, p := range x.Call.Params {
		s.say("  %s=%s", p.Name, p.Value)
	}
	if x.Call.Body != nil {
		s.say("  %s", *x.Call.Body)
	}
}

func carriedIn(call *apiclient.PlacementCall) string {
	if call.Form {
		return "a form"
	}
	return "its address"
}

// outcomeLines say what would happen, the most important first.
func outcomeLines(x *apiclient.PlacementExplanation, hosts map[string]string) []string {
	switch {
	case x.Refusal != nil:
		lines := []string{fmt.Sprintf("It would be refused (%s): %s", x.Refusal.Code, x.Refusal.Message)}
		if x.Refusal.Filter != nil {
			lines = append(lines, fmt.Sprintf("The last backends were ruled out by: %s", *x.Refusal.Filter))
		}
		return lines
	case x.Outcome == apiclient.PlacementOutcomeFollows:
		return []string{"It would follow its parent to " + hosts[orEmpty(x.BackendID)]}
	case x.Home != nil:
		return []string{fmt.Sprintf("It is there already (%s): the create would go to %s", x.Home.State, hosts[x.Home.BackendID])}
	case x.BackendID != nil:
		return []string{fmt.Sprintf("It would come to %s, with %d people expected", hosts[*x.BackendID], x.ExpectedSize)}
	}
	return []string{fmt.Sprintf("It would come to one of %d backends that are about equally good, with %d people expected", len(x.DrawnFrom), x.ExpectedSize)}
}

func verdictTable(x *apiclient.PlacementExplanation) table {
	t := table{header: []string{"HOST", "VERDICT", "SCORE", "MEETINGS", "RESERVED", "FOREIGN", "FACTOR", "WHY"}}
	for i := range x.Backends {
		b := &x.Backends[i]
		t.add(text(b.Host), verdict(x, b), number(rounded(b.Score)), number(rounded(b.Load.Meetings)), number(rounded(b.Load.Reserved)),
			number(rounded(b.Load.Foreign)), number(rounded(b.Load.Factor)), text(reasons(b)).in(careful))
	}
	return t
}

// verdict is one word for how a backend stands.
func verdict(x *apiclient.PlacementExplanation, b *apiclient.PlacementVerdict) cell {
	switch {
	case x.Refusal == nil && orEmpty(x.BackendID) == b.BackendID && x.Home != nil:
		return text("home").in(good)
	case orEmpty(x.BackendID) == b.BackendID:
		return text("chosen").in(good)
	case b.Drawn:
		return text("drawn").in(good)
	case !b.Eligible:
		return text("no").in(bad)
	case b.Near:
		return text("near")
	case len(b.Behind) > 0:
		return text("behind").in(careful)
	}
	return text("possible")
}

// reasons are those that count most.
func reasons(b *apiclient.PlacementVerdict) string {
	why := b.RuledOutBy
	if len(why) == 0 {
		why = b.Behind
	}
	all := make([]string, len(why))
	for i := range why {
		all[i] = why[i].Reason
	}
	return strings.Join(all, "; ")
}

// rounded leaves out what nobody needs to see.
func rounded(people float64) string {
	return strconv.FormatFloat(float64(int64(people*100+0.5))/100, 'f', -1, 64)
}
