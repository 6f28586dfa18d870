package app

import (
	"context"

	"b3scale/internal/adminapi"
	"b3scale/internal/callbacks"
	"b3scale/internal/config"
	"b3scale/internal/gateway"
	"b3scale/internal/recordings"
)

// newLibrary makes the library of recordings; nil when none are kept.
func (a *App) newLibrary(relay *callbacks.Relay, opts recordings.Options) *recordings.Library {
	if !a.cfg.RecordingsOn() {
		return nil
	}
	opts = withTrees(opts, a.cfg)
	opts.Original, opts.Observe = relay.Original, a.cfg.Observe
	opts.Done = a.metrics.RecordingWorked
	return recordings.New(a.store, a.cluster, a.log, opts)
}

// withTrees are opts with the directories of the settings.
func withTrees(opts recordings.Options, cfg config.Config) recordings.Options {
	opts.Published, opts.Unpublished, opts.Inbox = cfg.RecordingsPublished, cfg.RecordingsUnpublished, cfg.RecordingsInbox
	return opts
}

// gatewayRecordings is nil when there is no library: an interface with a nil
// pointer in it would not be.
func (a *App) gatewayRecordings() gateway.Recordings {
	if a.library == nil {
		return nil
	}
	return a.library
}

func (a *App) apiRecordings() adminapi.Recordings {
	if a.library == nil {
		return nil
	}
	return a.library
}

func (a *App) gatewayPlayback() gateway.Playback {
	if a.playback == nil {
		return nil
	}
	return a.playback
}

func (a *App) apiPlayback() adminapi.Playback {
	if a.playback == nil {
		return nil
	}
	return a.playback
}

// runSurvey counts recordings for the metrics, until ctx is over.
func (a *App) runSurvey(ctx context.Context) error {
	if a.survey == nil {
		return nil
	}
	return a.survey.Run(ctx)
}

// runLibrary repairs what broke off, until ctx is over.
func (a *App) runLibrary(ctx context.Context) error {
	if a.library == nil {
		return nil
	}
	for _, problem := range a.library.Probe() {
		a.log.ErrorContext(ctx, "recordings cannot be kept", "error", problem)
	}
	return a.library.Run(ctx)
}
