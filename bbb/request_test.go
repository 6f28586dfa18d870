package bbb_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"b3scale/bbb"
)

func TestChecksumPositions(t *testing.T) {
	t.Parallel()
	var all []struct{ Position, Call, RawQuery, Secret string }
	readJSON(t, "checksum-positions.json", &all)
	want := map[string]*bbb.Failure{"last": nil, "first": nil, "middle": nil, "upper case": nil, "duplicate": bbb.ErrChecksum}
	if len(all) != len(want) {
		t.Fatalf("%d positions, want %d", len(all), len(want))
	}
	for _, c := range all {
		want, known := want[c.Position]
		if !known {
			t.Errorf("position %q is new", c.Position)
		}
		r := bbb.NewRequest(c.Call, c.RawQuery, "")
		if got := r.Verify(c.Secret); got != want {
			t.Errorf("%s: %v, want %v", c.Position, got, want)
		}
		if got := r.Params.Encode(); got != "meetingID=a1&password=p" {
			t.Errorf("%s: parameters are %q", c.Position, got)
		}
		if r.UnsignedForm {
			t.Errorf("%s: a query has no unsigned form", c.Position)
		}
	}
}

// A form is put together in an order that is not sorted.
func formOf(values map[string]string, checksum string) string {
	names := slices.Sorted(maps.Keys(values))
	slices.Reverse(names)
	var parts []string
	for _, name := range names {
		parts = append(parts, url.QueryEscape(name)+"="+url.QueryEscape(values[name]))
	}
	return strings.Join(slices.Insert(parts, len(parts)/2, "checksum="+checksum), "&")
}

func TestFormsOfTheVectors(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, v := range vectors(t) {
		if v.FormBody == nil {
			continue
		}
		seen++
		for _, sum := range []string{v.SHA1, v.SHA256, v.SHA384, v.SHA512} {
			r := bbb.NewRequest(v.Call, "", formOf(v.FormBody, sum))
			if err := r.Verify(v.Secret); err != nil {
				t.Errorf("%s, %d digits: %v", v.Description, len(sum), err)
			}
			if got, want := r.UnsignedForm, v.QueryWithoutChecksum == ""; got != want {
				t.Errorf("%s: UnsignedForm = %t, want %t", v.Description, got, want)
			}
			for name, want := range v.FormBody {
				if got := r.Params.Get(name); got != want {
					t.Errorf("%s: %s = %q, want %q", v.Description, name, got, want)
				}
			}
			if r.Params.Count("checksum") != 0 {
				t.Errorf("%s: the checksum is still among the parameters", v.Description)
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d vectors with a form, want 2", seen)
	}
}

func TestVerifyRequest(t *testing.T) {
	t.Parallel()
	const query = "meetingID=a1&name=Room"
	sign := func(text string) string { return bbb.Sign("create", text, secret) }
	alone := "checksum=" + sign("") // covers the call and nothing else
	cases := []struct {
		name, query, form string
		want              *bbb.Failure
		unsigned          bool
		params            string
	}{
		{"signed query", query + "&checksum=" + sign(query), "", nil, false, query},
		{"no checksum", query, "", bbb.ErrChecksumMissing, false, query},
		{"nothing", "", "", bbb.ErrChecksumMissing, false, ""},
		{"empty checksum", query + "&checksum=", "", bbb.ErrChecksumMissing, false, query},
		{"name without value", query + "&checksum", "", bbb.ErrChecksumMissing, false, query},
		{"wrong", query + "&checksum=" + sign("x"), "", bbb.ErrChecksum, false, query},
		{"wrong length", query + "&checksum=" + sign(query)[:50], "", bbb.ErrChecksum, false, query},
		{"not hexadecimal", query + "&checksum=" + strings.Repeat("z", 64), "", bbb.ErrChecksum, false, query},
		{"escaped digits", query + "&checksum=%" + "3" + "0" + sign(query), "", bbb.ErrChecksum, false, query},
		{"twice the same", query + "&checksum=" + sign(query) + "&checksum=" + sign(query), "", bbb.ErrChecksum, false, ""},
		{"second one empty", query + "&checksum=&checksum=" + sign(query), "", bbb.ErrChecksum, false, ""},

		{"signed query and form", query + "&checksum=" + sign(query), "record=true", nil, true, query + "&record=true"},
		{"signed query and form, form signed too", query + "&checksum=" + sign(query+"&record=true"), "record=true", bbb.ErrChecksum, true, query + "&record=true"},
		{"universal form", alone, query, nil, true, query},
		{"universal form, wrong", "checksum=" + sign(query), query, bbb.ErrChecksum, true, query},
		{"checksum in query and form", alone, query + "&" + alone, bbb.ErrChecksum, true, query},
		{"checksum only in the form, query not empty", "meetingID=a1", "name=Room&checksum=" + sign("meetingID=a1"), bbb.ErrChecksumMissing, true, query},

		{"form, old rule", "", "name=Room&meetingID=a1&checksum=" + sign(query), nil, false, "name=Room&meetingID=a1"},
		{"form, old rule, not sorted", "", "name=Room&meetingID=a1&checksum=" + sign("name=Room&meetingID=a1"), bbb.ErrChecksum, false, "name=Room&meetingID=a1"},
		{"form, new rule", "", query + "&" + alone, nil, true, query},
		{"form of a checksum alone", "", alone, nil, false, ""},
		{"form without checksum", "", query, bbb.ErrChecksumMissing, false, query},
		{"form with two", "", alone + "&" + query + "&" + alone, bbb.ErrChecksum, false, query},
		{"form, wrong", "", query + "&checksum=" + sign("x"), bbb.ErrChecksum, false, query},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := bbb.NewRequest("create", c.query, c.form)
			if got := r.Verify(secret); got != c.want {
				t.Errorf("Verify = %v, want %v", got, c.want)
			}
			if r.UnsignedForm != c.unsigned {
				t.Errorf("UnsignedForm = %t, want %t", r.UnsignedForm, c.unsigned)
			}
			if got := r.Params.Encode(); c.params != "" && got != c.params {
				t.Errorf("parameters are %q, want %q", got, c.params)
			}
			if r.Verify("") == nil || r.Verify() == nil {
				t.Error("accepted without a secret")
			}
		})
	}
}

