package adminapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"b3scale"
	"b3scale/internal/auth"
	"b3scale/internal/routing"
)

// found is a room and its id as the nodes know it.
type found struct {
	room *routing.Room
	id   string
	name *string // of the meeting, once somebody sorted by it
	own  bool    // it is on the backend whose agent asks
}

func (f *found) meetingName() string {
	if f.name == nil {
		name := parseInfo(f.room.Info).Root().Child("meetingName").Text()
		f.name = &name
	}
	return *f.name
}

// By what is known of a room without reading its XML, and by its name.
var meetingOrders = ordering[*found]{
	"":                         by(func(f *found) string { return f.id }),
	"id":                       by(func(f *found) string { return f.id }),
	"internal_id":              by(func(f *found) string { return f.room.InternalID }),
	"frontend_id":              by(func(f *found) string { return f.room.Key.FrontendID }),
	"backend_id":               by(func(f *found) string { return f.room.BackendID }),
	"created_at":               by(func(f *found) b3scale.Micros { return placedAt(f.room) }),
	"updated_at":               by(func(f *found) b3scale.Micros { return changedAt(f.room) }),
	"synced_at":                by(func(f *found) b3scale.Micros { return seenAt(f.room) }),
	"meeting.CreateTime":       by(func(f *found) int64 { return f.room.CreateTime }),
	"meeting.ParticipantCount": by(func(f *found) int { return f.room.People }),
	"meeting.MeetingName":      by((*found).meetingName),
}

// MeetingsList lists meetings.
func (s *Server) MeetingsList(w http.ResponseWriter, r *http.Request, params MeetingsListParams) {
	rooms, err := s.roomsOf(r.Context(), params)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	keys, err := s.frontendKeys(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var matching []*found
	for _, room := range rooms {
		key, known := keys[room.Key.FrontendID]
		if !known { // it was deleted a moment ago, and its meetings with it
			continue
		}
		f := &found{room: room, id: b3scale.EncodeMeetingID(key, room.Key.MeetingID)}
		if wanted(params.FrontendID, room.Key.FrontendID) && wanted(params.FrontendKey, key) &&
			wanted(params.MeetingID, room.Key.MeetingID, f.id) && wanted(params.InternalID, room.InternalID) {
			matching = append(matching, f)
		}
	}
	matching, err = page(w, matching, paging{params.Limit, params.Offset, params.Order}, meetingOrders)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	meetings := make([]Meeting, len(matching))
	for i, f := range matching {
		meetings[i] = shown(*f, r)
	}
	s.send(w, r, http.StatusOK, meetings)
}

// wanted reports whether one of the values is the one that a query asks for.
func wanted(asked *string, values ...string) bool {
	return asked == nil || slices.Contains(values, strings.TrimSpace(*asked))
}

// roomsOf are those on the backend that a query names, or all.
func (s *Server) roomsOf(ctx context.Context, params MeetingsListParams) ([]*routing.Room, error) {
	if params.BackendID == nil && params.BackendHost == nil {
		return s.Mind.AllRooms(), nil
	}
	backends, err := s.Store.Backends(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range backends {
		if wanted(params.BackendID, b.ID) && (params.BackendHost == nil || withSlash(strings.TrimSpace(*params.BackendHost)) == withSlash(b.Host)) {
			return s.Mind.Rooms(b.ID), nil
		}
	}
	return nil, unknown("backend", text(params.BackendID))
}

// MeetingsRead shows one meeting.
func (s *Server) MeetingsRead(w http.ResponseWriter, r *http.Request, id MeetingID) {
	f, err := s.find(r, id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, shown(f, r))
}

const internalPrefix = "internal:"

// find finds the live meeting with an id, be it as the nodes know it or
// internal:<internal id>. An agent finds those on its own backend only.
func (s *Server) find(r *http.Request, id string) (found, error) {
	ctx := r.Context()
	own, backendID := "", ""
	if who(r).Has(auth.Node) {
		var err error
		if own, err = s.ownBackend(r); err != nil && isAgent(r) {
			return found{}, err
		}
	}
	if isAgent(r) {
		backendID = own
	}
	keys, err := s.frontendKeys(ctx)
	if err != nil {
		return found{}, err
	}
	var room *routing.Room
	if internalID, ok := strings.CutPrefix(id, internalPrefix); ok {
		room = s.Mind.RoomByInternalID(backendID, internalID)
	} else if key, meetingID, ok := b3scale.DecodeMeetingID(id); ok {
		for frontendID, k := range keys {
			if k == key {
				room = s.Mind.Room(b3scale.MeetingKey{FrontendID: frontendID, MeetingID: meetingID})
			}
		}
	}
	if room == nil || backendID != "" && room.BackendID != backendID {
		return found{}, unknown("meeting", id)
	}
	key, known := keys[room.Key.FrontendID]
	if !known {
		return found{}, unknown("meeting", id)
	}
	return found{room: room, id: b3scale.EncodeMeetingID(key, room.Key.MeetingID), own: own != "" && room.BackendID == own}, nil
}

// isAgent reports whether who asks may do so only because of being the agent
// of a backend.
func isAgent(r *http.Request) bool {
	if who(r).Has(auth.Read) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return false
	}
	return who(r).Has(auth.Node) && !who(r).Has(auth.Admin)
}

// ownBackend is the id of the backend whose agent asks.
func (s *Server) ownBackend(r *http.Request) (string, error) {
	backends, err := s.Store.Backends(r.Context())
	if err != nil {
		return "", err
	}
	for _, b := range backends {
		if isAgentOf(who(r), &b) {
			return b.ID, nil
		}
	}
	return "", statusError{http.StatusForbidden, http.StatusText(http.StatusForbidden)}
}

// frontendKeys are the keys of all frontends by id.
func (s *Server) frontendKeys(ctx context.Context) (map[string]string, error) {
	frontends, err := s.Store.Frontends(ctx)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]string, len(frontends))
	for _, f := range frontends {
		keys[f.ID] = f.Key
	}
	return keys, nil
}

