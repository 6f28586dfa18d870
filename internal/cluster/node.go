package cluster

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// call sends one call to a backend, with a deadline of its own.
func (c *Cluster) call(ctx context.Context, b *routing.Backend, limit time.Duration, call bbb.Call) (*bbb.Answer, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	answer, err := c.signed(limited, b, call)
	if c.opts.Calls != nil {
		c.timed(ctx, b.ID, call.Name, begin, err)
	}
	switch {
	case err == nil:
		b.Answered()
	case ctx.Err() == nil: // who goes away says nothing about the node
		b.Failed(reasonOf(err), errors.Is(err, errSecretRefused))
	}
	return answer, err
}

var errSecretRefused = errors.New("the node does not accept our secret")

func (c *Cluster) signed(ctx context.Context, b *routing.Backend, call bbb.Call) (*bbb.Answer, error) {
	for range 2 {
		secondary := b.Secondary()
		answer, err := c.nodes.Do(ctx, nodeOf(b), call)
		if err != nil {
			return nil, err
		}
		if answer.Succeeded() || answer.MessageKey() != bbb.ErrChecksum.Key {
			b.SecretUse().Used(secondary && b.SecondarySecret != "", time.Now())
			return answer, nil
		}
		if b.SecondarySecret == "" {
			break
		}
		b.UseSecondary(!secondary) // its secret is being changed: the other one may count
	}
	// The node refused our signature: whatever we asked was not done, and the
	// frontend must not take it for its own mistake.
	return nil, &bbb.CallError{Call: call.Name, Outcome: bbb.Refused, Err: errSecretRefused}
}

// address is what must not be shown of an error: where the node is, and how we
// sign.
var address = regexp.MustCompile(`(?i)[a-z]+://[^\s"]+|checksum=[^\s"&]*`)

// reasonOf is an error in a few words for operators.
func reasonOf(err error) string {
	why := err.Error()
	if e, ok := errors.AsType[*bbb.CallError](err); ok {
		why = e.Call + ": " + e.Err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			why = e.Call + ": no answer in time"
		}
	}
	why = strings.ToValidUTF8(address.ReplaceAllString(why, "…"), "")
	if runes := []rune(why); len(runes) > 200 {
		why = string(runes[:200]) + "…"
	}
	return why
}

func nodeOf(b *routing.Backend) bbb.Node {
	secret := b.Secret
	if b.Secondary() && b.SecondarySecret != "" {
		secret = b.SecondarySecret
	}
	return bbb.Node{BaseURL: b.Host, Secret: secret.Reveal()}
}

// nodeID is the id of a meeting on the nodes; "" when its frontend is gone.
func (c *Cluster) nodeID(key b3scale.MeetingKey) string {
	f := c.table.FrontendByID(key.FrontendID)
	if f == nil {
		return ""
	}
	return b3scale.EncodeMeetingID(f.Key, key.MeetingID)
}

// info looks a room up on a backend by the id it has there. Not found is
// (nil, nil): an answer, not an error.
func (c *Cluster) info(ctx context.Context, b *routing.Backend, nodeID string, limit time.Duration) (*sight, error) {
	var params bbb.Params
	params.Set("meetingID", nodeID)
	answer, err := c.call(ctx, b, limit, bbb.Call{Name: "getMeetingInfo", Params: params})
	if err != nil {
		return nil, err
	}
	if !answer.Succeeded() {
		if answer.MessageKey() == bbb.ErrNotFound.Key {
			return nil, nil //nolint:nilnil // unexported, and documented: absence is the answer
		}
		return nil, &bbb.CallError{Call: "getMeetingInfo", Outcome: bbb.Malformed, Err: errors.New("FAILED " + answer.MessageKey())}
	}
	x := readRoom(answer.Doc, answer.Root())
	if x.NodeID != nodeID || x.InternalID == "" {
		return nil, &bbb.CallError{Call: "getMeetingInfo", Outcome: bbb.Malformed, Err: errors.New("the answer is of another room")}
	}
	return x, nil
}

// unreachable is what a frontend is told when a node brought no answer.
func unreachable(err error) error {
	return b3scale.Errorf(b3scale.NodeFailed, "the server of this meeting did not answer").Because(err)
}
