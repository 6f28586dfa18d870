package sqlstore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"b3scale"

	"github.com/google/go-cmp/cmp"
)

func TestPayloadsCarryAllHints(t *testing.T) {
	t.Parallel()
	want := map[b3scale.Hint]time.Time{
		configHint: {},
		{Kind: b3scale.HintList, BackendID: "b1"}:                {},
		meetingHint(b3scale.MeetingKey{FrontendID: "f1"}):        {},
		meetingHint(b3scale.MeetingKey{MeetingID: "a\"\\\x00<"}): {},
	}
	for i := range 1000 {
		id := fmt.Sprint(i, strings.Repeat("ü<", i%100))
		want[meetingHint(b3scale.MeetingKey{FrontendID: "f1", MeetingID: id})] = time.Time{}
	}
	texts := payloads("me", want)
	got := map[b3scale.Hint]time.Time{}
	for _, text := range texts {
		if len(text) >= 7900 {
			t.Errorf("a payload has %d bytes", len(text))
		}
		from, hints, err := parsePayload(text)
		if err != nil || from != "me" {
			t.Fatalf("%s is from %q: %v", text, from, err)
		}
		for _, h := range hints {
			got[h] = time.Time{}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if total := len(strings.Join(texts, "")); len(texts) > total/7000+1 {
		t.Errorf("%d payloads for %d bytes", len(texts), total)
	}
}

func TestHintThatFitsNowhereIsMissed(t *testing.T) {
	t.Parallel()
	long := meetingHint(b3scale.MeetingKey{FrontendID: "f1", MeetingID: strings.Repeat("<", 2000)})
	texts := payloads("me", map[b3scale.Hint]time.Time{long: {}})
	if len(texts) != 1 {
		t.Fatalf("got %d payloads, want 1", len(texts))
	}
	_, hints, err := parsePayload(texts[0])
	if err != nil || !slices.Equal(hints, []b3scale.Hint{hintMissed}) {
		t.Errorf("got %v, %v, want that hints are missed", hints, err)
	}
	if texts := payloads("me", nil); len(texts) != 0 {
		t.Errorf("nothing makes %d payloads", len(texts))
	}
}

func TestForeignPayloadsAreErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `null`, `7`, `{}`, `{"from":"me"`, `{"from":"","hints":[["config"]]}`, `{"from":"me","hints":[[]]}`,
		`{"from":"me","hints":[["meeting","f1"]]}`, `{"from":"me","hints":[["config","f1"]]}`, `{"from":"me","hints":[["news"]]}`,
	} {
		if from, hints, err := parsePayload(text); err == nil {
			t.Errorf("%s is understood as %v from %s", text, hints, from)
		}
	}
}

func FuzzParsePayload(f *testing.F) {
	f.Add(`{"from":"me","hints":[["meeting","f1","room"],["config"],["list","b1"],["missed"]]}`)
	f.Add(`{"from":"me","hints":[[]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		from, hints, err := parsePayload(text)
		if err != nil {
			return
		}
		want, got := map[b3scale.Hint]time.Time{}, map[b3scale.Hint]time.Time{}
		for _, h := range hints {
			want[h] = time.Time{}
			if len(encode(wordsOf(h))) > payloadSize/2 || len(from) > payloadSize/4 {
				return // no server lets it through
			}
		}
		for _, again := range payloads(from, want) {
			sender, hints, err := parsePayload(again)
			if err != nil || sender != from {
				t.Fatalf("%q from %q becomes %q from %q: %v", text, from, again, sender, err)
			}
			for _, h := range hints {
				got[h] = time.Time{}
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	})
}

func TestBagIsBounded(t *testing.T) {
	t.Parallel()
	b := newBag()
	for i := range bagSize + 10 {
		b.add(meetingHint(b3scale.MeetingKey{MeetingID: fmt.Sprint(i)}))
	}
	got := b.take()
	if _, ok := got[hintMissed]; !ok || len(got) != 10 {
		t.Errorf("got %d hints, want the last 9 and that others are missed", len(got))
	}
	if got := b.take(); len(got) != 0 {
		t.Errorf("an empty bag gives %v", got)
	}
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	b.putBack(map[b3scale.Hint]time.Time{configHint: late})
	b.putBack(map[b3scale.Hint]time.Time{configHint: early})
	b.add(configHint)
	if got := b.take()[configHint]; got != early {
		t.Errorf("the hint waits since %v, want %v", got, early)
	}
}
