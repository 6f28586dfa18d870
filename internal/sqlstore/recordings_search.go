package sqlstore

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"b3scale"
)

const (
	// What begins with a prefix is not before it, and before the prefix followed
	// by the last of all characters.
	hasPrefix     = `r.id >= $%[1]d AND r.id < CAST($%[1]d AS TEXT) || '` + lastCharacter + `'`
	amongPrefixes = `r.id IN (SELECT i.id FROM json_each($%d) p CROSS JOIN recordings i WHERE i.id >= p.key AND i.id < p.key || '` + lastCharacter + `'{within})`
	lastCharacter = "\U0010FFFF"

	// The index has the beginnings of values: it takes no long ones.
	hasMetadata = `r.id IN (SELECT i.recording_id FROM recording_metadata i
		WHERE i.name = $%[1]d AND i.value = CAST($%[2]d AS TEXT) AND substr(i.value, 1, 64) = substr($%[2]d, 1, 64){within})`
	likeMetadata = `r.id IN (SELECT i.recording_id FROM recording_metadata i WHERE i.name = $%[1]d AND CASE CAST($%[3]d AS BIGINT)
		WHEN 1 THEN substr(i.value, 1, length(CAST($%[2]d AS TEXT))) = $%[2]d
		WHEN 2 THEN length(i.value) >= length($%[2]d) AND substr(i.value, length(i.value) - length($%[2]d) + 1) = $%[2]d
		ELSE $%[2]d = '' OR replace(i.value, $%[2]d, '') <> i.value END{within})`
	beginsWith, endsWith, contains = 1, 2, 3

	// A frontend's search reads nothing of others, whose recordings may be many.
	ofFrontend = `r.frontend_id = $1`
	within     = ` AND i.frontend_id = $1`

	newestFirst = ` ORDER BY r.start_millis DESC, r.id DESC`
	// Where lists or metadata say which recordings may match, these are looked up
	// and sorted. Databases that have the choice tend to read all of the frontend's
	// in order.
	sortedFew = ` ORDER BY r.start_millis + 0 DESC, r.id DESC`
	// Which they are is found in an index alone, however far the page is from
	// the beginning.
	onePage = `SELECT ` + recordingColumns + ` FROM (SELECT r.id FROM recordings r%s%s LIMIT $%d OFFSET $%d) AS page
		JOIN recordings r ON r.id = page.id` + newestFirst
	allPages   = `SELECT ` + recordingColumns + ` FROM recordings r%s%s`
	countFound = `SELECT COUNT(*) FROM recordings r%s`
)

// recordingSearch is a query in parts. There are not many different texts: each
// connection keeps those that it has seen.
type recordingSearch struct {
	conditions    []string
	args          []any
	within        string // of a frontend, in what looks recordings up
	order         string
	limit, offset int // limit 0: all
}

func newRecordingSearch(q b3scale.RecordingQuery) (*recordingSearch, error) {
	s := &recordingSearch{order: newestFirst, limit: max(q.Limit, 0), offset: max(q.Offset, 0)}
	if len(q.IDs)+len(q.IDPrefixes)+len(q.MeetingIDs)+len(q.Metadata) > 0 {
		s.order = sortedFew
	}
	if q.FrontendID != "" {
		s.within = within
		s.add(ofFrontend, q.FrontendID)
	}
	err := checkIDs(slices.Concat([]string{q.FrontendID}, q.IDs, q.IDPrefixes, q.MeetingIDs, q.States)...)
	s.whereAmong(`r.id = $%d`, `r.id IN (SELECT key FROM json_each($%d))`, q.IDs)
	s.whereAmong(hasPrefix, amongPrefixes, q.IDPrefixes)
	s.whereAmong(`r.meeting_id = $%d`, `r.meeting_id IN (SELECT key FROM json_each($%d))`, q.MeetingIDs)
	s.whereAmong(`r.state = $%d`, `r.state IN (SELECT key FROM json_each($%d))`, q.States)
	if q.FromMillis != 0 || q.ToMillis != 0 {
		s.where(`r.start_millis >= $%d AND r.start_millis < $%d`, q.FromMillis, cmp.Or(q.ToMillis, math.MaxInt64))
	}
	return s, errors.Join(err, s.whereMetadata(q.Metadata))
}

// add adds a condition as it is.
func (s *recordingSearch) add(condition string, args ...any) {
	s.conditions = append(s.conditions, condition)
	s.args = append(s.args, args...)
}

