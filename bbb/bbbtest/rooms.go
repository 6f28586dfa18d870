package bbbtest

import (
	"container/list"
	"crypto/sha1" //nolint:gosec // internal ids are SHA-1 sums
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
)

type element = list.Element

// rooms are the running meetings of a node, found by every name they have.
type rooms struct {
	mu         sync.Mutex
	order      list.List        // of *room, as they were made
	byInternal map[string]*room // the whole internal id
	byHash     map[string]*room // its first 40 digits, the hash of the external id
	bridges    map[string]*room
	sessions   map[string]session
	lastTime   map[string]int64 // create time by external id, of rooms that ended a moment ago
	pruneAt    int              // length at which lastTime is cleaned
}

// session is what a session token stands for.
type session struct {
	room     *room
	attendee Attendee
}

func (rs *rooms) init() {
	rs.order.Init()
	rs.byInternal = make(map[string]*room)
	rs.byHash = make(map[string]*room)
	rs.bridges = make(map[string]*room)
	rs.sessions = make(map[string]session)
	rs.lastTime = make(map[string]int64)
	rs.pruneAt = 10_000
}

// The methods below need the lock.

const hashLen = 2 * sha1.Size

func sha1hex(text string) string {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// byExternal finds a room by its external id.
func (rs *rooms) byExternal(id string) *room { return rs.byHash[sha1hex(id)] }

// find looks an id of a request up: since 2.5 internal ids come first. A real
// node takes any beginning of an internal id, here it has to hold the whole
// hash: else an id like "ab" would sometimes hit somebody else's room.
func (rs *rooms) find(v version, id string) *room {
	if v.since(2, 5) {
		if r := rs.byInternal[id]; r != nil {
			return r
		}
		if len(id) >= hashLen {
			if r := rs.byHash[id[:hashLen]]; r != nil && strings.HasPrefix(r.InternalID, id) {
				return r
			}
		}
	}
	if id == "" {
		return nil
	}
	return rs.byExternal(id)
}

// any finds a room by any of its ids, for the methods of tests.
func (rs *rooms) any(id string) *room {
	if r := rs.byInternal[id]; r != nil {
		return r
	}
	if r := rs.byExternal(id); r != nil {
		return r
	}
	for e := rs.order.Front(); e != nil; e = e.Next() {
		if r := e.Value.(*room); r.ExternalID == id { // a breakout made through the API
			return r
		}
	}
	return nil
}

func (rs *rooms) add(r *room) {
	r.inOrder = rs.order.PushBack(r)
	rs.byInternal[r.InternalID] = r
	if len(r.InternalID) >= hashLen {
		rs.byHash[r.InternalID[:hashLen]] = r
	}
	rs.bridges[r.VoiceBridge] = r
	if parent := rs.byInternal[r.ParentID]; parent != nil {
		parent.Breakouts = append(parent.Breakouts, r.ExternalID)
		parent.kept.breakouts = append(parent.kept.breakouts, r.InternalID)
		parent.changed()
	}
}

func (rs *rooms) remove(r *room) {
	if rs.byInternal[r.InternalID] != r {
		return
	}
	rs.order.Remove(r.inOrder)
	delete(rs.byInternal, r.InternalID)
	if len(r.InternalID) >= hashLen {
		if hash := r.InternalID[:hashLen]; rs.byHash[hash] == r {
			delete(rs.byHash, hash)
		}
	}
	if rs.bridges[r.VoiceBridge] == r {
		delete(rs.bridges, r.VoiceBridge)
	}
	for _, token := range r.sessions {
		delete(rs.sessions, token)
	}
	if parent := rs.byInternal[r.ParentID]; parent != nil {
		kept := parent.Breakouts[:0]
		for _, id := range parent.Breakouts {
			if id != r.ExternalID {
				kept = append(kept, id)
			}
		}
		parent.Breakouts = kept
		parent.changed()
	}
	rs.remember(r)
}

// remember keeps the create times that a room made within the same
// millisecond could have again.
func (rs *rooms) remember(r *room) {
	if len(rs.lastTime) >= rs.pruneAt {
		for id, t := range rs.lastTime {
			if t < r.CreateTime-1000 {
				delete(rs.lastTime, id)
			}
		}
		rs.pruneAt = max(10_000, 2*len(rs.lastTime))
	}
	rs.lastTime[r.ExternalID] = r.CreateTime
}

// createTime is now, in ms, or a little later if an earlier room of that id has
// that time already. A clock that was set back by more than a second shows.
func (rs *rooms) createTime(externalID string, now int64) int64 {
	if last, ok := rs.lastTime[externalID]; ok && now <= last && last-now < 1000 {
		return last + 1
	}
	return now
}

// testBridge is kept free: real nodes treat it specially.
const testBridge = "99999"

// freeBridge finds an unused voice bridge; longer ones when five digits get
// scarce.
func (n *Node) freeBridge() string {
	for try := 0; ; try++ {
		bridge := n.mint("voiceBridge")
		if try > 2 {
			bridge += randomText(5, "0123456789")
		}
		if bridge != testBridge && n.rooms.bridges[bridge] == nil {
			return bridge
		}
	}
}

// breakoutsOf are the rooms below a parent.
func (rs *rooms) breakoutsOf(parent *room) []*room {
	var out []*room
	if len(parent.Breakouts) == 0 {
		return nil
	}
	for e := rs.order.Front(); e != nil; e = e.Next() {
		if r := e.Value.(*room); r.ParentID == parent.InternalID {
			out = append(out, r)
		}
	}
	return out
}

func internalID(externalID string, createTime int64) string {
	return sha1hex(externalID) + "-" + strconv.FormatInt(createTime, 10)
}

// breakoutID is the external id of a breakout room (BBB API, identifiers).
func breakoutID(parentInternalID, timestamp string, sequence int) string {
	return sha1hex(parentInternalID+"-"+timestamp+"-"+strconv.Itoa(sequence)) + "-" + timestamp
}