// shown is a meeting as who asks may see it.
func shown(f found, r *http.Request) Meeting {
	m := meetingOf(f)
	if !isAgent(r) { // it names other backends
		m.Placement = placementOf(f.room.Decision())
	}
	if !who(r).Has(auth.Admin) && !f.own {
		m.Meeting.AttendeePW, m.Meeting.ModeratorPW = "", ""
		m.Meeting.Metadata = withoutTokens(m.Meeting.Metadata)
	}
	return m
}

func meetingOf(f found) Meeting {
	r := f.room
	return Meeting{
		ID:         f.id,
		InternalID: r.InternalID,
		Meeting:    meetingInfo(r, f.id),
		FrontendID: &r.Key.FrontendID,
		BackendID:  &r.BackendID,
		CreatedAt:  moment(placedAt(r)),
		UpdatedAt:  moment(changedAt(r)),
		SyncedAt:   moment(seenAt(r)),
	}
}

// placedAt is when a meeting was placed. Breakout rooms are not placed: there
// it is the time of their node.
func placedAt(r *routing.Room) b3scale.Micros {
	if r.Breakout && r.CreateTime > 0 {
		return b3scale.MicrosOf(time.UnixMilli(r.CreateTime))
	}
	return r.ClaimedAt
}

// changedAt is when something about it last changed. The versions of rows are
// times.
func changedAt(r *routing.Room) b3scale.Micros {
	return max(r.ClaimedAt, r.ConfirmedAt, b3scale.Micros(r.Version), b3scale.Micros(r.AsOf()))
}

// seenAt is when its node last showed something new of it. A breakout room is
// taken in anew with each list.
func seenAt(r *routing.Room) b3scale.Micros {
	if r.Breakout {
		return r.ClaimedAt
	}
	return max(r.ConfirmedAt, b3scale.Micros(r.AsOf()))
}

// moment is a stored time. Never is the zero time, as old clients know it.
func moment(at b3scale.Micros) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return at.Time().UTC()
}
