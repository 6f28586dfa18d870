package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"b3scale/internal/apiclient"
)

// overview is the state of the cluster, without secrets.
type overview struct {
	At       time.Time          `json:"at"`
	Status   *apiclient.Status  `json:"status"`
	Meetings int                `json:"meetings"`
	People   int                `json:"people"`
	Backends []backendsOverview `json:"backends"`
	all      []backend
}

type backendsOverview struct {
	Host       string               `json:"host"`
	NodeState  apiclient.NodeState  `json:"node_state"`
	AdminState apiclient.AdminState `json:"admin_state"`
	Lost       bool                 `json:"lost"`
	Eligible   bool                 `json:"eligible"`
	Reasons    []string             `json:"reasons"`
	LastError  *string              `json:"last_error"`
	Meetings   int                  `json:"meetings"`
	People     int                  `json:"people"`
	LoadFactor float64              `json:"load_factor"`
	Latency    int64                `json:"latency"`
	Tags       []string             `json:"tags"`
}

func (s *session) statusCommand() *cobra.Command {
	var watch bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "show the cluster at a glance",
		Long: "Show all backends with their states, meetings and people, and why one gets no new meetings. With --watch\n" +
			"it is shown again and again until Ctrl-C.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if err := s.login(ctx, looks); err != nil {
				return err
			}
			if watch {
				return s.watch(ctx, max(interval, shortestPause))
			}
			o, err := s.overview(ctx)
			if err != nil {
				return err
			}
			return s.showOverview(o)
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again")
	cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "how often, with --watch")
	return cmd
}

// overview asks for everything anew.
func (s *session) overview(ctx context.Context) (*overview, error) {
	if err := s.ask(ctx); err != nil {
		return nil, err
	}
	all, _, err := s.backends(ctx, "")
	if err != nil {
		return nil, err
	}
	o := &overview{At: time.Now().UTC().Truncate(time.Second), Status: s.server, Backends: []backendsOverview{}, all: all}
	for i := range all {
		b := &all[i]
		o.Meetings += b.MeetingsCount
		o.People += b.AttendeesCount
		o.Backends = append(o.Backends, backendsOverview{
			Host: b.BBB.Host, NodeState: b.NodeState, AdminState: b.AdminState, Lost: b.Lost, Eligible: b.Eligible,
			Reasons: b.Reasons, LastError: b.LastError, Meetings: b.MeetingsCount, People: b.AttendeesCount,
			LoadFactor: b.LoadFactor, Latency: b.Latency, Tags: b.Settings.Tags,
		})
	}
	return o, nil
}

func (s *session) showOverview(o *overview) error {
	lines := func() { _, _ = fmt.Fprintln(s.Out, strings.Join(s.overviewLines(o, 0), "\n")) }
	if s.output == asTable {
		lines()
		return nil
	}
	return s.show(asText(o), lines, nil)
}

// overviewLines are the lines for people, no wider than width unless it is 0.
func (s *session) overviewLines(o *overview, width int) []string {
	ready := 0
	for i := range o.Backends {
		if o.Backends[i].Eligible {
			ready++
		}
	}
	head := fmt.Sprintf("%s  b3scaled %s  %s; %d of %d backends take new ones",
		o.At.Local().Format("15:04:05"), clean(o.Status.Version), meetingsWith(o.Meetings, o.People), ready, len(o.Backends))
	if width > 0 {
		head = cut(head, width)
	}
	lines := []string{paint(bold, head, s.coloured())}
	for _, problem := range databaseProblems(&o.Status.Database) {
		lines = append(lines, paint(bad, problem, s.coloured()))
	}
	t := table{header: []string{"HOST", "NODE", "ADMIN", "MEETINGS", "PEOPLE", "WHY NOT"}}
	for i := range o.all {
		b := &o.all[i].Backend
		t.add(text(b.BBB.Host), nodeState(b), adminState(b.AdminState), number(b.MeetingsCount), number(b.AttendeesCount), text(whyNot(b)).in(careful))
	}
	return append(lines, t.lines(s.coloured(), width)...)
}

func databaseProblems(d *apiclient.Database) (problems []string) {
	if !d.Available {
		problems = append(problems, "the database does not answer: "+clean(orEmpty(d.Error)))
	}
	if d.PendingMigrations > 0 {
		problems = append(problems, fmt.Sprintf("%d migrations are pending: run b3scalectl db migrate", d.PendingMigrations))
	}
	return problems
}

// What a terminal is told, to draw over what was there.
const (
	ownScreen   = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	restOfLine  = "\x1b[K"
	restBelow   = "\x1b[J"
)

// watch shows the cluster until it is interrupted, which is how it ends well.
// On a terminal it draws over what was there, else it goes on below.
func (s *session) watch(ctx context.Context, interval time.Duration) error {
	live := isTerminal(s.Out) && s.output != asJSON && s.output != asYAML
	var last []string
	if live {
		_, _ = fmt.Fprint(s.Out, ownScreen)
		defer func() { _, _ = fmt.Fprint(s.Out, leaveScreen, strings.Join(last, "\n"), "\n") }()
	}
	for {
		o, err := s.overview(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !mayPass(err):
			return err
		case err != nil && live:
			s.draw(append([]string{paint(bad, clean(s.explain(ctx, err).Error()), s.coloured())}, last...))
		case err != nil:
			s.complain("%v", s.explain(ctx, err))
		case live:
			last = s.overviewLines(o, 0)
			s.draw(s.overviewLines(o, s.width()))
		default:
			if err := s.showOverview(o); err != nil {
				return err
			}
			if s.output != asJSON && s.output != asYAML {
				s.say("")
			}
		}
		if pause(ctx, interval) != nil {
			return nil
		}
	}
}

// width of the terminal; 0 when it does not say.
func (s *session) width() int {
	width, _, err := term.GetSize(int(s.Out.(file).Fd()))
	if err != nil {
		return 0
	}
	return width
}

// draw shows as many lines as there is room for.
func (s *session) draw(lines []string) {
	if _, height, err := term.GetSize(int(s.Out.(file).Fd())); err == nil && height > 1 && len(lines) >= height {
		more := len(lines) - (height - 2)
		lines = append(lines[:height-2:height-2], fmt.Sprintf("… and %d more", more))
	}
	_, _ = fmt.Fprint(s.Out, home, strings.Join(lines, restOfLine+"\n"), restOfLine, "\n", restBelow)
}
