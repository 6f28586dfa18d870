package logtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"b3scale/bbb/bbbtest"
)

// least is how long a word must be to be searched wherever it stands. Shorter
// ones, as names of people are, are searched as the value of a key.
const least = 6

// Secret notes a text that must not be in the log of this process, and returns
// it.
func Secret[T ~string](word T) T {
	if len(strings.TrimSpace(string(word))) < least {
		panic(fmt.Sprintf("%q: a secret of less than %d letters cannot be searched", string(word), least))
	}
	note(string(word))
	return word
}

// Person notes the name of somebody, and returns it. The parts of longer names
// must not be in the log either.
func Person(name string) string {
	note(name)
	for part := range strings.FieldsSeq(name) {
		note(part)
	}
	return name
}

// Node notes the secret of a node, and when the test is over, who was there or
// came through it, and with which passwords. nobody are names that no person
// has.
func Node(t testing.TB, n *bbbtest.Node, nobody ...string) {
	t.Helper()
	Secret(n.API().Secret)
	if words() == nil {
		return
	}
	t.Cleanup(func() {
		for _, r := range n.Rooms() {
			passwords(r.AttendeePW, r.ModeratorPW)
			for _, a := range r.Attendees {
				if !slices.Contains(nobody, a.FullName) {
					Person(a.FullName)
				}
			}
		}
		for _, r := range n.Requests() {
			passwords(r.Params.Get("attendeePW"), r.Params.Get("moderatorPW"), r.Params.Get("password"))
			if name := r.Params.Get("fullName"); !slices.Contains(nobody, name) {
				Person(name)
			}
		}
	})
}

// passwords notes those that tests did not choose to be short.
func passwords(all ...string) {
	for _, one := range all {
		if len(one) >= least {
			note(one)
		}
	}
}

// wordsOf is the file of words that belongs to a file of logs.
func wordsOf(log string) string { return strings.TrimSuffix(log, ".log") + ".words" }

// note writes a word once, on a line of its own. What has less than three
// letters, or no letters at all, says nothing.
func note(word string) {
	word = strings.TrimSpace(word)
	if words() == nil || len(word) < 3 || strings.ContainsAny(word, "\n\r") || strings.Trim(word, "0123456789.-") == "" {
		return
	}
	if _, known := noted.LoadOrStore(word, true); known {
		return
	}
	if _, err := words().WriteString(word + "\n"); err != nil {
		panic(fmt.Errorf("note a word: %w", err)) // or it would not be searched
	}
}

var noted sync.Map // words

// words is nil when logs are not kept.
var words = sync.OnceValue(func() *os.File {
	if file() == nil {
		return nil
	}
	return open(wordsOf(filepath.Clean(file().Name())))
})
