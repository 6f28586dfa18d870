package ctl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

func (s *session) showAuditCommand() *cobra.Command {
	var kind, object, subject, since, until, before, order string
	var limit int
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "show who changed what",
		Long: "Show who changed what, the newest change first, separated by tabs: time, entry, subject of the token, address,\n" +
			"action, object, what was changed. Secrets are masked. A time is like 2026-01-06T10:00:00Z or 2026-01-06, or\n" +
			"says how long ago, like 36h.",
		Example: "  b3scalectl show audit --kind backend --since 24h",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var params apiclient.AuditListParams
			for _, filter := range []struct {
				to    **string
				value *string
			}{{&params.Kind, &kind}, {&params.ObjectID, &object}, {&params.Subject, &subject}, {&params.Before, &before}, {&params.Order, &order}} {
				if *filter.value != "" {
					*filter.to = filter.value
				}
			}
			if kind != "" && !slices.Contains(auditKinds, kind) {
				return unknownKind(kind)
			}
			var err error
			if params.Since, err = parseTime("since", since); err != nil {
				return err
			}
			if params.Until, err = parseTime("until", until); err != nil {
				return err
			}
			params.Limit = &limit
			if err := s.login(cmd.Context(), looks); err != nil {
				return err
			}
			answer, err := s.client.AuditListWithResponse(cmd.Context(), &params)
			if err != nil {
				return err
			}
			return s.show(answer.Body, func() {
				for _, e := range *answer.JSON200 {
					s.say("%s\t%s\t%s\t%s\t%s\t%s\t%s", e.At.Format(time.RFC3339Nano), e.ID, e.Subject, e.Address, e.Action, e.Object.Name, changed(e.Before, e.After))
				}
			}, func() table { return auditTable(*answer.JSON200) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&kind, "kind", "", "only changes of this kind of object: "+strings.Join(auditKinds, ", "))
	flags.StringVar(&object, "object-id", "", "only changes of the object with this id")
	flags.StringVar(&subject, "subject", "", "only changes made with tokens of this subject")
	flags.StringVar(&since, "since", "", "only changes from then on")
	flags.StringVar(&until, "until", "", "only changes before then")
	flags.StringVar(&before, "before", "", "only changes older than the entry with this id")
	flags.StringVar(&order, "order", "", "fields to sort by, separated by commas; - before a name turns it round")
	flags.IntVar(&limit, "limit", 100, "at most so many")
	s.completes(cmd, "kind", auditKinds...)
	return cmd
}

// auditKinds are the kinds of objects of which the audit tells changes.
var auditKinds = []string{"frontend", "frontend_defaults", "backend", "meeting", "recording", "callback", "command", "database", "log"}

func unknownKind(kind string) error {
	advice := didYouMean(kind, auditKinds)
	if advice == "" {
		advice = ": want one of " + strings.Join(auditKinds, ", ")
	}
	return fmt.Errorf("--kind %s: there is no such kind of object%s", kind, advice)
}

// parseTime reads a time, a day, or how long ago it was.
func parseTime(flag, value string) (*time.Time, error) {
	if value == "" {
		return nil, nil //nolint:nilnil // the flag is not there, and so is not in the query
	}
	if ago, err := time.ParseDuration(value); err == nil {
		return new(time.Now().Add(-ago.Abs())), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, value, time.Local); err == nil {
			return &at, nil
		}
	}
	return nil, fmt.Errorf("--%s %s: want a time like 2026-01-06T10:00:00Z or 2026-01-06, or how long ago, like 36h", flag, value)
}

func auditTable(entries []apiclient.AuditEntry) table {
	t := table{header: []string{"WHEN", "WHO", "FROM", "ACTION", "OBJECT", "CHANGE"}}
	for _, e := range entries {
		t.add(text(moment(e.At)), text(e.Subject), text(e.Address), text(e.Action), text(e.Object.Name), text(changed(e.Before, e.After)))
	}
	return t
}

// changed says what differs between two objects. What is there on one side only
// is not told in full: it is a whole object, or nothing.
func changed(before, after json.RawMessage) string {
	old, _ := decoded(before).(map[string]any)
	now, _ := decoded(after).(map[string]any)
	if old == nil || now == nil {
		return ""
	}
	was, is := map[string]string{}, map[string]string{}
	flatten("", old, was)
	flatten("", now, is)
	names := map[string]bool{}
	for name := range was {
		names[name] = true
	}
	for name := range is {
		names[name] = true
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if was[name] != is[name] {
			parts = append(parts, fmt.Sprintf("%s: %s → %s", name, orNothing(was[name]), orNothing(is[name])))
		}
	}
	return strings.Join(parts, ", ")
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

// flatten gives every value its path.
func flatten(path string, value any, into map[string]string) {
	members, nested := value.(map[string]any)
	if !nested {
		if !isUnset(value) {
			into[path] = strings.TrimSpace(string(asText(value)))
		}
		return
	}
	for name, v := range members {
		if path != "" {
			name = path + "." + name
		}
		flatten(name, v, into)
	}
}
