package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Events that wait for Redis. A real node does not wait for long either.
const waitingEvents = 10_000

// publisher is the way of one node's events to its Redis. What cannot be
// published is lost, and never repeated.
type publisher struct {
	node  int
	queue chan event
	redis *redis.Client
	log   *slog.Logger
}

type event struct {
	channel string
	message []byte
}

func newPublisher(node int, addr, password string, log *slog.Logger) *publisher {
	return &publisher{
		node: node, queue: make(chan event, waitingEvents), log: log.With("node", node, "redis", addr),
		redis: redis.NewClient(&redis.Options{
			Addr: addr, Password: password,
			PoolSize:    1, // one connection keeps the order
			MaxRetries:  -1,
			DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
			DialerRetries:            1,
			DisableIdentity:          true,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}),
	}
}

// publish never blocks the node.
func (p *publisher) publish(channel string, message []byte) {
	select {
	case p.queue <- event{channel, message}:
	default:
	}
}

// Run publishes until ctx ends, and connects again whenever Redis is back.
func (p *publisher) Run(ctx context.Context) error {
	defer func() { _ = p.redis.Close() }()
	away := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case one := <-p.queue:
			err := p.redis.Publish(ctx, one.channel, one.message).Err()
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				if !away {
					p.log.Warn("redis is away, events are lost", "error", err)
				}
				away = true
				p.forget()
			case away:
				p.log.Info("redis is back")
				away = false
			}
		}
	}
}

// forget loses what came while Redis did not answer.
func (p *publisher) forget() {
	for {
		select {
		case <-p.queue:
		default:
			return
		}
	}
}

// addresses takes -redis apart: one address for each node.
func addresses(list string, nodes int) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	all := strings.Split(list, ",")
	if len(all) != nodes {
		return nil, fmt.Errorf("-redis has %d addresses for %d nodes; each node has a Redis of its own", len(all), nodes)
	}
	seen := make(map[string]bool, len(all))
	for i, addr := range all {
		all[i] = strings.TrimSpace(addr)
		host, port, err := net.SplitHostPort(all[i])
		if err != nil {
			return nil, fmt.Errorf("-redis: %w", err)
		}
		if host == "" || port == "" {
			return nil, fmt.Errorf("-redis: %q is not like 127.0.0.1:6379", all[i])
		}
		if seen[all[i]] {
			return nil, fmt.Errorf("-redis: two nodes would share %s", all[i])
		}
		seen[all[i]] = true
	}
	return all, nil
}
