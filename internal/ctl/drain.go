package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

const (
	defaultInterval = time.Second
	shortestPause   = 10 * time.Millisecond
)

// drain waits until a backend is empty.
type drain struct {
	*session
	backend  backend
	interval time.Duration
	patience time.Duration // 0: as long as it takes
	live     bool          // the line is drawn anew instead of the next one below
	said     string
}

func (s *session) drainCommand() *cobra.Command {
	cmd := group("drain", "empty backends before work is done on them")
	d := drain{session: s}
	var wait bool
	one := &cobra.Command{
		Use:   "backend HOST",
		Short: "give a backend no new meetings, and wait until the last one is over",
		Long: "Give a backend no new meetings: its admin state becomes stopped. With --wait the command ends when the last\n" +
			"meeting is over, and shows until then what is left. After --timeout it gives up with exit code 3; the\n" +
			"backend stays stopped. \"enable backend\" takes it back.",
		Example: "  b3scalectl drain backend https://bbb1.example.org/bigbluebutton/api/ --wait --timeout 2h",
		Args:    wants("HOST"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			if d.backend, err = s.backend(ctx, args[0]); err != nil {
				return err
			}
			switch d.backend.AdminState {
			case apiclient.AdminStateStopped, apiclient.AdminStateDecommissioned:
				s.say("backend is %s already", string(d.backend.AdminState))
			default:
				stopped, err := s.setState(ctx, d.backend.ID, apiclient.AdminStateStopped)
				if err != nil {
					return err
				}
				d.backend.Backend = *stopped
			}
			if !wait {
				return nil
			}
			d.interval = max(d.interval, shortestPause)
			d.live = isTerminal(s.Out)
			return d.untilEmpty(ctx)
		},
	}
	one.Flags().BoolVarP(&wait, "wait", "w", false, "wait until it has no meetings any more")
	one.Flags().DurationVar(&d.patience, "timeout", 0, "how long to wait; 0: as long as it takes")
	one.Flags().DurationVar(&d.interval, "interval", defaultInterval, "how often to look")
	one.ValidArgsFunction = s.completeHosts
	cmd.AddCommand(one)
	return cmd
}

// untilEmpty looks until there was nothing twice: what was just being placed
// when the backend was stopped may still show up once. Only what the server
// has said is judged: while it is away nobody knows how many meetings there are.
func (d *drain) untilEmpty(ctx context.Context) error {
	defer d.done()
	begin, heard := time.Now(), time.Now()
	empty := 0
	for {
		answer, err := d.client.BackendsReadWithResponse(ctx, d.backend.ID)
		switch {
		case apiclient.IsNotFound(err):
			d.progress("gone")
			return nil // decommissioned, and empty
		case ctx.Err() != nil:
			return d.interrupted()
		case err != nil && (!mayPass(err) || time.Since(heard) > d.timeout):
			return err
		case err != nil:
			d.progress(d.left() + " (no news: " + d.explain(ctx, err).Error() + ")")
		default:
			heard = time.Now()
			d.backend.Backend = *answer.JSON200
			d.progress(d.left())
			if empty++; d.backend.MeetingsCount > 0 {
				empty = 0
			}
			if over, err := d.judge(empty, time.Since(begin)); over {
				return err
			}
		}
		if pause(ctx, d.interval) != nil {
			return d.interrupted()
		}
	}
}

// judge reports whether there is nothing more to wait for.
func (d *drain) judge(empty int, waited time.Duration) (over bool, err error) {
	switch {
	case d.backend.AdminState == apiclient.AdminStateReady:
		return true, errors.New("somebody has enabled the backend again")
	case empty == 2:
		d.done()
		d.say("drained: %s", d.backend.BBB.Host)
		return true, nil
	case d.patience > 0 && waited >= d.patience:
		return true, exitError{exitImpatient, fmt.Errorf("still %s after %s; the backend stays %s",
			meetingsWith(d.backend.MeetingsCount, d.backend.AttendeesCount), d.patience, d.backend.AdminState)}
	}
	return false, nil
}

func (d *drain) interrupted() error {
	return fmt.Errorf("interrupted; the backend stays %s", d.backend.AdminState)
}

// left says what there still is.
func (d *drain) left() string {
	text := meetingsWith(d.backend.MeetingsCount, d.backend.AttendeesCount)
	if d.backend.Node != nil && d.backend.Node.RecordingsUnprocessed != nil {
		text += fmt.Sprintf(", %d recordings to process", *d.backend.Node.RecordingsUnprocessed)
	}
	return text
}

// progress shows what is left: on a terminal in one line, else when it changed.
func (d *drain) progress(text string) {
	if d.live {
		_, _ = fmt.Fprintf(d.Out, "\r%s: %s\x1b[K", clean(d.backend.BBB.Host), clean(text))
	} else if text != d.said {
		d.say("%s: %s", d.backend.BBB.Host, text)
	}
	d.said = text
}

// done ends the line that was drawn.
func (d *drain) done() {
	if d.live && d.said != "" {
		_, _ = fmt.Fprintln(d.Out)
		d.live = false
	}
}

// mayPass reports whether an error is one of those that pass: a server that is
// being restarted, or has lost its database for a moment.
func mayPass(err error) bool {
	_, network := errors.AsType[*url.Error](err)
	status := statusOf(err)
	return network || status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}
