package agent

import (
	"maps"
	"strings"
	"time"
)

// rooms knows what the meetings of this node look like, as far as it was told
// since the last gap. With it, what is sent are facts: that somebody shows a
// camera, and not that the second of two went off. It is not for use by
// several goroutines.
type rooms struct {
	open map[string]*room
	gone map[string]farewell // over; what is still said of them means nothing
	now  func() time.Time

	swept time.Time
}

type room struct {
	people      map[string]*person
	left        map[string]bool   // what is still said of them would bring them back
	cameras     map[string]string // stream → who shows it
	presenter   string
	recording   *bool // nil: unknown
	screenshare *bool
}

type person struct {
	arrived bool // we told it
	role    string
	voice   voice
}

type voice int

const (
	voiceUnknown voice = iota
	voiceNone
	voiceListens
	voiceSpeaks
)

type farewell struct {
	destroyed bool
	at        time.Time
}

// remembered is how long a meeting that is over is known to be so. What comes
// later than a few seconds after the end would be a surprise.
const remembered = 10 * time.Minute

// Ids of people who only phone begin like this.
const phonePrefix = "v_"

func newRooms(now func() time.Time) *rooms {
	return &rooms{open: make(map[string]*room), gone: make(map[string]farewell), now: now}
}

// forget is for gaps: nobody knows what happened.
func (r *rooms) forget() { clear(r.open) }

// sweepNow drops the memory of meetings that have been over for long, once in
// a while.
func (r *rooms) sweepNow(every time.Duration) {
	if r.now().Sub(r.swept) < every {
		return
	}
	r.swept = r.now()
	maps.DeleteFunc(r.gone, func(_ string, f farewell) bool { return r.now().Sub(f.at) > remembered })
}

// apply gives the facts that a message tells, in their order; none when it
// tells nothing new.
func (r *rooms) apply(m message) []Event {
	if m.at == 0 {
		m.at = r.now().UnixMilli()
	}
	facts := r.facts(m)
	for i := range facts {
		if facts[i].Meeting == "" {
			facts[i].Meeting = m.meeting
		}
		facts[i].At = m.at
	}
	return facts
}

func (r *rooms) facts(m message) []Event {
	switch b := m.body.(type) {
	case meetingCreated:
		delete(r.gone, m.meeting)
		r.open[m.meeting] = newRoom()
		return []Event{{Kind: kindMeetingCreated, ExternalID: b.externalID, ParentID: b.parentID}}
	case meetingEnded:
		return r.end(m.meeting)
	case breakoutEnded: // its own message may still be on the way
		return r.end(b.roomID)
	case meetingDestroyed:
		if r.gone[m.meeting].destroyed {
			return nil
		}
		delete(r.open, m.meeting)
		r.gone[m.meeting] = farewell{destroyed: true, at: r.now()}
		return []Event{{Kind: kindMeetingDestroyed}}
	case breakoutStarted, alivePong:
		return nil // a breakout room is a meeting: its creation is told by itself
	}
	if _, over := r.gone[m.meeting]; over {
		return nil
	}
	in := r.open[m.meeting]
	if in == nil {
		in = newRoom() // it was there before us
		r.open[m.meeting] = in
	}
	return in.facts(m.body)
}

func (r *rooms) end(meeting string) []Event {
	if _, over := r.gone[meeting]; over {
		return nil
	}
	delete(r.open, meeting) // nobody is said to leave a meeting that ends
	r.gone[meeting] = farewell{at: r.now()}
	return []Event{{Kind: kindMeetingEnded, Meeting: meeting}}
}

func newRoom() *room {
	return &room{people: make(map[string]*person), left: make(map[string]bool), cameras: make(map[string]string)}
}

