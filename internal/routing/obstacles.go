package routing

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"b3scale"
)

// obstacles are the reasons, in this order, why a backend gets no new meeting.
type obstacles uint

const (
	notReady obstacles = 1 << iota
	isLost
	failedBefore
	isBooked // for an earlier room of the meeting
	lacksTags
	lacksWanted // tags that the meeting itself insists on
	hasMaxMeetings
	hasMaxAttendees
	isSilent

	// These only put a backend behind others; the worst comes last.
	notPreferred // it has no tag that the meeting would like
	agentSilent
)

const drawbacks = notPreferred | agentSilent

// Filter names an obstacle to programs. The names stay as they are.
type Filter string

// filters are the names of all obstacles, by bit.
var filters = [...]Filter{
	"not_ready", "lost", "failed", "booked", "required_tags", "wanted_tags", "max_meetings", "max_attendees", "silent",
	"not_preferred", "agent_silent",
}

// ruling is how many of them rule a backend out.
const ruling = 9

// number is the place of one obstacle in their order.
func (o obstacles) number() int { return bits.TrailingZeros(uint(o)) }

// obstacles is what the selector goes by.
func (b *Backend) obstacles(want Wanted, now time.Time) (o obstacles) {
	add := func(really bool, why obstacles) {
		if really {
			o |= why
		}
	}
	s := &b.Settings
	add(b.AdminState != b3scale.AdminReady, notReady)
	add(b.Lost, isLost)
	add(want.Except[b.ID], failedBefore)
	add(want.Booked[b.ID], isBooked)
	add(!s.Tags.Covers(want.Tags), lacksTags)
	if !want.Wish.MetBy(s.Tags, want.Tags) {
		add(want.Wish.Required, lacksWanted)
		add(!want.Wish.Required, notPreferred)
	}
	add(s.MaxMeetings > 0 && b.Meetings()+int(b.claims.Load()) >= s.MaxMeetings, hasMaxMeetings)
	add(s.MaxAttendees > 0 && b.People()+int(b.reserved.Load()/thousand) >= s.MaxAttendees, hasMaxAttendees)
	add(!b.Healthy(now), isSilent)
	add(b.AgentTrouble(now) != "", agentSilent)
	return o
}

// Reasons tell people why the backend gets no new meeting now, whatever that
// meeting needs. There are none when it may.
func (b *Backend) Reasons(now time.Time) []string {
	var reasons []string
	for o := b.obstacles(Wanted{}, now); o != 0; o &= o - 1 {
		reasons = append(reasons, b.reason(o&-o, Wanted{}, now))
	}
	return reasons
}

var stateReasons = map[b3scale.AdminState]string{
	b3scale.AdminInit:           "no operator has made it ready yet",
	b3scale.AdminStopped:        "an operator has stopped it",
	b3scale.AdminDecommissioned: "an operator is taking it out of service",
	b3scale.AdminError:          "an operator has marked it as faulty",
}

func (b *Backend) reason(o obstacles, want Wanted, now time.Time) string {
	switch o {
	case notReady:
		if why, known := stateReasons[b.AdminState]; known {
			return why
		}
		return fmt.Sprintf("its admin state is %q", b.AdminState)
	case isLost:
		return "it is lost since " + b.LostAt.Time().UTC().Format(time.RFC3339)
	case failedBefore:
		return "it failed in this request"
	case isBooked:
		return "an earlier room of this meeting may still be there"
	case lacksTags:
		return "it lacks tags that the frontend requires: " + logged(missing(want.Tags, b.Settings.Tags))
	case lacksWanted:
		return "the meeting insists on tags that it does not have: " + want.wished()
	case notPreferred:
		return "it does not have the tags that the meeting would like: " + want.wished() + ": others come first"
	case hasMaxMeetings:
		return fmt.Sprintf("it has as many meetings as max_meetings allows (%d)", b.Settings.MaxMeetings)
	case hasMaxAttendees:
		return fmt.Sprintf("it has as many people as max_attendees allows (%d)", b.Settings.MaxAttendees)
	case agentSilent:
		return b.AgentTrouble(now) + ": it gets new meetings only when no other backend can take them"
	}
	switch at := b.LastReached(); {
	case b.refused.Load():
		return "its secret is refused"
	case at == 0:
		return "it has never answered a probe"
	default:
		return fmt.Sprintf("it has not answered a probe for %d s", int(now.Sub(at.Time()).Seconds()))
	}
}

// tally counts backends by the first obstacle that rules them out.
type tally [ruling]int32

func (t *tally) byFilter() map[Filter]int {
	counts := map[Filter]int{}
	for i, n := range t {
		if n > 0 {
			counts[filters[i]] = int(n)
		}
	}
	return counts
}

// last is the filter that ruled out the last of them; "" when there were none.
func (t *tally) last() (last Filter) {
	for i, n := range t {
		if n > 0 {
			last = filters[i]
		}
	}
	return last
}

// ruledOut counts why backends were no candidates, each for its first reason.
// It is the cause of the error when none remains, for the log.
type ruledOut struct {
	want  Wanted
	total int
	by    tally
}

func (r *ruledOut) passes(o obstacles) bool {
	r.total++
	if o&^drawbacks == 0 {
		return true
	}
	r.by[o.number()]++
	return false
}

// Error tells which filter emptied the list, and which tags were wanted.
func (r ruledOut) Error() string {
	count := func(o obstacles) int { return int(r.by[o.number()]) }
	text := fmt.Sprintf("of %d backends %d are not ready, %d lost, %d failed in this request, %d lack tags", r.total,
		count(notReady), count(isLost), count(failedBefore), count(lacksTags))
	if len(r.want.Tags) > 0 {
		text += " (" + logged(r.want.Tags) + ")"
	}
	if r.want.Wish.Required {
		text += fmt.Sprintf(", %d have none of the wanted tags (%s)", count(lacksWanted), r.want.wished())
	}
	if n := count(isBooked); n > 0 {
		text += fmt.Sprintf(", %d may still have an earlier room", n)
	}
	return text + fmt.Sprintf(", %d full, %d do not answer", count(hasMaxMeetings)+count(hasMaxAttendees), count(isSilent))
}

// Is tells the mistake of a frontend from what an operator may act on.
func (r ruledOut) Is(target error) bool {
	return target == b3scale.ErrTagsRefused && r.want.Wish.Hopeless()
}

// wished lists what a meeting asks for.
func (w *Wanted) wished() string {
	var wanted []string
	if len(w.Wish.AnyOf) > 0 {
		wanted = append(wanted, logged(w.Wish.AnyOf))
	}
	if w.Wish.Untagged {
		wanted = append(wanted, "no tag at all")
	}
	if len(w.Wish.Refused) > 0 {
		wanted = append(wanted, "not allowed: "+logged(w.Wish.Refused))
	}
	return strings.Join(wanted, ", ")
}

func missing(required, has b3scale.Tags) (tags b3scale.Tags) {
	for _, tag := range required {
		if !has.Covers(b3scale.Tags{tag}) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// logged lists tags. Some of them come from clients.
func logged(tags b3scale.Tags) string {
	const most = 200
	text := strings.Join(tags, ", ")
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strconv.Quote(text)
}
