package ctl

import (
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"b3scale/internal/apiclient"
)

// greet is the command without words: the help, and what the server says.
func (s *session) greet(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	if err := cmd.Help(); err != nil {
		return err
	}
	s.say("")
	return s.sayServer(cmd)
}

func (s *session) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the versions of this tool and of the server",
		Args:  wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.say("b3scalectl v.%s\t%s", s.Version, s.Build)
			return s.sayServer(cmd)
		},
	}
}

// sayServer tells what runs there. It asks nobody for a secret.
func (s *session) sayServer(cmd *cobra.Command) error {
	t, err := s.findToken()
	if err != nil {
		return err
	}
	if err := s.use(t); err != nil {
		return err
	}
	if t.text == "" {
		s.complain("not authorized at %s yet: %s", s.api, authorizeAgain)
		return nil
	}
	if err := s.ask(cmd.Context()); err != nil {
		return err
	}
	s.say("b3scaled v.%s\t%s", s.server.Version, s.server.Build)
	s.say("API:      %s, version %s", s.api, s.server.API)
	s.say("Token:    %s", tokenText(s.server))
	s.sayDatabase(&s.server.Database)
	return nil
}

func tokenText(status *apiclient.Status) string {
	if status.IsAdmin {
		return status.AccountRef + ", an administrator"
	}
	return status.AccountRef
}

func (s *session) sayDatabase(d *apiclient.Database) {
	s.say("Database: %s", d.Name)
	if m := d.Migration; m != nil {
		s.say("Version:  v%d, '%s', applied at: %s", m.Version, m.Description, m.AppliedAt.Format(time.RFC3339))
	}
	for _, problem := range databaseProblems(d) {
		s.complain("warning: %s", problem)
	}
}

func (s *session) dbCommand() *cobra.Command {
	cmd := group("db", "look after the database")
	cmd.AddCommand(&cobra.Command{
		Use:   "migrate",
		Short: "bring the database up to date",
		Args:  wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if err := s.login(ctx, changes); err != nil {
				return err
			}
			pending := s.server.Database.PendingMigrations
			if !s.server.Database.Available {
				return fmt.Errorf("the database does not answer: %s", orEmpty(s.server.Database.Error))
			}
			if pending == 0 {
				s.say("the database is up to date")
				s.sayDatabase(&s.server.Database)
				return nil
			}
			answer, err := s.client.CtrlMigrateWithResponse(ctx)
			if err != nil {
				return err
			}
			s.say("applied migrations: %d", pending-answer.JSON200.PendingMigrations)
			s.sayDatabase(answer.JSON200)
			if answer.JSON200.PendingMigrations > 0 {
				return errors.New("the database is still not up to date")
			}
			return nil
		},
	})
	return cmd
}

// contract is made from the contract of the REST API by scripts/generate.
//
//go:embed openapi.json
var contract []byte

func (s *session) contractCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export-openapi-schema",
		Short: "print the contract of the REST API as JSON",
		Args:  wants(),
		RunE: func(*cobra.Command, []string) error {
			if s.output == asYAML {
				return s.showYAML(contract)
			}
			_, err := s.Out.Write(contract)
			return err
		},
	}
}
