package b3scale_test

import (
	"testing"

	"b3scale"
)

func TestTagsCover(t *testing.T) {
	t.Parallel()
	cases := []struct {
		tags, required b3scale.Tags
		want           bool
	}{
		{nil, nil, true},
		{b3scale.Tags{"a"}, nil, true},
		{nil, b3scale.Tags{"a"}, false},
		{b3scale.Tags{"a", "b"}, b3scale.Tags{"b"}, true},
		{b3scale.Tags{"a", "b"}, b3scale.Tags{"b", "a", "b"}, true},
		{b3scale.Tags{"a", "b"}, b3scale.Tags{"a", "c"}, false},
		{b3scale.Tags{"a"}, b3scale.Tags{"A"}, false},
		{b3scale.Tags{"ab"}, b3scale.Tags{"a"}, false},
		{nil, b3scale.Tags{""}, true},
		{b3scale.Tags{"a"}, b3scale.Tags{"", "a"}, true},
		{b3scale.Tags{""}, b3scale.Tags{"a"}, false},
	}
	for _, c := range cases {
		if got := c.tags.Covers(c.required); got != c.want {
			t.Errorf("%q covers %q: %t, want %t", c.tags, c.required, got, c.want)
		}
	}
}

func TestTagWishMetBy(t *testing.T) {
	t.Parallel()
	type tags = b3scale.Tags
	for _, c := range []struct {
		name           string
		wish           b3scale.TagWish
		tags, required tags
		want           bool
	}{
		{"nothing asked", b3scale.TagWish{}, nil, nil, true},
		{"nothing asked of tagged", b3scale.TagWish{}, tags{"a"}, nil, true},
		{"one of two", b3scale.TagWish{AnyOf: tags{"a", "b"}}, tags{"x", "b"}, nil, true},
		{"none of two", b3scale.TagWish{AnyOf: tags{"a", "b"}}, tags{"x"}, nil, false},
		{"case", b3scale.TagWish{AnyOf: tags{"a"}}, tags{"A"}, nil, false},
		{"untagged", b3scale.TagWish{Untagged: true}, nil, nil, true},
		{"untagged, empty tag", b3scale.TagWish{Untagged: true}, tags{""}, nil, true},
		{"untagged of tagged", b3scale.TagWish{Untagged: true}, tags{"a"}, nil, false},
		{"untagged but for required", b3scale.TagWish{Untagged: true}, tags{"r", "s"}, tags{"s", "r"}, true},
		{"untagged, one too many", b3scale.TagWish{Untagged: true}, tags{"r", "a"}, tags{"r"}, false},
		{"either, by its tag", b3scale.TagWish{AnyOf: tags{"a"}, Untagged: true}, tags{"a", "b"}, nil, true},
		{"either, without", b3scale.TagWish{AnyOf: tags{"a"}, Untagged: true}, nil, nil, true},
		{"neither", b3scale.TagWish{AnyOf: tags{"a"}, Untagged: true}, tags{"b"}, nil, false},
		{"all refused", b3scale.TagWish{Refused: tags{"a"}}, tags{"b"}, nil, true},
		{"all refused, insisted", b3scale.TagWish{Refused: tags{"a"}, Required: true}, tags{"a"}, nil, false},
	} {
		if got := c.wish.MetBy(c.tags, c.required); got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
}
