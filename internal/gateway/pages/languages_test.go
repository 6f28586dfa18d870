package pages

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestLanguagesHaveTheSameKeys(t *testing.T) {
	t.Parallel()
	placeholder := regexp.MustCompile(`\{\w*\}`)
	read := func(tag string) map[string]string {
		raw, err := textFiles.ReadFile("texts/" + tag + ".json")
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[string]string)
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatalf("%s: %v", tag, err)
		}
		return all
	}
	want := read(fallback)
	for _, lang := range languages() {
		got := read(lang.tag)
		if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) {
			t.Errorf("%s: keys %q, want %q", lang.tag, g, w)
		}
		for key, text := range got {
			if g, w := placeholder.FindAllString(text, -1), placeholder.FindAllString(want[key], -1); !slices.Equal(g, w) {
				t.Errorf("%s, %s: placeholders %q, want %q", lang.tag, key, g, w)
			}
			if strings.TrimSpace(text) != text || strings.ContainsAny(text, "<>&") {
				t.Errorf("%s, %s: not plain text: %q", lang.tag, key, text)
			}
		}
	}
}

func TestLanguageIsChosenByTheReader(t *testing.T) {
	t.Parallel()
	p := New()
	for accept, want := range map[string]string{
		"":                                  "en",
		"de":                                "de",
		"DE-at":                             "de",
		"de-AT,de;q=0.9,en;q=0.8":           "de",
		"en-GB, de":                         "en",
		"fr, de;q=0.5, en;q=0.7":            "en",
		"fr, de;q=0.7, en;q=0.5":            "de",
		"fr;q=0.9, *;q=0.1":                 "en",
		"*, de":                             "en",
		"de;q=0, fr":                        "en",
		"de;q=0":                            "en",
		"de;q=2, en;q=0.1":                  "en",
		"de;q=NaN, en;q=0.1":                "en",
		"de ; Q = 0.9 , en;q=0.8":           "de",
		"deutsch":                           "en",
		";;,,=;q":                           "en",
		strings.Repeat("fr,", 1000) + "de":  "en", // nobody speaks that many
		"fr-CA,fr;q=0.9,it;q=0.8,de;q=0.05": "de",
	} {
		if got := p.choose(accept).tag; got != want {
			t.Errorf("%q: got %s, want %s", accept, got, want)
		}
	}
}
