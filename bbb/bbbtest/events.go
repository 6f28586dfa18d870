package bbbtest

import (
	"slices"
	"sync"
	"time"
)

// The Redis channels that a node publishes on. Order holds within a channel.
const (
	EventChannel        = "from-akka-apps-redis-channel"
	BreakoutChannel     = "from-akka-apps-pres-redis-channel"
	FrontendCopyChannel = "from-akka-apps-frontend-redis-channel" // up to 2.7, copies of some events
)

const (
	checkAliveEvery = 10 * time.Second
	destroyAfter    = 2500 * time.Millisecond // from the end of a meeting to its destruction
)

// pong is the one event that tells nothing about a meeting.
const pong = "CheckAlivePongSysMsg"

// copied tells which events the frontends of 2.x get on a channel of their own.
func copied(name string) bool {
	switch name {
	case "MeetingCreatedEvtMsg", "MeetingEndingEvtMsg", "MeetingDestroyedEvtMsg",
		"UserLeftMeetingEvtMsg", "UserLeftVoiceConfToClientEvtMsg":
		return true
	}
	return false
}

// events are on their way to Options.Events.
type events struct {
	mu        sync.Mutex
	queue     []event
	busy      bool // somebody delivers
	paused    bool
	drop      int
	dropNames []string
}

type event struct {
	channel string
	message []byte
}

// DropEvents loses the next count events, with their copies: of these names,
// or of all but CheckAlivePong. It replaces what an earlier call asked for.
func (n *Node) DropEvents(count int, names ...string) {
	n.events.mu.Lock()
	defer n.events.mu.Unlock()
	n.events.drop, n.events.dropNames = count, names
}

// PauseEvents loses every event until it is called with false, as a Redis that
// is away or akka-apps that is stuck. What was lost is never repeated.
func (n *Node) PauseEvents(lost bool) {
	n.events.mu.Lock()
	defer n.events.mu.Unlock()
	n.events.paused = lost
}

// publishes reports whether anybody wants events.
func (n *Node) publishes() bool { return n.opts.Events != nil }

// publish queues a message for a channel. It is called where the change is
// made, under the same lock, so that the order of events is that of changes.
func (n *Node) publish(channel, name string, message []byte) {
	e := &n.events
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.loses(name) {
		return
	}
	e.queue = append(e.queue, event{channel, message})
	if channel == EventChannel && copied(name) && !n.version.since(3, 0) {
		e.queue = append(e.queue, event{FrontendCopyChannel, message})
	}
}

func (e *events) loses(name string) bool {
	if e.paused {
		return true
	}
	if e.drop <= 0 || len(e.dropNames) > 0 && !slices.Contains(e.dropNames, name) || len(e.dropNames) == 0 && name == pong {
		return false
	}
	e.drop--
	return true
}

// flush hands out what is queued, without any lock: the receiver may call
// the node. If somebody delivers already, what is queued goes out behind it.
func (n *Node) flush() {
	if !n.publishes() {
		return
	}
	e := &n.events
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy {
		return
	}
	e.busy = true
	defer func() { e.busy = false }()
	for len(e.queue) > 0 {
		n.handOut(e)
	}
}

// handOut has the lock when it begins and when it ends, even if the receiver
// ends its goroutine, as a failed test does.
func (n *Node) handOut(e *events) {
	queue := e.queue
	e.queue = nil
	e.mu.Unlock()
	defer e.mu.Lock()
	for _, one := range queue {
		n.opts.Events(one.channel, one.message)
	}
}

// unlockRooms releases the rooms after a change and tells of it.
func (n *Node) unlockRooms() {
	n.rooms.mu.Unlock()
	n.flush()
}

// answerAlive answers bbb-web's question whether akka-apps lives.
func (n *Node) answerAlive() {
	n.timers.after(checkAliveEvery, func() {
		now := n.opts.Now().UnixMilli()
		n.fromNode(pong, "", object(
			"system", "BbbWeb",
			"bbbWebTimestamp", now,
			"akkaAppsTimestamp", now,
		))
		n.flush()
		n.answerAlive()
	})
}
