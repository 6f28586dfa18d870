package routing

import (
	"slices"
	"sync"

	"b3scale"
)

// rosters keep the rooms of each frontend, or of each backend, in a stable
// order with constant-time changes.
type rosters struct {
	byID sync.Map // string -> *roster
}

type roster struct {
	mu    sync.RWMutex
	rooms []*Room
	at    map[b3scale.MeetingKey]int
}

func (rs *rosters) of(id string) []*Room {
	r, ok := rs.byID.Load(id)
	if !ok {
		return nil
	}
	ro := r.(*roster)
	ro.mu.RLock()
	defer ro.mu.RUnlock()
	return slices.Clone(ro.rooms)
}

func (rs *rosters) put(id string, room *Room) {
	r, ok := rs.byID.Load(id)
	if !ok {
		r, _ = rs.byID.LoadOrStore(id, &roster{at: map[b3scale.MeetingKey]int{}})
	}
	ro := r.(*roster)
	ro.mu.Lock()
	defer ro.mu.Unlock()
	if i, ok := ro.at[room.Key]; ok {
		ro.rooms[i] = room
		return
	}
	ro.at[room.Key] = len(ro.rooms)
	ro.rooms = append(ro.rooms, room)
}

func (rs *rosters) take(id string, room *Room) {
	r, ok := rs.byID.Load(id)
	if !ok {
		return
	}
	ro := r.(*roster)
	ro.mu.Lock()
	defer ro.mu.Unlock()
	i, ok := ro.at[room.Key]
	if !ok {
		return
	}
	last := len(ro.rooms) - 1
	ro.rooms[i] = ro.rooms[last]
	ro.at[ro.rooms[i].Key] = i
	ro.rooms[last] = nil
	ro.rooms = ro.rooms[:last]
	delete(ro.at, room.Key)
}
