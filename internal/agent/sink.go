package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Sink is where an agent brings what it knows of its node. The API of b3scaled
// is one. Its methods may be called at the same time, and each error that is
// no NoBackend may be over at the next attempt.
type Sink interface {
	// Reach tells what is on the other side, for the log.
	Reach(ctx context.Context) ([]slog.Attr, error)
	// Backend finds the backend of the node. NoBackend: there is none.
	Backend(ctx context.Context, n Node) (Backend, error)
	// Change makes the backend what the node says of itself.
	Change(ctx context.Context, backendID string, n Node) error
	// Add adds a backend that an operator still has to make ready.
	Add(ctx context.Context, n Node) (Backend, error)
	// Heartbeat says that the agent of the backend lives.
	Heartbeat(ctx context.Context, backendID string, h Heartbeat) error
	// Events brings a batch, which may have been brought before.
	Events(ctx context.Context, backendID string, b Batch) (Receipt, error)
}

var _ Sink = (*api)(nil)

// Node is what a sink is to know of the node.
type Node struct {
	Host       string // address of its BBB API
	Secret     string
	LoadFactor float64 // 0: what the sink has stays
}

// Format shows no more than the host.
func (n Node) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(n.Host)) }

// LogValue does the same for slog.
func (n Node) LogValue() slog.Value { return slog.StringValue(n.Host) }

// Backend is what an agent wants to know of its backend.
type Backend struct {
	ID         string
	Host       string
	AdminState string
}

// NoBackend says that no backend is this node's; its text tells the cure.
type NoBackend string

func (e NoBackend) Error() string { return string(e) }

func isNoBackend(err error) bool {
	_, ok := errors.AsType[NoBackend](err)
	return ok
}

// Batch is what an agent tells at once.
type Batch struct {
	Boot   string  `json:"boot"`
	Events []Event `json:"events"`
	Lost   uint64  `json:"lost"` // events before these that are gone for good
}

// Receipt is the answer to a Batch.
type Receipt struct {
	Acknowledged *uint64 `json:"acknowledged"` // sequence of the last event that need not be sent again
	Reconcile    bool    `json:"reconcile"`    // the other side looks for itself what it missed
}
