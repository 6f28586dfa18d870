package gateway_test

import (
	"crypto/sha1" //nolint:gosec // BBB's protocol
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"testing"

	"b3scale/bbb"
)

func checksum(newHash func() hash.Hash, call, query, secret string) string {
	h := newHash()
	h.Write([]byte(call + query + secret))
	return hex.EncodeToString(h.Sum(nil))
}

func TestChecksums(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	const call, query = "isMeetingRunning", "meetingID=room&x=%41+b&empty=&checksumming=1"
	sha1sum := checksum(sha1.New, call, query, secretOne)
	sha256sum := checksum(sha256.New, call, query, secretOne)
	sha384sum := checksum(sha512.New384, call, query, secretOne)
	sha512sum := checksum(sha512.New, call, query, secretOne)
	sum224 := checksum(sha256.New224, call, query, secretOne)
	cut := strings.Replace
	for _, c := range []struct {
		name, query, want string
	}{
		{"SHA-1", query + "&checksum=" + sha1sum, bbb.Success},
		{"SHA-256", query + "&checksum=" + sha256sum, bbb.Success},
		{"SHA-384", query + "&checksum=" + sha384sum, bbb.Success},
		{"SHA-512", query + "&checksum=" + sha512sum, bbb.Success},
		{"second secret", query + "&checksum=" + checksum(sha256.New, call, query, secondSecretOne), bbb.Success},
		{"second secret, SHA-1", query + "&checksum=" + checksum(sha1.New, call, query, secondSecretOne), bbb.Success},

		{"upper case", query + "&checksum=" + strings.ToUpper(sha256sum), bbb.Success},
		{"mixed case", query + "&checksum=" + strings.ToUpper(sha512sum[:64]) + sha512sum[64:], bbb.Success},
		{"first", "checksum=" + sha1sum + "&" + query, bbb.Success},
		{"in the middle", cut(query, "&empty=", "&checksum="+sha1sum+"&empty=", 1), bbb.Success},
		{"escaped value", query + "&checksum=%" + hex.EncodeToString([]byte(sha1sum[:1])) + sha1sum[1:], bbb.Success},

		{"missing", query, "checksumError"},
		{"no value", query + "&checksum=", "checksumError"},
		{"no equals sign", query + "&checksum", "checksumError"},
		{"another name", query + "&Checksum=" + sha256sum, "checksumError"},
		{"escaped name", query + "&check%73um=" + sha256sum, "checksumError"},
		{"twice the same", query + "&checksum=" + sha256sum + "&checksum=" + sha256sum, "checksumError"},
		{"twice, first right", "checksum=" + sha256sum + "&" + query + "&checksum=0", "checksumError"},
		{"twice, last right", "checksum=0&" + query + "&checksum=" + sha256sum, "checksumError"},
		{"twice, once escaped", query + "&checksum=" + sha256sum + "&check%73um=" + sha256sum, "checksumError"},
		{"wrong", query + "&checksum=" + strings.Repeat("0", 64), "checksumError"},
		{"not hexadecimal", query + "&checksum=" + strings.Repeat("g", 64), "checksumError"},
		{"cut", query + "&checksum=" + sha256sum[:63], "checksumError"},
		{"longer", query + "&checksum=" + sha256sum + "00", "checksumError"},
		{"as long as SHA-1", query + "&checksum=" + sha256sum[:40], "checksumError"},
		{"SHA-224", query + "&checksum=" + sum224, "checksumError"},
		{"blank before", query + "&checksum=+" + sha256sum, "checksumError"},
		{"of another call", query + "&checksum=" + checksum(sha256.New, "getMeetings", query, secretOne), "checksumError"},
		{"of another frontend", query + "&checksum=" + checksum(sha256.New, call, query, secretTwo), "checksumError"},
		{"of the node", query + "&checksum=" + checksum(sha256.New, call, query, h.nodes[0].API().Secret), "checksumError"},
		{"without a secret", query + "&checksum=" + checksum(sha256.New, call, query, ""), "checksumError"},
		{"of other bytes that mean the same", cut(query, "%41", "A", 1) + "&checksum=" + sha256sum, "checksumError"},
		{"of another order", "x=%41+b&meetingID=room&empty=&checksumming=1&checksum=" + sha256sum, "checksumError"},
		{"a parameter more", query + "&extra=1&checksum=" + sha256sum, "checksumError"},
		{"semicolon for &", cut(query, "&x", ";x", 1) + "&checksum=" + sha256sum, "checksumError"},
	} {
		if got := h.do(request{target: apiURL(keyOne, call) + "?" + c.query}); got.status != http.StatusOK || got.outcome(t) != c.want {
			t.Errorf("%s: got %v, want %s", c.name, got, c.want)
		}
		h.untouched(c.name)
	}
}

