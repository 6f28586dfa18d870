package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// errForgotten says that the server knew our backend and does not any more.
// Somebody removed it, so we do not come back at once.
var errForgotten = errors.New("the server knows no backend of this agent any more")

// keepRegistered reads the settings of BigBlueButton, makes the server know
// them, and does so again when they change or the server forgets us.
func (a *Agent) keepRegistered(ctx context.Context, tell notifier) error {
	pace := a.opts.pace
	retry := backoff{least: pace.retryLeast, most: pace.retryMost}
	known := false // to the server, the last time
	for sleep(ctx, jitter(pace.retryLeast)) {
		seen := stampOf(a.opts.DefaultsFile, a.opts.ConfigFile)
		n, err := a.readNode()
		if err == nil {
			err = a.register(ctx, n, known)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case isNoBackend(err), errors.Is(err, errForgotten):
			known = false
			a.log.WarnContext(ctx, err.Error())
			tell.send("STATUS=no backend is this node's")
			if !sleep(ctx, jitter(pace.unbound)) {
				return nil
			}
		case err != nil:
			wait := max(retry.wait(), askedToWait(err))
			a.log.WarnContext(ctx, "not registered", "error", err, "again_in", wait.Round(time.Millisecond))
			tell.send("STATUS=not registered")
			if !sleep(ctx, wait) {
				return nil
			}
		default:
			known = true
			retry.reset()
			tell.send("STATUS=registered")
			a.waitForChange(ctx, seen)
		}
	}
	return nil
}

// readNode publishes what it reads, so that events are heard although no
// server answers yet.
func (a *Agent) readNode() (node, error) {
	n, err := readNode(a.opts.DefaultsFile, a.opts.ConfigFile)
	if err != nil {
		return node{}, err
	}
	if old, _ := a.node.get(); old == nil || *old != n {
		a.node.set(&n)
	}
	return n, nil
}

// waitForChange returns when the files change or the server seems to know our
// backend no more.
func (a *Agent) waitForChange(ctx context.Context, seen stamp) {
	tick := time.NewTicker(a.opts.pace.files)
	defer tick.Stop()
	for {
		id, changed := a.backend.get()
		if id == "" {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
			if stampOf(a.opts.DefaultsFile, a.opts.ConfigFile) != seen {
				a.log.InfoContext(ctx, "the settings of BigBlueButton have changed")
				return
			}
		}
	}
}

// register makes the server know this node and sets the backend.
func (a *Agent) register(ctx context.Context, n node, known bool) error {
	ctx, cancel := context.WithTimeout(ctx, a.opts.pace.registerDeadline)
	defer cancel()
	server, err := a.calls.Reach(ctx)
	if err != nil {
		return err
	}
	wanted := a.wanted(&n)
	b, err := a.calls.Backend(ctx, wanted)
	switch {
	case isNoBackend(err):
		a.backend.set("")
		switch {
		case known:
			return errForgotten
		case !a.opts.Register:
			return err
		}
		return a.registerNew(ctx, wanted)
	case err != nil:
		return fmt.Errorf("look for the backend: %w", err)
	}
	a.backend.set(b.ID) // it may live on what the server has
	err = a.calls.Change(ctx, b.ID, wanted)
	switch {
	case err == nil:
		ours := []slog.Attr{slog.String("backend", b.ID), slog.String("host", n.host), slog.String("admin_state", b.AdminState)}
		a.log.LogAttrs(ctx, slog.LevelInfo, "registered", append(ours, server...)...)
	case refused(err):
		a.log.ErrorContext(ctx, "the server does not take the settings of this node", "backend", b.ID, "host", n.host, "error", err)
	default:
		return fmt.Errorf("change the backend: %w", err)
	}
	return nil
}

func (a *Agent) registerNew(ctx context.Context, n Node) error {
	b, err := a.calls.Add(ctx, n)
	if err != nil {
		return fmt.Errorf("add the backend: %w", err)
	}
	a.log.InfoContext(ctx, "added as a new backend; an operator must make it ready", "backend", b.ID, "host", n.Host)
	a.backend.set(b.ID)
	return nil
}

// wanted is what the other side should have.
func (a *Agent) wanted(n *node) Node {
	return Node{Host: n.host, Secret: string(n.secret), LoadFactor: a.opts.LoadFactor}
}

// refused says that the same again would get the same answer.
func refused(err error) bool {
	switch statusOf(err) {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}