// where adds a condition that the numbers of new arguments are put into.
func (s *recordingSearch) where(condition string, args ...any) {
	s.add(s.numbered(condition, len(s.args), len(args)), args...)
}

func (s *recordingSearch) numbered(condition string, before, n int) string {
	numbers := make([]any, n)
	for i := range numbers {
		numbers[i] = before + i + 1
	}
	return fmt.Sprintf(strings.ReplaceAll(condition, "{within}", s.within), numbers...)
}

// listSizes are how long the lists are that are spelled out, so that databases
// need not guess it. The last text is repeated where there are fewer. Of longer
// ones all is one argument, see setOf.
var listSizes = []int{1, 4, 16}

// whereAmong adds that one of the texts is matched.
func (s *recordingSearch) whereAmong(one, anyOf string, list []string) {
	if len(list) == 0 {
		return
	}
	i := slices.IndexFunc(listSizes, func(size int) bool { return size >= len(list) })
	if i < 0 {
		s.where(anyOf, setOf(list))
		return
	}
	ors := make([]string, listSizes[i])
	args := make([]any, len(ors))
	for n := range ors {
		ors[n] = s.numbered(one, len(s.args)+n, 1)
		args[n] = list[min(n, len(list)-1)]
	}
	s.add("("+strings.Join(ors, " OR ")+")", args...)
}

// metadataSizes are how many matches there may be in a text. The last one is
// repeated where there are fewer.
var metadataSizes = []int{1, 4, 16, 64}

func (s *recordingSearch) whereMetadata(matches []b3scale.MetadataMatch) error {
	var exact, like [][]any
	for _, m := range matches {
		if err := errors.Join(checkIDs(m.Name), checkTexts(m.Value)); err != nil {
			return err
		}
		args := []any{searchedName(m.Name), m.Value}
		switch {
		case m.OpenStart && m.OpenEnd:
			like = append(like, append(args, int64(contains)))
		case m.OpenStart:
			like = append(like, append(args, int64(endsWith)))
		case m.OpenEnd:
			like = append(like, append(args, int64(beginsWith)))
		default:
			exact = append(exact, args)
		}
	}
	for _, group := range []struct {
		condition string
		matches   [][]any
	}{{hasMetadata, exact}, {likeMetadata, like}} {
		if len(group.matches) == 0 {
			continue
		}
		i := slices.IndexFunc(metadataSizes, func(size int) bool { return size >= len(group.matches) })
		if i < 0 {
			return b3scale.Errorf(b3scale.InvalidArgument, "a search for %d entries of metadata, %d are possible", len(group.matches), slices.Max(metadataSizes))
		}
		for n := range metadataSizes[i] {
			s.where(group.condition, group.matches[min(n, len(group.matches)-1)]...)
		}
	}
	return nil
}

func (s *recordingSearch) text(of string, more ...any) string {
	where := ""
	if len(s.conditions) > 0 {
		where = " WHERE " + strings.Join(s.conditions, " AND ")
	}
	return fmt.Sprintf(of, append([]any{where}, more...)...)
}

func (s *recordingSearch) page() (string, []any) {
	if s.limit == 0 && s.offset == 0 {
		return s.text(allPages, s.order), s.args
	}
	limit := int64(s.limit)
	if limit == 0 {
		limit = math.MaxInt32
	}
	n := len(s.args)
	return s.text(onePage, s.order, n+1, n+2), append(slices.Clone(s.args), limit, int64(s.offset))
}

func (s *recordingSearch) count() (string, []any) { return s.text(countFound), s.args }

// atEnd tells whether nothing can follow a page of so many, so that they need
// not be counted.
func (s *recordingSearch) atEnd(seen int) bool {
	return (s.limit == 0 || seen < s.limit) && (s.offset == 0 || seen > 0)
}

// searchedName is how names of metadata are compared.
func searchedName(name string) string { return strings.ToLower(name) }

// setOf is a JSON object whose keys are the texts. Of all forms of JSON it is
// the one that both databases take apart by the same words.
func setOf(texts []string) string {
	set := make(map[string]int, len(texts))
	for _, text := range texts {
		set[text] = 1
	}
	text, err := json.Marshal(set)
	if err != nil {
		panic(err) // texts and numbers can always be encoded
	}
	return string(text)
}
