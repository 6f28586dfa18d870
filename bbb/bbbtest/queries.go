package bbbtest

import (
	"b3scale/bbb"
)

func (c *call) isMeetingRunning() reply {
	if f := c.meetingCheck(); f != nil {
		return failed(f)
	}
	c.node.rooms.mu.Lock()
	r := c.room()
	running := r != nil && len(r.Attendees) > 0
	c.node.rooms.mu.Unlock()
	return xmlReply(bbb.RunningAnswer(running))
}

func (c *call) getMeetingInfo() reply {
	if f := c.authenticate(); f != nil {
		return failed(f)
	}
	c.node.rooms.mu.Lock()
	defer c.node.rooms.mu.Unlock()
	r := c.room()
	if r == nil {
		return failed(bbb.ErrNotFound) // wins over everything that can be wrong with the id
	}
	answer := xmlReply(c.node.info(r))
	answer.noCache = false
	return answer
}

func (c *call) getMeetings() reply {
	if f := c.authenticate(); f != nil {
		return failed(f)
	}
	fragments := c.fragments()
	if len(fragments) == 0 {
		return xmlReply(bbb.NoMeetingsAnswer())
	}
	size := 128
	for _, f := range fragments {
		size += len(f)
	}
	x := make(xmlText, 0, size)
	x.raw("<response>\n")
	x.text("returncode", bbb.Success)
	x.raw("<meetings>\n")
	for _, f := range fragments {
		x = append(x, f...)
	}
	x.raw("</meetings>\n")
	return xmlReply(x.close())
}

// fragments are the rendered rooms. They are never written to again, so the
// answer is put together without the lock.
func (c *call) fragments() [][]byte {
	if c.blind {
		return nil
	}
	rooms := &c.node.rooms
	rooms.mu.Lock()
	defer rooms.mu.Unlock()
	shown := rooms.order.Len()
	if c.partial {
		shown /= 2
	}
	fragments := make([][]byte, 0, shown)
	for e := rooms.order.Front(); e != nil && len(fragments) < shown; e = e.Next() {
		fragments = append(fragments, c.node.listed(e.Value.(*room)))
	}
	return fragments
}

// getSessions lists people, one entry each. It is undocumented.
func (c *call) getSessions() reply {
	if f := c.authenticate(); f != nil {
		return failed(f)
	}
	x := answer()
	start := len(*x)
	rooms := &c.node.rooms
	rooms.mu.Lock()
	for e := rooms.order.Front(); e != nil && !c.blind; e = e.Next() {
		r := e.Value.(*room)
		for i := range r.Attendees {
			if len(*x) == start {
				x.raw("<sessions>\n")
			}
			x.raw("<meeting>\n")
			x.text("meetingID", r.InternalID)
			x.text("meetingName", r.Name)
			x.text("userName", r.Attendees[i].FullName)
			x.raw("</meeting>\n")
		}
	}
	rooms.mu.Unlock()
	if len(*x) == start {
		x.raw("<sessions/>\n")
		x.text("messageKey", "noSessions")
		x.text("message", "no sessions were found on this serverr")
	} else {
		x.raw("</sessions>\n")
	}
	return xmlReply(x.close())
}
