package agent

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// keepSampling looks at the machine apart from the heartbeats, because a disk
// may hang.
func (a *Agent) keepSampling(ctx context.Context) error {
	done := make(chan struct{})
	go func() { // not waited for, for the same reason
		defer close(done)
		tick := time.NewTicker(a.opts.pace.sample)
		defer tick.Stop()
		var backlog *int
		for round := 0; ; round++ {
			if round%12 == 0 { // a large directory
				backlog = unprocessed(filepath.Join(a.opts.DataDir, "recording", "status"))
			}
			version := release(a.opts.ReleaseFile)
			a.vitals.bbbVersion.Store(&version)
			s := sample{
				Load1:       load1("/proc/loadavg"),
				DiskFree:    diskFree(a.opts.DataDir),
				Unprocessed: backlog,
			}
			s.MemoryTotal, s.MemoryFree = memory("/proc/meminfo")
			a.vitals.sample.Store(&takenSample{sample: s, at: time.Now()})
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	<-ctx.Done()
	select {
	case <-done:
	case <-time.After(100 * time.Millisecond):
	}
	return nil
}

func load1(file string) *float64 {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(raw), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil || !(load >= 0 && load < 1e9) { // NaN is neither
		return nil
	}
	return &load
}

// memory gives what there is and what programs could get, in bytes.
func memory(file string) (total, free *uint64) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, nil
	}
	for line := range strings.Lines(string(raw)) {
		name, rest, _ := strings.Cut(line, ":")
		digits, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		kib, err := strconv.ParseUint(digits, 10, 50)
		switch {
		case err != nil:
		case name == "MemTotal":
			total = new(kib << 10)
		case name == "MemAvailable":
			free = new(kib << 10)
		}
	}
	return total, free
}

// unprocessed counts recordings that passed the sanity check and were not
// published since in any format; nil when this is not a node that records.
func unprocessed(status string) *int {
	checked := doneFiles(filepath.Join(status, "sanity"))
	if checked == nil {
		return nil
	}
	waiting := make(map[string]bool, len(checked))
	for _, id := range checked {
		waiting[id] = true
	}
	if len(waiting) > 0 {
		for _, name := range doneFiles(filepath.Join(status, "published")) { // ID-FORMAT, and the ID has one hyphen
			parts := strings.SplitN(name, "-", 3)
			if len(parts) >= 2 {
				delete(waiting, parts[0]+"-"+parts[1])
			}
		}
	}
	return new(len(waiting))
}

// doneFiles lists the names of a directory's .done files; nil without one.
func doneFiles(dir string) []string {
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".done"); ok {
			names = append(names, name)
		}
	}
	return names
}
