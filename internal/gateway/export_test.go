package gateway

import (
	"context"

	"b3scale"
	"b3scale/bbb"
)

// Counted is how many frontends there is memory of.
func Counted(g *Gateway) int {
	n := 0
	for range g.quotas.all.Range {
		n++
	}
	return n
}

// Flights are for tests of what no node can do.
type Flights struct{ flights }

// Join takes part in a flight.
func (fs *Flights) Join(ctx context.Context, question string, call func(context.Context) (*bbb.Answer, error)) (*bbb.Answer, error) {
	return fs.join(ctx, b3scale.MeetingKey{}, question, call)
}

// Waiting is how many questions are under way.
func (fs *Flights) Waiting() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.of)
}
