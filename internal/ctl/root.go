package ctl

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	defaultAPI     = "http://127.0.0.1:42353"
	defaultTimeout = 30 * time.Second
)

const about = `b3scalectl runs a b3scale cluster from the command line: it shows, adds, changes
and removes frontends and backends, and looks after meetings.

It asks the REST API of b3scaled at --api. The first command asks for the API secret
of the cluster, makes a token with it and keeps the token, if the server accepts it.

Flags may stand before, between and after the words of a command.

Exit codes: 0 good; 64 nothing had to be changed; 3 drain has waited long enough;
130 and 143 interrupted by Ctrl-C or SIGTERM; 1 anything else.`

// environment describes the variables, for the help and the manual.
const environment = `B3SCALE_API_URL             address of the API; --api wins
B3SCALE_API_ACCESS_TOKEN    token to use instead of the one that is kept
B3SCALE_API_JWT_SECRET      secret for "auth create_access_token" and "auth authorize_node_agent"
NO_COLOR                    no colours, whatever the value

NAME_FILE names a file that holds the value of a token or secret. No env file is read.`

// Command is the whole tree of commands, for the manual.
func Command() *cobra.Command { return newSession(Options{}).command() }

func (s *session) command() *cobra.Command {
	root := &cobra.Command{
		Use:               "b3scalectl",
		Short:             "operate a b3scale cluster",
		Long:              about + "\n\nEnvironment:\n\n    " + strings.ReplaceAll(environment, "\n", "\n    "),
		Version:           s.Version + "\t" + s.Build,
		Args:              cobra.ArbitraryArgs,
		RunE:              s.greet,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetVersionTemplate("b3scalectl v.{{.Version}}\n")
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	api := defaultAPI
	if text := s.getenv("B3SCALE_API_URL"); text != "" {
		api = text
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&s.api, "api", "b", api, "address of b3scaled, without /api/v1")
	flags.Lookup("api").DefValue = defaultAPI // the manual must not know whose machine it was made on
	flags.StringVarP(&s.output, "output", "o", plain, "how to show things: plain, table, json or yaml")
	flags.BoolVar(&s.json, "json", false, "the same as --output json")
	flags.DurationVar(&s.timeout, "timeout", defaultTimeout, "how long one request may take; 0: for ever")
	s.completes(root, "output", formats...)
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return s.checkOutput() }
	root.AddCommand(
		s.statusCommand(), s.showCommand(), s.setCommand(), s.deleteCommand(), s.enableCommand(), s.disableCommand(),
		s.drainCommand(), s.endCommand(), s.replayCommand(), s.moveCommand(), s.recordingsCommand(), s.declareLostCommand(), s.createMeetingCommand(), s.explainCommand(), s.dbCommand(),
		s.authCommand(), s.versionCommand(), s.contractCommand(), s.completionCommand(),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultVersionFlag()
	return root
}

// group makes a command that is only the first of several words.
func group(use, short string, more ...string) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Aliases: more, Args: cobra.ArbitraryArgs}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return cmd.Help()
	}
	return cmd
}

func unknownCommand(cmd *cobra.Command, word string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	advice := didYouMean(word, names)
	if advice == "" {
		advice = ": see " + cmd.CommandPath() + " --help"
	}
	return fmt.Errorf("unknown command %q for %q%s", word, cmd.CommandPath(), advice)
}

// wants checks that there is an argument for every name.
func wants(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return fmt.Errorf("usage: %s %s", cmd.CommandPath(), strings.Join(names, " "))
		}
		return nil
	}
}
