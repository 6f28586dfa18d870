package ctl

import (
	"strings"

	"github.com/spf13/cobra"
)

func (s *session) showCommand() *cobra.Command {
	cmd := group("show", "look at backends, frontends, meetings, recordings, callbacks and changes", "s")
	cmd.AddCommand(
		s.showBackendsCommand(), s.showBackendCommand(), s.showFrontendsCommand(), s.showFrontendCommand(),
		s.showMeetingsCommand(), s.showMeetingCommand(), s.showRecordingsCommand(), s.showRecordingCommand(),
		s.showCallbacksCommand(), s.showCallbackCommand(), s.showAuditCommand(),
	)
	return cmd
}

// upper begins a sentence.
func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
