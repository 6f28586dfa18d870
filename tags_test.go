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
