package markdown

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/ast"
)

// slugs names headings as forges do: in lower case, blanks become hyphens,
// letters, digits, hyphens and underscores stay, and a name that is taken gets a
// number.
type slugs struct{ given []string }

func (s *slugs) Generate(heading []byte, _ ast.NodeKind) []byte {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(string(heading)))
	free := name
	for i := 1; slices.Contains(s.given, free); i++ {
		free = name + "-" + strconv.Itoa(i)
	}
	s.given = append(s.given, free)
	return []byte(free)
}

func (s *slugs) Put(name []byte) { s.given = append(s.given, string(name)) }
