package bbb_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"b3scale/bbb"
)

const secret = "fixture-Secret-6b1f0e9d4c"

// vector is an entry of checksums.json.
type vector struct {
	Description, Call, Secret    string
	QueryWithoutChecksum         string
	SHA1, SHA256, SHA384, SHA512 string
	FormBody                     map[string]string
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, name), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func vectors(t *testing.T) []vector {
	t.Helper()
	var all []vector
	readJSON(t, "checksums.json", &all)
	if len(all) < 8 {
		t.Fatalf("%d vectors, want all of them", len(all))
	}
	return all
}

func TestSignAndVerifyFollowTheVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Description, func(t *testing.T) {
			t.Parallel()
			if got := bbb.Sign(v.Call, v.QueryWithoutChecksum, v.Secret); got != v.SHA256 {
				t.Errorf("Sign = %s, want %s", got, v.SHA256)
			}
			for _, sum := range []string{v.SHA1, v.SHA256, v.SHA384, v.SHA512} {
				if !bbb.Verify(v.Call, v.QueryWithoutChecksum, sum, v.Secret) {
					t.Errorf("%d digits are refused", len(sum))
				}
				if !bbb.Verify(v.Call, v.QueryWithoutChecksum, strings.ToUpper(sum), v.Secret) {
					t.Errorf("%d upper case digits are refused", len(sum))
				}
				if bbb.Verify(v.Call, v.QueryWithoutChecksum+" ", sum, v.Secret) {
					t.Errorf("%d digits are accepted for another query", len(sum))
				}
				if bbb.Verify(v.Call+"x", v.QueryWithoutChecksum, sum, v.Secret) {
					t.Errorf("%d digits are accepted for another call", len(sum))
				}
				if bbb.Verify(v.Call, v.QueryWithoutChecksum, sum, v.Secret+"x") {
					t.Errorf("%d digits are accepted for another secret", len(sum))
				}
			}
		})
	}
}

func TestVerifyRefusesWhatIsNoChecksum(t *testing.T) {
	t.Parallel()
	good := bbb.Sign("end", "meetingID=a1", secret)
	emptySecret := bbb.Sign("end", "meetingID=a1", "")
	cases := []struct {
		name, checksum string
		secrets        []string
	}{
		{"empty", "", []string{secret}},
		{"one digit short", good[:63], []string{secret}},
		{"one byte short", good[:62], []string{secret}},
		{"one byte long", good + "00", []string{secret}},
		{"cut to the length of SHA-1", good[:40], []string{secret}},
		{"padded to the length of SHA-384", good + strings.Repeat("0", 32), []string{secret}},
		{"longer than any hash", strings.Repeat(good, 3), []string{secret}},
		{"MD5", good[:32], []string{secret}},
		{"SHA-224", good[:56], []string{secret}},
		{"not hexadecimal", "g" + good[1:], []string{secret}},
		{"blank before", " " + good, []string{secret}},
		{"0x before", "0x" + good, []string{secret}},
		{"line break after", good + "\n", []string{secret}},
		{"not ASCII", strings.Repeat("é", 32), []string{secret}},
		{"no secret", good, nil},
		{"signed without a secret", emptySecret, []string{""}},
		{"signed without a secret, one is set", emptySecret, []string{secret, ""}},
		{"other secrets", good, []string{"a", "b"}},
	}
	for _, c := range cases {
		if bbb.Verify("end", "meetingID=a1", c.checksum, c.secrets...) {
			t.Errorf("%s: accepted", c.name)
		}
	}
}

func TestVerifyTakesAnyOfTheSecrets(t *testing.T) {
	t.Parallel()
	for _, signer := range []string{"old", "new"} {
		sum := bbb.Sign("end", "meetingID=a1", signer)
		if !bbb.Verify("end", "meetingID=a1", sum, "new", "old") {
			t.Errorf("the %s secret is refused", signer)
		}
	}
	if !bbb.Verify("end", "", bbb.Sign("end", "", "only"), "only", "") {
		t.Error("an unset second secret gets in the way")
	}
}

func TestSplitChecksum(t *testing.T) {
	t.Parallel()
	cases := []struct {
		raw, signed, checksum string
		n                     int
	}{
		{"", "", "", 0},
		{"a=1", "a=1", "", 0},
		{"checksum=x", "", "x", 1},
		{"checksum", "", "", 1},
		{"checksum=", "", "", 1},
		{"a=1&checksum=x", "a=1", "x", 1},
		{"checksum=x&a=1", "a=1", "x", 1},
		{"a=1&checksum=x&b=2", "a=1&b=2", "x", 1},
		{"a=1&checksum=%78", "a=1", "x", 1},
		// Blanks between separators are signed as a node cuts the checksum out.
		{"&checksum=x", "", "x", 1},
		{"checksum=x&", "", "x", 1},
		{"a=1&checksum=x&", "a=1&", "x", 1},
		{"a=1&&checksum=x", "a=1&", "x", 1},
		{"checksum=x&&a=1", "&a=1", "x", 1},
		// Not the checksum.
		{"checksums=1&a=1", "checksums=1&a=1", "", 0},
		{"checksum2=1&checksum=x", "checksum2=1", "x", 1},
		{"meta_checksum=1&checksum=x&checksum-b=2", "meta_checksum=1&checksum-b=2", "x", 1},
		{"Checksum=1&checksum=x", "Checksum=1", "x", 1},
		{"a=checksum=y&checksum=x", "a=checksum=y", "x", 1},
		{"a=1;checksum=y&checksum=x", "a=1;checksum=y", "x", 1},
	}
	for _, c := range cases {
		signed, checksum, n := bbb.SplitChecksum(c.raw)
		if signed != c.signed || checksum != c.checksum || n != c.n {
			t.Errorf("SplitChecksum(%q) = %q, %q, %d, want %q, %q, %d", c.raw, signed, checksum, n, c.signed, c.checksum, c.n)
		}
	}
	for raw, want := range map[string]int{
		"checksum=x&checksum=x":     2,
		"checksum&a=1&checksum=x":   2,
		"checksum=&checksum=&b&c&d": 2,
	} {
		if _, _, got := bbb.SplitChecksum(raw); got != want {
			t.Errorf("SplitChecksum(%q) counts %d, want %d", raw, got, want)
		}
	}
}

func TestSignedQueryIsAccepted(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"", "a=1", "a=1&b=2", "a=1&", "&", "name=%C3%A9;+%zz"} {
		signed := bbb.SignedQuery("create", query, secret)
		r := bbb.NewRequest("create", signed, "")
		if err := r.Verify(secret); err != nil {
			t.Errorf("%q: %v", signed, err)
		}
	}
}
