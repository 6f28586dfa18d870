package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"math"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"b3scale/bbb/bbbtest"
)

// simulation is what happens beside the nodes.
type simulation struct {
	redis, password string
	users           int
	churn           float64
	properties      string
	formats         string
	processing      time.Duration
	recordings      recordings

	addrs      []string
	publishers []*publisher
}

func (s *simulation) flags(flags *flag.FlagSet) {
	flags.StringVar(&s.redis, "redis", "", "`addresses` of the Redis of each node, host:port,host:port,…: events go there; none if empty")
	flags.StringVar(&s.password, "redis-password", "", "`password` of all of them")
	flags.IntVar(&s.users, "users", 0, "simulated `people` on each node, spread over the meetings that are there")
	flags.Float64Var(&s.churn, "churn", 0, "`joins` and leaves of these people per second, each with a switch of a voice or camera")
	flags.StringVar(&s.formats, "formats", "presentation", "`formats` in which recordings are published, separated by commas; each is told to who asked; none if empty")
	flags.DurationVar(&s.processing, "processing-time", 0, "`time` between the end of a meeting and its recording and figures")
	s.recordings.flags(flags)
	flags.StringVar(&s.properties, "properties", "", "`directory` for the bbb-web.properties that an agent reads, as DIR/node0/bbb-web.properties; it holds secrets")
}

// prepare checks the flags and lets the fleet run the simulation.
func (s *simulation) prepare(ctx context.Context, opts *bbbtest.FleetOptions, log io.Writer) error {
	var err error
	if s.addrs, err = addresses(s.redis, opts.Nodes); err != nil {
		return err
	}
	switch {
	case s.users < 0:
		return errors.New("-users is negative")
	case s.churn < 0 || math.IsNaN(s.churn) || s.churn > 1000:
		return errors.New("-churn is not between 0 and 1000")
	case s.churn > 0 && s.users == 0:
		return errors.New("-churn needs -users")
	}
	opts.Node.RecordingFormats = strings.FieldsFunc(s.formats, func(r rune) bool { return r == ',' || r == ' ' })
	opts.Node.ProcessingTime = s.processing
	logger := slog.New(slog.NewTextHandler(log, nil))
	if err := s.recordings.prepare(ctx, &opts.Node, logger); err != nil {
		return err
	}
	for i, addr := range s.addrs {
		s.publishers = append(s.publishers, newPublisher(i, addr, s.password, logger))
	}
	if len(s.publishers) > 0 {
		opts.Events = func(node int) func(string, []byte) { return s.publishers[node].publish }
	}
	opts.Beside = func(ctx context.Context, nodes []*bbbtest.Node) error { return s.run(ctx, nodes) }
	return nil
}

func (s *simulation) run(ctx context.Context, nodes []*bbbtest.Node) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range s.publishers {
		group.Go(func() error { return p.Run(ctx) })
	}
	for i, n := range nodes {
		if s.properties != "" {
			group.Go(func() error { return s.propertiesOf(n, i).write(s.properties, n.Name()) })
		}
		if s.users > 0 {
			c := &crowd{node: n, size: s.users, churn: s.churn}
			group.Go(func() error { return c.Run(ctx) })
		}
	}
	return group.Wait()
}

func (s *simulation) propertiesOf(n *bbbtest.Node, i int) properties {
	p := properties{serverURL: n.PublicURL(), secret: n.API().Secret, redisPassword: s.password}
	if i < len(s.addrs) {
		p.redisAddr = s.addrs[i]
	}
	return p
}
