package gateway

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"b3scale"
	"b3scale/bbb"
)

// askedFor is what getRecordings was asked for.
type askedFor struct {
	query   b3scale.RecordingQuery
	paged   bool // the client wants to know how many there are
	nothing bool // no recording can match
}

// maxFilters is how many entries of metadata a call may ask for.
const maxFilters = 50

var errManyFilters = &bbb.Failure{Key: "validationError", Message: "At most 50 filters by metadata are possible in one call"}

// askedRecordings reads the filters. All of them must match. A filter that
// nothing can match must not be left out: everything would match then.
func askedRecordings(req *request) (asked askedFor, _ *bbb.Failure) {
	q := &asked.query
	q.FrontendID = req.frontend.ID

	ids, valid := recordIDs(req)
	q.IDPrefixes = valid
	asked.nothing = len(ids) > 0 && len(valid) == 0

	meetings := meetingIDs(req.Params.Get("meetingID"))
	q.MeetingIDs = slices.DeleteFunc(slices.Clone(meetings), cannotBeStored)
	asked.nothing = asked.nothing || len(meetings) > 0 && len(q.MeetingIDs) == 0

	states, anyState := recordingStates(req.Params.Get("state"))
	if !anyState {
		q.States = slices.DeleteFunc(states, cannotBeStored)
		asked.nothing = asked.nothing || len(q.States) == 0
	}
	if max(len(ids), len(meetings), len(q.States)) > maxRecordings {
		return asked, errManyRecordings
	}

	for name, value := range req.Params.All() {
		key, isMeta := strings.CutPrefix(bbb.CanonicalName(name), "meta_")
		if !isMeta {
			if key = name; key != b3scale.MetaProtect {
				continue
			}
		}
		asked.nothing = asked.nothing || key == "" || cannotBeStored(key) || !isText(value)
		q.Metadata = append(q.Metadata, matchOf(key, value))
	}
	if len(q.Metadata) > maxFilters {
		return asked, errManyFilters
	}
	q.Limit, q.Offset, asked.paged = page(req)
	return asked, nil
}

// matchOf takes the % at the ends off: any text may stand there.
func matchOf(name, value string) b3scale.MetadataMatch {
	m := b3scale.MetadataMatch{Name: name}
	value, m.OpenStart = strings.CutPrefix(value, "%")
	m.Value, m.OpenEnd = strings.CutSuffix(value, "%")
	return m
}

// page reads limit and offset. Only a limit that is a number makes pages.
func page(req *request) (limit, offset int, paged bool) {
	limit, paged = numberOf(req.Params.Get("limit"))
	if !paged {
		return 0, 0, false
	}
	offset, _ = numberOf(req.Params.Get("offset"))
	return min(max(limit, 1), 100), max(offset, 0), true
}

// numberOf reads a number; those that are too large for anything are the
// largest that there is.
func numberOf(s string) (int, bool) {
	n, err := strconv.ParseInt(bbb.Clean(s), 10, 32)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return int(n), true
}

// recordIDs are those that a call names, and which of them can be ids, or begin
// one. Nodes decode lists twice, so some clients encode them twice; an id is
// the same then.
func recordIDs(req *request) (ids, valid []string) {
	ids = listOf(decoded(req.Params.Get("recordID")))
	return ids, slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return len(id) > 255 || strings.ContainsFunc(id, isForeignToIDs)
	})
}

func isForeignToIDs(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// meetingIDs are looked for as they are, and as they are when the client has
// encoded them twice: which of the two it did cannot be told.
func meetingIDs(list string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(listOf(list), listOf(decoded(list))))))
}

// recordingStates are those to look for. any tells that all are wanted.
func recordingStates(list string) (states []string, anyState bool) {
	states = listOf(list)
	if len(states) == 0 {
		return []string{b3scale.StatePublished, b3scale.StateUnpublished}, false
	}
	if i := slices.Index(states, "available"); i >= 0 { // what some formats are on older nodes
		states[i] = b3scale.StatePublished
	}
	return states, slices.Contains(states, "any")
}

// listOf takes a list apart. Members that are empty say nothing.
func listOf(value string) (list []string) {
	for member := range strings.SplitSeq(value, ",") {
		if member = bbb.Clean(member); member != "" {
			list = append(list, member)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func decoded(value string) string {
	if once, err := url.QueryUnescape(value); err == nil {
		return once
	}
	return value
}

// cannotBeStored tells of texts that no id, name or state is.
func cannotBeStored(s string) bool { return len(s) > 4*b3scale.MaxMeetingIDLength || !isText(s) }

func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
