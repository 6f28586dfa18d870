package pages

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// WCAG 2 asks for a contrast of 4.5 between text and what is behind it.
func TestContrast(t *testing.T) {
	t.Parallel()
	light, dark, found := strings.Cut(pageCSS, "prefers-color-scheme: dark")
	if !found {
		t.Fatal("no dark scheme")
	}
	dark, _, _ = strings.Cut(dark, "* {")
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		colours := make(map[string]string)
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = m[2]
		}
		for _, pair := range [][2]string{{"text", "card"}, {"soft", "card"}, {"on-accent", "accent"}} {
			a, b := luminance(t, colours[pair[0]]), luminance(t, colours[pair[1]])
			if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < 4.5 {
				t.Errorf("%s: contrast of %s on %s is %.1f, want 4.5", scheme, pair[0], pair[1], got)
			}
		}
	}
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 24)
	if err != nil {
		t.Fatalf("colour %q: %v", colour, err)
	}
	linear := func(c uint64) float64 {
		s := float64(c&0xff) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func TestStyleLoadsNothing(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"url(", "@import", "@font-face", "</", "http"} {
		if strings.Contains(pageCSS, word) {
			t.Errorf("the style contains %q", word)
		}
	}
	if !strings.Contains(pageCSS, "prefers-reduced-motion: reduce") {
		t.Error("the style moves for people who asked for stillness")
	}
}
