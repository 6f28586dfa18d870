package app_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"b3scale"
)

// secretFile is one of a protected recording.
const secretFile = "/presentation/" + guarded + "/metadata.xml"

// encoded writes some bytes of a path as escapes.
func encoded(path string, which func(i int, c byte) bool) string {
	var b strings.Builder
	for i, c := range []byte(path) {
		if which(i, c) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func only(letters string) func(int, byte) bool {
	return func(i int, c byte) bool { return i > 0 && strings.IndexByte(letters, c) >= 0 }
}

// spellings are ways to ask for that file. Some are the same to nginx: with the
// right cookie they lead to it.
var spellings = []struct {
	target string
	same   bool
}{
	{secretFile, true},
	{strings.Replace(secretFile, "/3f", "/%33f", 1), true},
	{strings.Replace(secretFile, "/3f", "/3%66", 1), true},
	{strings.Replace(secretFile, "-1", "%2D1", 1), true},
	{strings.Replace(secretFile, "-1", "%2d1", 1), true},
	{encoded(secretFile, func(i int, _ byte) bool { return i > 0 }), true},
	{strings.ToLower(encoded(secretFile, func(i int, _ byte) bool { return i > 0 })), true},
	{encoded(secretFile, only("/")), true},
	{encoded(secretFile, only("p.")), true},
	{encoded(secretFile, only("0123456789")), true},
	{"/presentation%2f" + guarded + "%2Fmetadata.xml", true},
	{"//presentation///" + guarded + "//metadata.xml", true},
	{"/./presentation/././" + guarded + "/./metadata.xml", true},
	{"/%2e/presentation/%2E/" + guarded + "/metadata.xml", true},
	{"/" + open1 + "/../presentation/" + guarded + "/metadata.xml", true},
	{"/presentation/" + open1 + "/../" + guarded + "/metadata.xml", true},
	{"/presentation/" + open1 + "/%2e%2e/" + guarded + "/metadata.xml", true},
	{"/presentation/" + open1 + "/.%2E/" + guarded + "/metadata.xml", true},
	{"/presentation/" + open1 + "/..%2f" + guarded + "/metadata.xml", true},
	{"/presentation/" + open1 + "%2f%2e%2e%2f" + guarded + "%2fmetadata.xml", true},
	{"/presentation/" + open1 + "//../" + guarded + "/metadata.xml", true},
	{"/presentation/" + guarded + "/x/../metadata.xml", true},
	{"/presentation/" + guarded + "/" + open1 + "/../metadata.xml", true},
	{"/presentation/" + stray + "/../" + guarded + "/metadata.xml", true},
	{"/playback/presentation/2.3/../../../presentation/" + guarded + "/metadata.xml", true},
	{"/playback/presentation/2.3/%2e%2e/%2e%2e/%2e%2e/presentation/" + guarded + "/metadata.xml", true},
	{"/playback/presentation/2.3/static%2f..%2f..%2f..%2f..%2fpresentation%2f" + guarded + "/metadata.xml", true},
	{strings.Repeat("/.", 2000) + secretFile, true},
	{strings.Repeat("/x/..", 500) + secretFile, true},
	{secretFile + "?/presentation/" + open1 + "/metadata.xml", true},
	{secretFile + "?x=/../../" + open1, true},
	{secretFile + "#/../../" + open1 + "/metadata.xml", true},
	{"/presentation/" + open1 + "/%3f/../../" + guarded + "/metadata.xml", true},
	{"/presentation/" + open1 + "/%23/../../" + guarded + "/metadata.xml", true},
	{"/presentation/" + open1 + "/%25/../../" + guarded + "/metadata.xml", true},
	{"http://" + playbackHost + secretFile, true},
	{"https://" + playbackHost + "/presentation/" + open1 + "/../" + guarded + "/metadata.xml", true},
	{"HTTP://" + playbackHost + ":443" + encoded(secretFile, only("3f")), true},
	{"http://" + open1 + ".example.org" + secretFile, true},

	{strings.Replace(secretFile, "/3f", "/%2533f", 1), false}, // twice
	{"/presentation%252f" + guarded + "%252fmetadata.xml", false},
	{"/presentation/" + open1 + "/%252e%252e/" + guarded + "/metadata.xml", false},
	{"/presentation/" + strings.ToUpper(guarded) + "/metadata.xml", false},
	{"/PRESENTATION/" + guarded + "/metadata.xml", false},
	{"/Presentation/" + guarded + "/metadata.xml", false},
	{"/presentation;x/" + guarded + "/metadata.xml", false},
	{"/presentation/" + guarded + ";x/metadata.xml", false},
	{"/presentation/" + guarded + "/metadata.xml;.png", false},
	{"/presentation/" + open1 + "/..;/" + guarded + "/metadata.xml", false},
	{"/presentation/" + guarded + "./metadata.xml", false},
	{"/presentation/" + guarded + "/metadata.xml.", false},
	{"/presentation/" + guarded + "%20/metadata.xml", false},
	{"/presentation/" + guarded + "/metadata.xml/", false},
	{"/presentation/" + guarded + "/metadata.xml/.", false},
	{`\presentation\` + guarded + `\metadata.xml`, false},
	{`/presentation\` + guarded + `\metadata.xml`, false},
	{"/presentation/" + open1 + "/..%5c" + guarded + "/metadata.xml", false},
	{secretFile + "%00", false},
	{secretFile + "%00.png", false},
	{"/presentation/" + guarded + "%00/metadata.xml", false},
	{secretFile + "%0a", false},
	{secretFile + "%0d%0aX: y", false},
	{strings.Replace(secretFile, "/3f", "/%u0033f", 1), false},
	{strings.Replace(secretFile, "/3f", "/%3", 1), false},
	{secretFile + "%", false},
	{secretFile + "%zz", false},
	{"/presentation/" + open1 + "%c0%af..%c0%af" + guarded + "/metadata.xml", false},
	{"/presentation/" + open1 + "%ef%bc%8f..%ef%bc%8f" + guarded + "/metadata.xml", false},
	{"/.." + secretFile, false},
	{"/presentation/../.." + secretFile, false},
	{"/%2e%2e" + secretFile, false},
	{"presentation/" + guarded + "/metadata.xml", false},
	{"*", false},
	{strings.Repeat("/.", 5000) + secretFile, false},
}

// However the file is asked for, it is for those who may play the recording.
func TestSpellings(t *testing.T) {
	t.Parallel()
	th := startTheater(t)
	good := th.cookie(time.Now().Add(time.Hour), b3scale.PlaybackGrant{FrontendID: th.frontends[frontendKey], RecordingID: guarded})
	other := th.cookie(time.Now().Add(time.Hour), b3scale.PlaybackGrant{FrontendID: th.frontends[frontendKey], RecordingID: guarded2})
	shows := func(target string, headers ...string) bool {
		t.Helper()
		status, _, body := th.raw(playbackHost, http.MethodGet, target, headers...)
		if strings.Contains(body, "of "+guarded) != (status == http.StatusOK) {
			t.Errorf("%.300q: got %d %s", target, status, body)
		}
		return status == http.StatusOK
	}
	for _, c := range spellings {
		if shows(c.target) || shows(c.target, other) {
			t.Errorf("%.300q: it is there for everybody", c.target)
		}
		if got := shows(c.target, good); got != c.same {
			t.Errorf("%.300q: with the cookie it is there: %v, want %v", c.target, got, c.same)
		}
	}

	// And so with others that nobody has thought of.
	seed := uint64(time.Now().UnixNano())
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		target := ""
		for _, segment := range strings.Split(secretFile[1:], "/") {
			target += []string{"/", "//", "/./", "/%2e/", "/x/../", "/" + open1 + "/%2e./", "/%2e%2f"}[dice.IntN(7)] +
				encoded(segment, func(int, byte) bool { return dice.IntN(4) == 0 })
		}
		target += []string{"", "?", "#", "?" + open1, "#/../.."}[dice.IntN(5)]
		if shows(target) || shows(target, other) || !shows(target, good) {
			t.Errorf("seed %d: %q: it is there for everybody, or not even with the cookie", seed, target)
		}
	}
}
