package ctl

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

func (s *session) recordingsCommand() *cobra.Command {
	cmd := group("recordings", "check and import recordings")
	cmd.AddCommand(s.checkRecordingsCommand(), s.importRecordingCommand())
	return cmd
}

func (s *session) checkRecordingsCommand() *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "compare recordings with their files",
		Long: "Compare what is stored of recordings with their files, both ways, and print everything in which they do not agree,\n" +
			"separated by tabs: kind, recording, format, path, what is wrong, and whether it is repaired or why not. With --repair\n" +
			"they are made to agree where it is clear how. The exit code is 1 when something stays open.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.patient(cmd)
			what := looks
			if repair {
				what = changes
			}
			if err := s.login(cmd.Context(), what); err != nil {
				return err
			}
			answer, err := s.client.RecordingsCheckWithResponse(cmd.Context(), apiclient.RecordingCheck{Repair: &repair})
			if err != nil {
				return err
			}
			result := answer.JSON200
			err = s.show(answer.Body, func() {
				for i := range result.Differences {
					d := &result.Differences[i]
					s.say("%s\t%s\t%s\t%s\t%s\t%s", d.Kind, orEmpty(d.RecordID), orEmpty(d.Format), orEmpty(d.Path), d.Detail, becameOf(d))
				}
				s.say("differences: %d, repaired: %d, open: %d", len(result.Differences), result.Repaired, result.Open)
			}, func() table { return differenceTable(result.Differences) })
			switch {
			case err != nil || result.Open == 0:
				return err
			case repair:
				return fmt.Errorf("recordings and files do not agree in %d things that nobody can repair alone", result.Open)
			}
			return fmt.Errorf("recordings and files do not agree in %d things; --repair may help", result.Open)
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "make them agree where it is clear how")
	return cmd
}

func becameOf(d *apiclient.RecordingDifference) string {
	switch {
	case d.Repaired:
		return "repaired"
	case d.Error != nil:
		return "open: " + *d.Error
	}
	return "open"
}

func differenceTable(all []apiclient.RecordingDifference) table {
	t := table{header: []string{"KIND", "RECORDING", "FORMAT", "PATH", "WHAT", "STATE"}}
	for i := range all {
		d := &all[i]
		state := text(becameOf(d)).in(bad)
		if d.Repaired {
			state = state.in(good)
		}
		t.add(text(d.Kind), text(orEmpty(d.RecordID)), text(orEmpty(d.Format)), text(orEmpty(d.Path)), text(d.Detail), state)
	}
	return t
}

func (s *session) importRecordingCommand() *cobra.Command {
	var key, meeting string
	var replace bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "import one format of a recording",
		Long: "Import a format of a recording from its metadata.xml, as the hook on a node does; - reads it from the input. Its\n" +
			"files must be in the inbox of the server already. The flags are for metadata that do not tell whose it is.",
		Example: "  b3scalectl recordings import metadata.xml --frontend moodle --meeting physics-101",
		Args:    wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			document, err := s.read(args[0])
			if err != nil {
				return err
			}
			s.patient(cmd)
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			var params apiclient.RecordingsImportParams
			if key != "" {
				f, err := s.frontend(ctx, key)
				if err != nil {
					return err
				}
				params.OverrideFrontendKey = &f.BBB.Key
			}
			if replace {
				params.Replace = &replace
			}
			if meeting != "" {
				params.OverrideOriginalMeetingID = &meeting
			}
			answer, err := s.client.RecordingsImportWithBodyWithResponse(ctx, &params, "application/xml", bytes.NewReader(document))
			if err != nil {
				return err
			}
			r := answer.JSON200
			switch s.output {
			case asJSON, asYAML:
				return s.show(answer.Body, nil, nil)
			}
			s.say("imported recording: %s %s", r.RecordID, visibilityOf(r))
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "frontend", "", "key of the frontend that shall have it, even if another one has it")
	cmd.Flags().BoolVar(&replace, "replace", false, "let new files in the inbox take the place of others of this format")
	cmd.Flags().StringVar(&meeting, "meeting", "", "id of its meeting, as the frontend chose it")
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return []string{"xml"}, cobra.ShellCompDirectiveFilterFileExt
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s.completesFlag(cmd, "frontend", s.completeKeys)
	return cmd
}

// longestDocument is more than any server takes.
const longestDocument = 64 << 20

// read reads a file, or the input.
func (s *session) read(name string) ([]byte, error) {
	in := io.Reader(s.in)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	return io.ReadAll(io.LimitReader(in, longestDocument))
}
