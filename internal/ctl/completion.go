package ctl

import (
	"context"
	_ "embed"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

// bashAlone stands in for the package bash-completion where that is missing.
//
//go:embed completion.bash
var bashAlone string

func (s *session) completionCommand() *cobra.Command {
	cmd := group("completion", "print what makes a shell complete words, with live names", "completions")
	cmd.Long = `Print a script that makes a shell complete commands, flags and the names of backends, frontends and
meetings. For one session, or in the file that your shell reads at its start:

    source <(b3scalectl completion bash)
    source <(b3scalectl completion zsh)      # after compinit
    b3scalectl completion fish | source`
	for shell, write := range map[string]func(root *cobra.Command) error{
		"bash": func(root *cobra.Command) error {
			if _, err := s.Out.Write([]byte(bashAlone)); err != nil {
				return err
			}
			return root.GenBashCompletionV2(s.Out, true)
		},
		"zsh":  func(root *cobra.Command) error { return root.GenZshCompletion(s.Out) },
		"fish": func(root *cobra.Command) error { return root.GenFishCompletion(s.Out, true) },
	} {
		cmd.AddCommand(&cobra.Command{
			Use: shell, Short: "for " + shell, Args: wants(),
			RunE: func(cmd *cobra.Command, _ []string) error { return write(cmd.Root()) },
		})
	}
	return cmd
}

// names are completions; there are no files to complete anywhere.
type names = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// completes gives a flag fixed values.
func (s *session) completes(cmd *cobra.Command, flag string, values ...string) {
	s.completesFlag(cmd, flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	})
}

// completesFlag completes the value of a flag as if it stood alone.
func (s *session) completesFlag(cmd *cobra.Command, flag string, complete names) {
	alone := func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return complete(cmd, nil, begun)
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, alone); err != nil {
		panic(err) // there is no such flag
	}
}

func (s *session) completeHosts(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return s.complete(cmd, args, begun, s.hosts)
}

func (s *session) completeKeys(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return s.complete(cmd, args, begun, s.keys)
}

func (s *session) completeMeetings(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return s.complete(cmd, args, begun, func(ctx context.Context) ([]string, error) {
		all, err := s.meetings(ctx, apiclient.MeetingsListParams{})
		ids := make([]string, len(all))
		for i := range all {
			ids[i] = all[i].plainID
		}
		return ids, err
	})
}

// patienceOfShells is how long somebody waits who has pressed Tab.
const patienceOfShells = 3 * time.Second

// complete asks the server for names. It never asks for a secret, and says
// nothing of errors: somebody is typing.
func (s *session) complete(cmd *cobra.Command, args []string, begun string, list func(context.Context) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	const nothingElse = cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 {
		return nil, nothingElse
	}
	t, err := s.findToken()
	if err != nil || t.text == "" {
		return nil, nothingElse
	}
	s.timeout = patienceOfShells
	if err := s.use(t); err != nil {
		return nil, nothingElse
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), patienceOfShells)
	defer cancel()
	all, err := list(ctx)
	if err != nil {
		return nil, nothingElse
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool {
		return !strings.HasPrefix(name, begun) || name != clean(name)
	}), nothingElse
}
