package gateway_test

import (
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
)

// It is known which of its secrets a frontend uses, so that nobody takes one
// away that is still in use.
func TestUsesOfSecrets(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	used := func(what string, f b3scale.Frontend, primary, secondary bool) {
		t.Helper()
		uses, err := h.cluster.SecretUses(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, slot := range []b3scale.SecretSlot{{OwnerID: f.ID}, {OwnerID: f.ID, Secondary: true}} {
			want := primary
			if slot.Secondary {
				want = secondary
			}
			if got := uses[slot] != 0; got != want {
				t.Errorf("%s: used (secondary: %v): %v, want %v", what, slot.Secondary, got, want)
			}
		}
	}
	h.do(request{target: signedBy(keyOne, "wrong", "getMeetings", "")})
	h.do(request{target: signedBy(keyOff, secretOff, "getMeetings", "")})
	used("a wrong checksum", h.one, false, false)
	h.do(request{target: signedBy(keyOne, secondSecretOne, "getMeetings", "")})
	used("the secondary secret", h.one, false, true)
	used("the secondary secret of another", h.two, false, false)
	h.call("getMeetings", "")
	used("both secrets", h.one, true, true)
	form := "meetingID=room&checksum=0123"
	h.post(apiURL(keyTwo, "isMeetingRunning"), "application/x-www-form-urlencoded", form)
	used("a wrong form", h.two, false, false)
	_, checksum, _ := strings.Cut(bbb.SignedQuery("isMeetingRunning", "", secretTwo), "checksum=")
	h.post(apiURL(keyTwo, "isMeetingRunning"), "application/x-www-form-urlencoded", "meetingID=room&checksum="+checksum)
	used("a form", h.two, true, false)
}
