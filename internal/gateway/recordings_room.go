package gateway

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"

	"b3scale/bbb"
)

// listStep is how much room a list takes at a time.
const listStep = 64 << 10

// roomForLists is what all lists of recordings take up together. One frontend
// has half of it.
func (o *Options) roomForLists() int64 { return max(o.MaxBodies/2, 2*o.MaxList) }

// listRecordings makes the list that was asked for. It is one read of the store
// and not one for each page: recordings come and go between them, and a list in
// which one is missing tells a frontend that it is gone. Nothing waits for room
// while the store reads. A list that finds none is thrown away, waits, and is
// read again when there is more than it had.
func (g *Gateway) listRecordings(ctx context.Context, req *request, asked askedFor) (*recordingList, error) {
	r := &room{within: []*semaphore.Weighted{g.quotaOf(req.frontend, time.Now()).lists, g.lists}}
	req.whenDone(func() { r.shrink(0) })
	for {
		list := &recordingList{playback: g.opts.Playback, room: r, most: g.opts.MaxList}
		if asked.nothing {
			return list, nil
		}
		err := g.readRecordings(ctx, list, asked)
		switch {
		case list.end == tooLong:
			return nil, errLongList(g.opts.MaxList)
		case list.end == atItsEnd && err == nil:
			r.shrink(list.size)
			return list, nil
		case list.end == atItsEnd:
			return nil, err
		}
		r.shrink(0)
		if err := g.waitForRoom(ctx, req, r, min(max(4*list.size, listStep), g.opts.MaxList)); err != nil {
			return nil, err
		}
	}
}

// readRecordings ends with the list when that cannot go on.
func (g *Gateway) readRecordings(ctx context.Context, list *recordingList, asked askedFor) (err error) {
	ctx, list.stop = context.WithCancel(ctx)
	defer list.stop()
	list.total, err = g.opts.Recordings.Find(ctx, asked.query, list.add)
	return err
}

func errLongList(most int64) *bbb.Failure {
	return &bbb.Failure{Key: "sizeError", Message: fmt.Sprintf(
		"The list of these recordings is longer than %d bytes: ask for parts of it, with limit and offset", most)}
}

var errNoRoomForList = &bbb.Failure{Key: gatewayErrorKey, Message: "too many lists of recordings are under way"}

// waitForRoom takes size bytes of all budgets, the frontend's first.
func (g *Gateway) waitForRoom(ctx context.Context, req *request, r *room, size int64) error {
	waiting, cancel := context.WithTimeout(ctx, shareWait)
	defer cancel()
	for i, budget := range r.within {
		if budget.Acquire(waiting, size) == nil {
			continue
		}
		for _, taken := range r.within[:i] {
			taken.Release(size)
		}
		if req.http.Context().Err() != nil { // the client has left, as clients do
			return errNoRoomForList
		}
		if others, due := g.overLists.due(time.Now()); due {
			g.log.WarnContext(ctx, "no room for a list of recordings", "frontend", req.frontend.Key, "bytes", size,
				"refused_since_last_line", others)
		}
		return errNoRoomForList
	}
	r.size = size
	return nil
}

// grow takes more of all budgets, if that is to be had now.
func (r *room) grow(n int64) bool {
	for i, budget := range r.within {
		if budget.TryAcquire(n) {
			continue
		}
		for _, taken := range r.within[:i] {
			taken.Release(n)
		}
		return false
	}
	r.size += n
	return true
}
