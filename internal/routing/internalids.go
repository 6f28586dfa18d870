package routing

import (
	"hash/maphash"
	"slices"
	"sync"
)

// internalIDs find live rooms by the id that their node gave them. Two nodes
// can have given the same id, so there may be more than one.
type internalIDs struct {
	seed   maphash.Seed
	shards [shardCount]struct {
		sync.RWMutex
		rooms map[string][]*Room
	}
}

// ByInternalID finds the live room that has this id on a backend, or on any
// backend when that is empty; nil when there is none.
func (t *Table) ByInternalID(backendID, internalID string) *Room {
	s := &t.internal.shards[t.internal.shard(internalID)]
	s.RLock()
	defer s.RUnlock()
	for _, r := range s.rooms[internalID] {
		if backendID == "" || r.BackendID == backendID {
			return r
		}
	}
	return nil
}

func (x *internalIDs) shard(internalID string) uint64 {
	return maphash.String(x.seed, internalID) % shardCount
}

// put adds a room, or replaces what was known of its meeting.
func (x *internalIDs) put(r *Room) {
	if r.InternalID == "" {
		return
	}
	s := &x.shards[x.shard(r.InternalID)]
	s.Lock()
	defer s.Unlock()
	same := s.rooms[r.InternalID]
	if i := slices.IndexFunc(same, func(o *Room) bool { return o.Key == r.Key }); i >= 0 {
		same[i] = r
		return
	}
	if s.rooms == nil {
		s.rooms = map[string][]*Room{}
	}
	s.rooms[r.InternalID] = append(same, r)
}

func (x *internalIDs) take(r *Room) {
	if r.InternalID == "" {
		return
	}
	s := &x.shards[x.shard(r.InternalID)]
	s.Lock()
	defer s.Unlock()
	left := slices.DeleteFunc(s.rooms[r.InternalID], func(o *Room) bool { return o.Key == r.Key })
	if len(left) == 0 {
		delete(s.rooms, r.InternalID)
	} else {
		s.rooms[r.InternalID] = left
	}
}
