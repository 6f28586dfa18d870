package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"b3scale"
)

// hostile are texts that mean something to somebody on the way to a database.
var hostile = []string{
	"", "%", "_", "100%_", `back\slash`, `\`, `'; DROP TABLE recordings; --`, `"quoted"`, `{"a":1}`, `a\u0041b`, "$1", "{now}", "?", "<&>",
	"教室 三", "е\u0301", "👩‍🏫🏫", "tab\tnewline\nreturn\r\x01\x1b\x7f", "\u2028", "\U0010FFFF", strings.Repeat("é", 5000), strings.Repeat("é", 4999) + "x",
}

func testRecordingSearch(t *testing.T, open opener) {
	run(t, open, "by what they are", func(f *fixture) {
		other := f.addFrontend(b3scale.Frontend{Key: "other"}).ID
		for i, r := range []b3scale.Recording{
			{ID: "abc-1", FrontendID: f.frontend, MeetingID: "room", State: "published"},
			{ID: "abc-2", FrontendID: f.frontend, MeetingID: "room", State: "unpublished"},
			{ID: "ab_-3", FrontendID: f.frontend, MeetingID: "Room", State: "available"},
			{ID: "ABC-4", FrontendID: f.frontend, MeetingID: "other", State: "published"},
			{ID: "abc-5", FrontendID: other, MeetingID: "room", State: "published"},
		} {
			r.StartMillis = int64(100 + i)
			f.putRecordings(r)
		}
		type query = b3scale.RecordingQuery
		for what, c := range map[string]struct {
			query query
			want  string
		}{
			"all":                  {query{}, "abc-5 ABC-4 ab_-3 abc-2 abc-1"},
			"frontend":             {query{FrontendID: f.frontend}, "ABC-4 ab_-3 abc-2 abc-1"},
			"no frontend":          {query{FrontendID: "x"}, ""},
			"ids":                  {query{IDs: []string{"abc-1", "abc-5", "abc-1", "x"}}, "abc-5 abc-1"},
			"ids of a frontend":    {query{FrontendID: f.frontend, IDs: []string{"abc-1", "abc-5"}}, "abc-1"},
			"id in part":           {query{IDs: []string{"abc"}}, ""},
			"empty id":             {query{IDs: []string{""}}, ""},
			"prefixes":             {query{IDPrefixes: []string{"abc-1", "AB", "abc-1", "x"}}, "ABC-4 abc-1"},
			"prefixes overlapping": {query{IDPrefixes: []string{"abc", "abc-1", "a"}}, "abc-5 ab_-3 abc-2 abc-1"},
			"prefix of a frontend": {query{FrontendID: other, IDPrefixes: []string{"abc"}}, "abc-5"},
			"whole id as prefix":   {query{IDPrefixes: []string{"abc-1"}}, "abc-1"},
			"prefix with a _":      {query{IDPrefixes: []string{"ab_"}}, "ab_-3"},
			"prefix with a %":      {query{IDPrefixes: []string{"ab%"}}, ""},
			"empty prefix":         {query{IDPrefixes: []string{""}}, "abc-5 ABC-4 ab_-3 abc-2 abc-1"},
			"ids and prefixes":     {query{IDs: []string{"abc-1", "ABC-4"}, IDPrefixes: []string{"abc"}}, "abc-1"},
			"meetings":             {query{MeetingIDs: []string{"Room", "other"}}, "ABC-4 ab_-3"},
			"meeting of frontend":  {query{FrontendID: f.frontend, MeetingIDs: []string{"room"}}, "abc-2 abc-1"},
			"states":               {query{States: []string{"available", "unpublished"}}, "ab_-3 abc-2"},
			"state of a frontend":  {query{FrontendID: f.frontend, States: []string{"published"}}, "ABC-4 abc-1"},
			"from":                 {query{FromMillis: 102}, "abc-5 ABC-4 ab_-3"},
			"to":                   {query{ToMillis: 102}, "abc-2 abc-1"},
			"from and to":          {query{FrontendID: f.frontend, FromMillis: 101, ToMillis: 103}, "ab_-3 abc-2"},
			"everything": {query{FrontendID: f.frontend, IDs: []string{"abc-1", "abc-2"}, IDPrefixes: []string{"abc"}, MeetingIDs: []string{"room"},
				States: []string{"unpublished"}, FromMillis: 1, ToMillis: 1000}, "abc-2"},
		} {
			want := strings.Fields(c.want)
			f.finds(what, c.query, len(want), want...)
			for _, limit := range []int{1, 2, 100} {
				var pages []string
				for offset := 0; offset == 0 || offset < len(want); offset += limit {
					q := c.query
					q.Limit, q.Offset = limit, offset
					total, err := f.store.Recordings(f.Context(), q, func(r b3scale.Recording) { pages = append(pages, r.ID) })
					f.must(err)
					f.same(fmt.Sprintf("%s: total of %d from %d", what, limit, offset), total, len(want))
				}
				f.same(fmt.Sprintf("%s: pages of %d", what, limit), strings.Join(pages, " "), c.want)
			}
		}
		f.finds("beyond the end", query{Limit: 3, Offset: 50}, 5)
		f.finds("the rest", query{Offset: 3}, 5, "abc-2", "abc-1")
		f.finds("a part", query{Limit: 1, Offset: -1}, 5, "abc-5")
	})

	run(t, open, "by any text", func(f *fixture) {
		for i, text := range hostile {
			r := b3scale.Recording{ID: fmt.Sprintf("r-%02d", i), FrontendID: f.frontend, Metadata: map[string]string{"text": text, "both": "<" + text + ">"}}
			if len(text) < 1000 {
				r.MeetingID, r.State = text, text
				r.Metadata["name "+text] = "x"
			}
			f.putRecordings(r)
		}
		for i, text := range hostile {
			id := fmt.Sprintf("r-%02d", i)
			f.finds("metadata", metadata("text", text), 1, id)
			for what, m := range map[string]b3scale.MetadataMatch{
				"begins": {Name: "BOTH", Value: "<" + text, OpenEnd: true}, "ends": {Name: "both", Value: text + ">", OpenStart: true},
				"is within": {Name: "both", Value: text, OpenStart: true, OpenEnd: true},
			} {
				var got []string
				_, err := f.store.Recordings(f.Context(), b3scale.RecordingQuery{Metadata: []b3scale.MetadataMatch{m}}, func(r b3scale.Recording) { got = append(got, r.ID) })
				f.must(err)
				var want []string
				for n := range slices.Backward(hostile) {
					value := "<" + hostile[n] + ">"
					if m.OpenStart && m.OpenEnd && strings.Contains(value, m.Value) || !m.OpenStart && strings.HasPrefix(value, m.Value) ||
						!m.OpenEnd && strings.HasSuffix(value, m.Value) {
						want = append(want, fmt.Sprintf("r-%02d", n))
					}
				}
				f.same(fmt.Sprintf("%s %.20q", what, text), got, want)
			}
			if len(text) < 1000 {
				f.finds("meeting", b3scale.RecordingQuery{MeetingIDs: []string{"x", text}, IDPrefixes: []string{id}}, 1, id)
				f.finds("state", b3scale.RecordingQuery{States: []string{text, "x"}, IDPrefixes: []string{id}}, 1, id)
				f.finds("name", metadata("NAME "+text, "x"), 1, id)
			}
		}
	})

	run(t, open, "by metadata", func(f *fixture) {
		other := f.addFrontend(b3scale.Frontend{Key: "other"}).ID
		f.putRecordings(
			b3scale.Recording{ID: "a", FrontendID: f.frontend, StartMillis: 3, Metadata: map[string]string{"Course": "Maths", "empty": ""}},
			b3scale.Recording{ID: "b", FrontendID: f.frontend, StartMillis: 2, Metadata: map[string]string{"course": "Maths 2", "COURSE": "Maths"}},
			b3scale.Recording{ID: "c", FrontendID: f.frontend, StartMillis: 1, Metadata: map[string]string{"course": "maths"}},
			b3scale.Recording{ID: "d", FrontendID: other, Metadata: map[string]string{"course": "Maths", "term": "1"}},
		)
		find := func(what string, want string, matches ...b3scale.MetadataMatch) {
			f.Helper()
			fields := strings.Fields(want)
			f.finds(what, b3scale.RecordingQuery{FrontendID: f.frontend, Metadata: matches}, len(fields), fields...)
		}
		type match = b3scale.MetadataMatch
		find("value", "a b", match{Name: "cOURSE", Value: "Maths"}) // one of the two that b has
		find("value with another case", "c", match{Name: "course", Value: "maths"})
		find("part of a value", "", match{Name: "course", Value: "Math"})
		find("other name", "", match{Name: "courses", Value: "Maths"})
		find("beginning", "a b", match{Name: "course", Value: "Ma", OpenEnd: true})
		find("end", "a b c", match{Name: "course", Value: "aths", OpenStart: true})
		find("whole as end", "a b", match{Name: "course", Value: "Maths", OpenStart: true})
		find("longer than the value", "", match{Name: "course", Value: "x Maths 2", OpenStart: true})
		find("middle", "b", match{Name: "course", Value: "s ", OpenStart: true, OpenEnd: true})
		find("any value", "a", match{Name: "empty", OpenStart: true, OpenEnd: true})
		find("empty value", "a", match{Name: "empty"})
		find("no such name", "", match{Name: "x"})
		find("several", "a", match{Name: "course", Value: "Maths"}, match{Name: "empty"}, match{Name: "course", Value: "M", OpenEnd: true})
		find("of others", "", match{Name: "term", Value: "1"})
		many := slices.Repeat([]match{{Name: "course", Value: "Maths"}, {Name: "course", Value: "s", OpenStart: true}}, 64)
		find("as many as possible", "a b", many...)
		_, err := f.store.Recordings(f.Context(), b3scale.RecordingQuery{Metadata: append(many, many[0])}, func(b3scale.Recording) {})
		f.code("too many", err, b3scale.InvalidArgument)
	})

	run(t, open, "in pages that hang together", func(f *fixture) {
		const all = 60
		recordings := make([]b3scale.Recording, all)
		ids := make([]string, all)
		for i := range recordings {
			recordings[i] = b3scale.Recording{ID: fmt.Sprintf("r-%02d", i*7%all), FrontendID: f.frontend, StartMillis: int64(i % 3)}
		}
		f.putRecordings(recordings...)
		slices.SortFunc(recordings, func(a, b b3scale.Recording) int {
			if a.StartMillis != b.StartMillis {
				return int(b.StartMillis - a.StartMillis)
			}
			return strings.Compare(b.ID, a.ID)
		})
		for i := range recordings {
			ids[i] = recordings[i].ID
		}
		f.finds("all", b3scale.RecordingQuery{FrontendID: f.frontend}, all, ids...)
		for from := 0; from < all; from += 7 {
			f.finds("a page", b3scale.RecordingQuery{Limit: 7, Offset: from}, all, ids[from:min(from+7, all)]...)
		}
		long := make([]string, 0, 40_000) // more than there may be arguments
		for i := range cap(long) {
			long = append(long, fmt.Sprintf("x-%d", i))
		}
		f.finds("a long list", b3scale.RecordingQuery{IDs: append(long, ids[:2]...)}, 2, ids[:2]...)
		f.finds("long lists", b3scale.RecordingQuery{MeetingIDs: long, States: long, IDPrefixes: long[:1000]}, 0)
	})
}
