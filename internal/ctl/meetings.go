package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"b3scale"
	"b3scale/internal/apiclient"
)

// meeting is one with what we know of it. Its passwords are nobody's business.
type meeting struct {
	apiclient.Meeting
	plainID  string // as its frontend chose it
	frontend string // key
	host     string // of its backend
}

// asMeeting takes the passwords out.
func asMeeting(m apiclient.Meeting, hosts map[string]string) meeting {
	m.Meeting.AttendeePW, m.Meeting.ModeratorPW = "", ""
	known := meeting{Meeting: m, plainID: m.ID}
	if key, id, ok := b3scale.DecodeMeetingID(m.ID); ok {
		known.frontend, known.plainID = key, id
	}
	if m.BackendID != nil {
		known.host = hosts[*m.BackendID]
		if known.host == "" {
			known.host = *m.BackendID
		}
	}
	return known
}

// hostsByID are the hosts of all backends.
func (s *session) hostsByID(ctx context.Context) (map[string]string, error) {
	all, _, err := s.backends(ctx, "")
	hosts := make(map[string]string, len(all))
	for i := range all {
		hosts[all[i].ID] = all[i].BBB.Host
	}
	return hosts, err
}

func (s *session) meetings(ctx context.Context, params apiclient.MeetingsListParams) ([]meeting, error) {
	answer, err := s.client.MeetingsListWithResponse(ctx, &params)
	if err != nil {
		return nil, err
	}
	hosts, err := s.hostsByID(ctx)
	all := make([]meeting, len(*answer.JSON200))
	for i, m := range *answer.JSON200 {
		all[i] = asMeeting(m, hosts)
	}
	return all, err
}

// meeting finds one by any of its ids: that of the nodes, internal:ID, the
// node's own, or that which its frontend chose.
func (s *session) meeting(ctx context.Context, id, key string) (meeting, error) {
	_, _, encoded := b3scale.DecodeMeetingID(id)
	if encoded || strings.HasPrefix(id, "internal:") {
		answer, err := s.client.MeetingsReadWithResponse(ctx, id)
		if apiclient.IsNotFound(err) {
			return meeting{}, s.noMeeting(ctx, id)
		}
		if err != nil {
			return meeting{}, err
		}
		hosts, err := s.hostsByID(ctx)
		return asMeeting(*answer.JSON200, hosts), err
	}
	params := apiclient.MeetingsListParams{MeetingID: &id}
	if key != "" {
		params.FrontendKey = &key
	}
	found, err := s.meetings(ctx, params)
	if err == nil && len(found) == 0 {
		params.MeetingID, params.InternalID = nil, &id
		found, err = s.meetings(ctx, params)
	}
	switch {
	case err != nil:
		return meeting{}, err
	case len(found) == 0:
		return meeting{}, s.noMeeting(ctx, id)
	case len(found) > 1:
		keys := make([]string, len(found))
		for i := range found {
			keys[i] = found[i].frontend
		}
		return meeting{}, fmt.Errorf("%d frontends have a meeting %q: add --frontend with one of %s", len(found), id, strings.Join(keys, ", "))
	}
	return found[0], nil
}

func (s *session) noMeeting(ctx context.Context, id string) error {
	all, err := s.meetings(ctx, apiclient.MeetingsListParams{})
	if err != nil {
		return err
	}
	var ids []string
	for i := range all {
		ids = append(ids, all[i].plainID)
	}
	return notFound("meeting", id, ids)
}

func (s *session) showMeetingsCommand() *cobra.Command {
	var host, key string
	cmd := &cobra.Command{
		Use:   "meetings",
		Short: "list meetings",
		Long:  "List meetings, separated by tabs: id, frontend, backend, running or waiting, people, name.",
		Args:  wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if err := s.login(ctx, looks); err != nil {
				return err
			}
			var params apiclient.MeetingsListParams
			if host != "" { // an unknown name would just match nothing
				b, err := s.backend(ctx, host)
				if err != nil {
					return err
				}
				params.BackendID = &b.ID
			}
			if key != "" {
				f, err := s.frontend(ctx, key)
				if err != nil {
					return err
				}
				params.FrontendID = &f.ID
			}
			all, err := s.meetings(ctx, params)
			if err != nil {
				return err
			}
			objects := make([]apiclient.Meeting, len(all))
			for i := range all {
				objects[i] = all[i].Meeting
			}
			return s.show(asText(objects), func() {
				for i := range all {
					m := &all[i]
					s.say("%s\t%s\t%s\t%s\t%d\t%s", m.ID, m.frontend, m.host, running(m), m.Meeting.Meeting.ParticipantCount, m.Meeting.Meeting.MeetingName)
				}
			}, func() table { return meetingTable(all) })
		},
	}
	cmd.Flags().StringVar(&host, "backend", "", "only those on the backend with this host")
	cmd.Flags().StringVar(&key, "frontend", "", "only those of the frontend with this key")
	s.completesFlag(cmd, "backend", s.completeHosts)
	s.completesFlag(cmd, "frontend", s.completeKeys)
	return cmd
}