// The three ways to sign a POST (BBB API, POST requests).
func TestPostChecksums(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	const (
		call  = "create"
		form  = "name=Gr%c3%bc%C3%9Fe+%26+mehr&meetingID=room&b=2&a=1"
		clean = "a=1&b=2&meetingID=room&name=Gr%C3%BC%C3%9Fe+%26+mehr" // as Java sorts and encodes it
	)
	of := func(query string) string { return "checksum=" + checksum(sha256.New, call, query, secretOne) }
	for _, c := range []struct {
		name, query, form string
		want              string
	}{
		{"signed query", form + "&" + of(form), "", bbb.Success},
		{"signed query, more in the form", "meetingID=room&" + of("meetingID=room"), "name=Room", bbb.Success},
		{"checksum alone in the query", of(""), form, bbb.Success},
		{"all in the form, as old nodes sign it", "", form + "&" + of(clean), bbb.Success},
		{"the same, checksum first", "", of(clean) + "&" + form, bbb.Success},
		{"all in the form, as new nodes sign it", "", form + "&" + of(""), bbb.Success},

		{"form signed as it stands", "", form + "&" + of(form), "checksumError"},
		{"form without a checksum", "", form, "checksumError"},
		{"nothing at all", "", "", "checksumError"},
		{"checksum in the form, parameters in the query", form, of(form), "checksumError"},
		{"checksum in both", form + "&" + of(form), of(""), "checksumError"},
		{"query not covered", "meetingID=room&" + of(""), "name=Room", "checksumError"},
		{"form changed", "", strings.Replace(form, "b=2", "b=3", 1) + "&" + of(clean), "checksumError"},
		{"two checksums in the form", "", form + "&" + of(clean) + "&" + of(clean), "checksumError"},
		{"meetingID in query and form", "meetingID=room&" + of("meetingID=room"), "name=Room&meetingID=other", "validationError"},
	} {
		target := apiURL(keyOne, call)
		if c.query != "" {
			target += "?" + c.query
		}
		got := h.post(target, "application/x-www-form-urlencoded", c.form)
		if got.status != http.StatusOK || got.outcome(t) != c.want {
			t.Errorf("%s: got %v, want %s", c.name, got, c.want)
		}
		if c.want != bbb.Success {
			h.untouched(c.name)
			continue
		}
		sent := h.only()
		if got := sent.Params.Get("meetingID"); got != nodeID("room") {
			t.Errorf("%s: meetingID at the node is %q, want %q", c.name, got, nodeID("room"))
		}
		if name := sent.Params.Get("name"); name != "Room" && name != "Grüße & mehr" {
			t.Errorf("%s: name at the node is %q", c.name, name)
		}
		h.forget()
	}
}

// A form that no checksum covers could make anybody a moderator.
func TestJoinRefusesUnsignedForm(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("room")
	const form, clean = "meetingID=room&fullName=" + personQuery + "&role=MODERATOR", "fullName=Ada+Lovelace&meetingID=room&role=MODERATOR"
	of := func(query string) string { return "checksum=" + checksum(sha256.New, "join", query, secretOne) }
	target := apiURL(keyOne, "join")
	viewer := "meetingID=room&fullName=" + personQuery
	for _, c := range []struct{ name, target, form string }{
		{"checksum alone in the query", target + "?" + of(""), form},
		{"new nodes' way", target, form + "&" + of("")},
		{"role beside a signed query", target + "?" + viewer + "&" + of(viewer), "role=MODERATOR"},
	} {
		if got := h.post(c.target, "application/x-www-form-urlencoded", c.form); got.status != http.StatusOK || got.outcome(t) != "checksumError" {
			t.Errorf("%s: got %v, want checksumError", c.name, got)
		}
		h.untouched(c.name)
	}
	for _, c := range []struct{ name, target, form string }{
		{"signed query", target + "?" + form + "&" + of(form), ""},
		{"old nodes' way", target, form + "&" + of(clean)},
	} {
		if got := h.post(c.target, "application/x-www-form-urlencoded", c.form); got.status != http.StatusFound {
			t.Errorf("%s: got %v, want 302", c.name, got)
		}
	}
}
