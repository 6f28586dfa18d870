package metrics

import (
	"net/url"
	"strings"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// undefined stands where a label has no value.
const undefined = "undefined"

// survey is what memory knows at one moment, gone through once.
type survey struct {
	now       time.Time
	backends  []*routing.Backend
	labels    map[string]string // of backends by id
	frontends map[string]people // by id
	on        map[string]people // the same by id of the backend
	pairs     map[pair]people   // for the series of the existing product
}

// people is what goes on in some meetings. Those in breakout rooms count there.
type people struct {
	meetings int
	b3scale.Headcount
	lasting time.Duration // of meetings that somebody is in, all of them together
}

type pair struct{ frontendID, backendID, meeting string }

func (c *collector) survey() *survey {
	s := &survey{
		now: time.Now(), backends: c.Table.Backends(),
		frontends: map[string]people{}, on: map[string]people{}, pairs: map[pair]people{},
	}
	s.labels = labelsOf(s.backends)
	c.Mind.EachCount(func(r *routing.Room, h b3scale.Headcount) {
		p := people{meetings: 1, Headcount: h}
		if r.Running {
			p.lasting = max(s.now.Sub(r.ClaimedAt.Time()), 0)
		}
		s.frontends[r.Key.FrontendID] = s.frontends[r.Key.FrontendID].plus(p)
		s.on[r.BackendID] = s.on[r.BackendID].plus(p)
		if c.opts.Compat {
			k := pair{r.Key.FrontendID, r.BackendID, allMeetings}
			if c.opts.PerMeeting {
				k.meeting = c.meetingLabel(r)
			}
			s.pairs[k] = s.pairs[k].plus(p)
		}
	})
	return s
}

func (p people) plus(q people) people {
	p.meetings += q.meetings
	p.People += q.People
	p.Listeners += q.Listeners
	p.Voices += q.Voices
	p.Videos += q.Videos
	p.Moderators += q.Moderators
	p.lasting += q.lasting
	return p
}

// labelsOf names backends by host[:port], as operators do. Where two have the
// same, as with two paths on one host, their ids tell them apart.
func labelsOf(backends []*routing.Backend) map[string]string {
	labels := make(map[string]string, len(backends))
	taken := make(map[string]int, len(backends))
	for _, b := range backends {
		labels[b.ID] = hostOf(b.Host)
		taken[labels[b.ID]]++
	}
	for id, label := range labels {
		if taken[label] > 1 {
			labels[id] = label + " " + id
		}
	}
	return labels
}

func hostOf(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" {
		return undefined
	}
	return valid(u.Host)
}

// valid keeps what would spoil a whole scrape out of labels.
func valid(text string) string { return strings.ToValidUTF8(text, "�") }
