package routing_test

import (
	"strconv"
	"testing"

	"b3scale/internal/routing"
)

func tableOf(meetings, backends int) *routing.Table {
	ids := make([]string, backends)
	for i := range ids {
		ids[i] = "b" + strconv.Itoa(i)
	}
	table := newTable(ids...)
	for i := range meetings {
		table.Apply(row(strconv.Itoa(i), on(ids[i%backends]), sized(i%30)), start)
	}
	return table
}

// A look-up costs the same with a hundred meetings and with a hundred
// thousand.
func BenchmarkMeeting(b *testing.B) {
	for _, meetings := range []int{100, 100_000} {
		b.Run(strconv.Itoa(meetings), func(b *testing.B) {
			table := tableOf(meetings, 10)
			keys := make([]string, meetings)
			for i := range keys {
				keys[i] = strconv.Itoa(i)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if table.Meeting(key(keys[i%meetings])) == nil {
						b.Fatal("a meeting is missing")
					}
				}
			})
		})
	}
}

func BenchmarkSelect(b *testing.B) {
	for _, backends := range []int{10, 1000} {
		b.Run(strconv.Itoa(backends), func(b *testing.B) {
			table := tableOf(20*backends, backends)
			b.ReportAllocs()
			for b.Loop() {
				choice, err := table.Select(routing.Wanted{Size: 15}, start)
				if err != nil {
					b.Fatal(err)
				}
				choice.Release()
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	for _, meetings := range []int{100, 100_000} {
		b.Run(strconv.Itoa(meetings), func(b *testing.B) {
			table := tableOf(meetings, 10)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				table.Apply(row(strconv.Itoa(i%meetings), version(int64(i)+2)), start)
			}
		})
	}
}
