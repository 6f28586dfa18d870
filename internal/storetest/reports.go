package storetest

import (
	"math"
	"testing"
)

func testReports(t *testing.T, open opener) {
	run(t, open, "are kept, one per backend", func(f *fixture) {
		type report struct {
			Version int64
			Text    string
		}
		reports := func(since int64) map[string]report {
			f.Helper()
			got := make(map[string]report)
			f.must(f.store.Reports(f.Context(), since, func(backendID string, version int64, text []byte) {
				got[backendID] = report{version, string(text)}
			}))
			return got
		}
		save := func(backendID, text string) {
			f.Helper()
			f.must(f.store.SaveReport(f.Context(), backendID, []byte(text)))
		}
		f.same("none", len(reports(0)), 0)
		before := f.now()
		save(f.a, "first")
		save(f.b, "")
		save("unknown", "nobody reads it")
		first := reports(0)
		f.same("number", len(first), 2)
		f.same("text", first[f.a].Text+"|"+first[f.b].Text, "first|")
		if first[f.a].Version < int64(before) {
			f.Errorf("got version %d, want %d or more", first[f.a].Version, before)
		}
		save(f.a, "sécond {now} '")
		second := reports(first[f.a].Version + 1)
		f.same("text", second[f.a].Text, "sécond {now} '")
		f.same("version", second[f.a].Version > first[f.a].Version, true)
		f.same("the other", reports(0)[f.b], first[f.b])
		f.same("none so new", len(reports(math.MaxInt64)), 0)
	})
}
