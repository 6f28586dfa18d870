package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

type settings struct {
	meetings []int
	callers  int
	measure  time.Duration
	nodes    int
	only     string
	stores   string
	postgres string             // URL of an empty database; "": a private server
	first    map[string]float64 // ratios of the first run, by work
}

// wants tells whether this work is to be measured.
func (s settings) wants(work string) bool {
	return s.only == "" || strings.Contains(","+s.only+",", ","+work+",")
}

func main() {
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	var s settings
	meetings := flag.String("meetings", "100,100000", "how many meetings exist, one run each")
	flag.IntVar(&s.callers, "callers", 16, "closed loops that call at the same time")
	flag.DurationVar(&s.measure, "measure", 3*time.Second, "how long each measurement lasts")
	flag.IntVar(&s.nodes, "nodes", 20, "simulated nodes")
	flag.StringVar(&s.only, "only", "", "a comma list of: join, isMeetingRunning, create, createAgain, getMeetingInfo, getMeetings, heartbeat, recordings")
	flag.StringVar(&s.stores, "stores", "sqlite,postgres", "a comma list of the databases to run on")
	flag.StringVar(&s.postgres, "postgres", "", "URL of an empty PostgreSQL database; by default a private server is started, which never waits for the disk")
	role := flag.String("role", "", "internal: floor or nodes")
	seeded := flag.Int("seeded", 0, "internal: rooms of the nodes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch *role {
	case "floor":
		return serveFloor(ctx)
	case "nodes":
		return serveNodes(ctx, s.nodes, *seeded)
	}
	for n := range strings.SplitSeq(*meetings, ",") {
		count, err := strconv.Atoi(n)
		if err != nil || count < 1 {
			return fmt.Errorf("-meetings: %q is not a number of meetings", n)
		}
		s.meetings = append(s.meetings, count)
	}
	s.first = map[string]float64{}
	return run(ctx, s)
}