func (r *room) facts(b body) []Event {
	switch b := b.(type) {
	case userJoined:
		return r.arrive(b)
	case userLeft:
		return r.leave(b.userID)
	case voiceJoined:
		return r.speak(b)
	case screenShared:
		if !change(&r.screenshare, b.on) {
			return nil
		}
		return []Event{{Kind: kindScreenshare, Screenshare: &b.on}}
	case recordingSet:
		if !change(&r.recording, b.on) {
			return nil
		}
		return []Event{{Kind: kindRecording, Recording: &b.on}}
	}
	if r.left[who(b)] {
		return nil
	}
	switch b := b.(type) {
	case roleChanged:
		p := r.person(b.userID)
		if p.role == b.role {
			return nil
		}
		p.role = b.role
		return []Event{{Kind: kindAttendee, UserID: b.userID, Role: &b.role}}
	case presenterAssigned:
		return r.present(b.userID)
	case presenterUnassigned:
		if r.presenter == b.userID {
			r.presenter = ""
		}
		return []Event{{Kind: kindAttendee, UserID: b.userID, Presenter: new(false)}}
	case voiceLeft:
		if strings.HasPrefix(b.userID, phonePrefix) {
			return r.leave(b.userID)
		}
		return r.setVoice(b.userID, voiceNone)
	case cameraStarted:
		before := r.shows(b.userID)
		r.cameras[b.stream] = b.userID
		if before {
			return nil
		}
		return []Event{{Kind: kindAttendee, UserID: b.userID, Video: new(true)}}
	case cameraStopped:
		delete(r.cameras, b.stream)
		if r.shows(b.userID) {
			return nil
		}
		return []Event{{Kind: kindAttendee, UserID: b.userID, Video: new(false)}}
	}
	return nil // userLeftFlag: the connection is lost, the person is still there
}

// who is whom a message is about.
func who(b body) string {
	switch b := b.(type) {
	case roleChanged:
		return b.userID
	case presenterAssigned:
		return b.userID
	case presenterUnassigned:
		return b.userID
	case voiceLeft:
		return b.userID
	case cameraStarted:
		return b.userID
	case cameraStopped:
		return b.userID
	}
	return ""
}

func (r *room) person(userID string) *person {
	p := r.people[userID]
	if p == nil {
		p = &person{}
		r.people[userID] = p
	}
	return p
}

func (r *room) arrive(b userJoined) []Event {
	p := r.person(b.userID)
	again := p.arrived
	delete(r.left, b.userID)
	p.arrived, p.role = true, b.role
	if b.presenter {
		r.presenter = b.userID
	} else if r.presenter == b.userID {
		r.presenter = ""
	}
	return []Event{{
		Kind: kindAttendee, UserID: b.userID, Joined: true, again: again,
		ExternalUserID: known(b.externalID), Name: known(b.name), Role: known(b.role), ClientType: known(b.clientType),
		Presenter: &b.presenter, Guest: &b.guest,
	}}
}

func (r *room) leave(userID string) []Event {
	delete(r.people, userID)
	r.left[userID] = true
	maps.DeleteFunc(r.cameras, func(_, who string) bool { return who == userID })
	if r.presenter == userID {
		r.presenter = ""
	}
	return []Event{{Kind: kindAttendeeLeft, UserID: userID}}
}

// present is often said twice.
func (r *room) present(userID string) []Event {
	if r.presenter == userID {
		return nil
	}
	var facts []Event
	if r.presenter != "" {
		facts = append(facts, Event{Kind: kindAttendee, UserID: r.presenter, Presenter: new(false)})
	}
	r.presenter = userID
	return append(facts, Event{Kind: kindAttendee, UserID: userID, Presenter: new(true)})
}

func (r *room) speak(b voiceJoined) []Event {
	phone := strings.HasPrefix(b.userID, phonePrefix)
	if r.left[b.userID] && !phone {
		return nil
	}
	delete(r.left, b.userID)
	how := voiceSpeaks
	if b.listenOnly {
		how = voiceListens
	}
	facts := r.setVoice(b.userID, how)
	p := r.person(b.userID)
	if !phone || p.arrived {
		return facts
	}
	// Nothing but this tells of people who phone.
	p.arrived, p.role = true, "VIEWER"
	return []Event{{
		Kind: kindAttendee, UserID: b.userID, Joined: true,
		Name: known(b.callerName), Role: new("VIEWER"), ClientType: new("dial-in-user"),
		ListeningOnly: &b.listenOnly, Voice: new(!b.listenOnly),
	}}
}

func (r *room) setVoice(userID string, how voice) []Event {
	p := r.person(userID)
	if p.voice == how {
		return nil
	}
	p.voice = how
	return []Event{{
		Kind: kindAttendee, UserID: userID,
		ListeningOnly: new(how == voiceListens), Voice: new(how == voiceSpeaks),
	}}
}

func (r *room) shows(userID string) bool {
	for _, who := range r.cameras {
		if who == userID {
			return true
		}
	}
	return false
}

// known is nil for what a message does not say.
func known(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// change sets what is known and says whether that was news.
func change(known **bool, on bool) bool {
	if *known != nil && **known == on {
		return false
	}
	*known = &on
	return true
}