// Whoever could pass a second checksum under an escaped name could make the
// node look at that one.
func TestChecksumUnderAnEscapedNameCounts(t *testing.T) {
	t.Parallel()
	for _, hidden := range []string{"%63hecksum=x", "checksu%6D=x", "%63%68%65%63%6b%73%75%6d"} {
		query := "meetingID=a1&" + hidden
		r := bbb.NewRequest("end", bbb.SignedQuery("end", query, secret), "")
		if got := r.Verify(secret); got != bbb.ErrChecksum {
			t.Errorf("%s in the query: %v, want %v", hidden, got, bbb.ErrChecksum)
		}
		if r.Params.Count("checksum") != 0 {
			t.Errorf("%s is among the parameters", hidden)
		}
		r = bbb.NewRequest("end", bbb.SignedQuery("end", "", secret), query)
		if got := r.Verify(secret); got != bbb.ErrChecksum {
			t.Errorf("%s in the form: %v, want %v", hidden, got, bbb.ErrChecksum)
		}
	}
}

// What was signed is the text as it was sent.
func TestQueriesAreSignedRaw(t *testing.T) {
	t.Parallel()
	queries := []string{
		"name=a+b", "name=a%20b", "name=a;b=c", "name=100%", "name=%", "name=%4", "name=%zz", "name=%%41",
		"name=%c3%a9", "name=%C3%A9", "name=é", "name=教室", "name=%F0%9F%8F%AB", "name=", "name", "=", "a=1&&b=2", "&", "a&",
		"checksums=1", "checksumA", "name=checksum%3Dx", "name=a=b=c", "a[]=1&a[]=2", "name=%00",
	}
	for _, query := range queries {
		r := bbb.NewRequest("create", bbb.SignedQuery("create", query, secret), "")
		if err := r.Verify("other", secret); err != nil {
			t.Errorf("%q: %v", query, err)
		}
		if err := r.Verify("other"); err != bbb.ErrChecksum {
			t.Errorf("%q: %v with another secret, want %v", query, err, bbb.ErrChecksum)
		}
	}
}

// Old nodes sign a form as java.net.URLEncoder writes it.
func TestSortedForm(t *testing.T) {
	t.Parallel()
	cases := []struct{ form, signed string }{
		{"b=2&a=1", "a=1&b=2"},
		{"a=2&b=0&a=1", "a=2&a=1&b=0"},
		{"c=1" + strings.Repeat("&b=2&a=3&b=1&a=4", 20), strings.Repeat("a=3&a=4&", 20) + strings.Repeat("b=2&b=1&", 20) + "c=1"},
		{"B=1&a=2&A=3", "A=3&B=1&a=2"},
		{"a=x%20y", "a=x+y"},
		{"a=x+y", "a=x+y"},
		{"a=", "a="},
		{"a", "a="},
		{"a=1&&b=2&", "a=1&b=2"},
		{"a=.-*_", "a=.-*_"},
		{"a=%2E%2D%2A%5F", "a=.-*_"},
		{"a=~!'()", "a=%7E%21%27%28%29"},
		{"a=/:?@,;$", "a=%2F%3A%3F%40%2C%3B%24"},
		{"a=b=c", "a=b%3Dc"},
		{"a=%26%3d%2b%25", "a=%26%3D%2B%25"},
		{"a=100%", "a=100%25"},
		{"a=%c3%a9", "a=%C3%A9"},
		{"a=é", "a=%C3%A9"},
		{"a=%E6%95%99", "a=%E6%95%99"},
		{"a=%F0%9F%8F%AB", "a=%F0%9F%8F%AB"},
		{"a=%0A%7F", "a=%0A%7F"},
		{"checksums=1&a=2", "a=2&checksums=1"},
		{"meta_bbb-origin=x&meta_a=y", "meta_a=y&meta_bbb-origin=x"},
	}
	for _, c := range cases {
		r := bbb.NewRequest("create", "", c.form+"&checksum="+bbb.Sign("create", c.signed, secret))
		if err := r.Verify(secret); err != nil || r.UnsignedForm {
			t.Errorf("%q is not signed as %q: %v, unsigned %t", c.form, c.signed, err, r.UnsignedForm)
		}
	}
}

func TestQueryComesBeforeForm(t *testing.T) {
	t.Parallel()
	r := bbb.NewRequest("create", bbb.SignedQuery("create", "meetingID=query&a=1", secret), "meetingID=form&b=2")
	if got := r.Params.Get("meetingID"); got != "query" {
		t.Errorf("meetingID = %q, want the signed one", got)
	}
	if got, want := r.Params.Encode(), "meetingID=query&a=1&meetingID=form&b=2"; got != want {
		t.Errorf("parameters are %q, want %q", got, want)
	}
}
