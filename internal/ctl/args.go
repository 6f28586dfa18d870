package ctl

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// oldNames are short flags of more than one letter.
var oldNames = map[string]string{"fe": "frontend", "feid": "frontend-id"}

// arrange puts the words of the command first, so that flags may stand before,
// between and after them. Cobra alone would take the word after a flag that it
// does not know yet for the flag's value.
func arrange(root *cobra.Command, args []string) []string {
	if len(args) > 1 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		last := len(args) - 1 // is still being typed
		return slices.Concat(args[:1], arrange(root, args[1:last]), args[last:])
	}
	cmd := root
	var words, rest []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		if !isFlag(arg) {
			if next := subcommand(cmd, arg); next != nil {
				cmd = next
				words = append(words, arg)
			} else {
				rest = append(rest, arg)
			}
			continue
		}
		arg = longFlag(cmd, arg)
		rest = append(rest, arg)
		if wantsValue(cmd, arg) && i+1 < len(args) {
			i++
			rest = append(rest, args[i])
		}
	}
	return append(words, rest...)
}

func isFlag(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

func subcommand(cmd *cobra.Command, name string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c
		}
	}
	return nil
}

// longFlag gives long names two dashes and letters one: they were the same for
// the tool whose scripts we run.
func longFlag(cmd *cobra.Command, arg string) string {
	typed := strings.TrimPrefix(arg[1:], "-")
	name, value, hasValue := strings.Cut(typed, "=")
	if long, old := oldNames[name]; old {
		name = long
	}
	switch {
	case len(name) == 1 && (name == "h" || findFlag(cmd, func(f *pflag.Flag) bool { return f.Shorthand == name }) != nil):
		name = "-" + name // -h is there only when a command runs
	case len(name) > 1 && findFlag(cmd, func(f *pflag.Flag) bool { return f.Name == name }) != nil:
		name = "--" + name
	default:
		return arg
	}
	if hasValue {
		return name + "=" + value
	}
	return name
}

// wantsValue reports whether the next argument belongs to this flag.
func wantsValue(cmd *cobra.Command, arg string) bool {
	if name, long := strings.CutPrefix(arg, "--"); long {
		f := findFlag(cmd, func(f *pflag.Flag) bool { return f.Name == name }) // a name with = is nobody's
		return f != nil && f.NoOptDefVal == ""
	}
	for i := 1; i < len(arg); i++ { // short ones may be joined; only the last can wait for a value
		f := findFlag(cmd, func(f *pflag.Flag) bool { return f.Shorthand == arg[i:i+1] })
		if f == nil {
			return false
		}
		if f.NoOptDefVal == "" {
			return i == len(arg)-1
		}
	}
	return false
}

// findFlag looks where the flag may belong: to the words that were there, and
// to those that may still come. One name is the same kind of flag everywhere.
func findFlag(cmd *cobra.Command, wanted func(*pflag.Flag) bool) *pflag.Flag {
	for c := cmd; c != nil; c = c.Parent() {
		if f := flagOf(c.PersistentFlags(), wanted); f != nil {
			return f
		}
	}
	return findBelow(cmd, wanted)
}

func findBelow(cmd *cobra.Command, wanted func(*pflag.Flag) bool) *pflag.Flag {
	for _, set := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
		if f := flagOf(set, wanted); f != nil {
			return f
		}
	}
	for _, c := range cmd.Commands() {
		if f := findBelow(c, wanted); f != nil {
			return f
		}
	}
	return nil
}

func flagOf(set *pflag.FlagSet, wanted func(*pflag.Flag) bool) (found *pflag.Flag) {
	set.VisitAll(func(f *pflag.Flag) {
		if found == nil && wanted(f) {
			found = f
		}
	})
	return found
}