func running(m *meeting) string {
	if m.Meeting.Meeting.Running {
		return "running"
	}
	return "waiting"
}

func meetingTable(all []meeting) table {
	t := table{header: []string{"MEETING", "NAME", "FRONTEND", "BACKEND", "STATE", "PEOPLE", "VOICE", "VIDEO", "SINCE"}}
	for i := range all {
		m, info := &all[i], &all[i].Meeting.Meeting
		state := text(running(m)).in(good)
		if !info.Running {
			state = state.in(faint)
		}
		t.add(text(m.plainID), text(info.MeetingName), text(m.frontend), text(m.host), state,
			number(info.ParticipantCount), number(info.VoiceParticipantCount), number(info.VideoCount), text(moment(m.CreatedAt)))
	}
	return t
}

// moment is a time for people.
func moment(at time.Time) string {
	if at.Year() <= 2000 { // never, in one of its spellings
		return ""
	}
	return at.Local().Format("2006-01-02 15:04:05")
}

func (s *session) showMeetingCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "meeting ID",
		Short: "show one meeting and who is in it",
		Long: "Show one meeting and who is in it. ID is the one that its frontend chose, the one that the nodes know, or the\n" +
			"node's own, also as internal:ID.",
		Args: wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.login(cmd.Context(), looks); err != nil {
				return err
			}
			m, err := s.meeting(cmd.Context(), args[0], key)
			if err != nil {
				return err
			}
			return s.show(asText(m.Meeting), func() { s.sayMeeting(&m) }, func() table { return peopleTable(&m) })
		},
	}
	cmd.Flags().StringVar(&key, "frontend", "", "key of its frontend, when several have a meeting of this id")
	cmd.ValidArgsFunction = s.completeMeetings
	s.completesFlag(cmd, "frontend", s.completeKeys)
	return cmd
}

func (s *session) sayMeeting(m *meeting) {
	info := &m.Meeting.Meeting
	s.say("Meeting:  %s", info.MeetingName)
	s.say("ID:       %s", m.plainID)
	s.say("Node ID:  %s", m.ID)
	s.say("Internal: %s", m.InternalID)
	s.say("Frontend: %s", m.frontend)
	s.say("Backend:  %s", m.host)
	s.say("Running:  %t", info.Running)
	s.say("Created:  %s", m.CreatedAt.Format(time.RFC3339))
	if p := m.Placement; p != nil {
		s.say("Placed:   %s, drawn from %d of %d that could take it, of %d backends", p.DecidedAt.Format(time.RFC3339), p.DrawnFrom, p.Eligible, p.Backends)
	}
	s.say("People:   %d (%d moderators, %d voice, %d video, %d listening)",
		info.ParticipantCount, info.ModeratorCount, info.VoiceParticipantCount, info.VideoCount, info.ListenerCount)
	for _, a := range info.Attendees {
		s.say("  %s\t%s", a.Role, a.FullName)
	}
}

func peopleTable(m *meeting) table {
	t := table{header: []string{"NAME", "ROLE", "PRESENTS", "VOICE", "VIDEO", "CLIENT", "USER ID"}}
	for _, a := range m.Meeting.Meeting.Attendees {
		voice := yes(a.HasJoinedVoice)
		if a.IsListeningOnly {
			voice = "listens"
		}
		t.add(text(a.FullName), text(strings.ToLower(a.Role)), text(yes(a.IsPresenter)), text(voice), text(yes(a.HasVideo)), text(a.ClientType), text(a.UserID))
	}
	return t
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}
