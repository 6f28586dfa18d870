package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"b3scale"
)

// testIDs uses what tenants really send as ids, names and passwords.
func testIDs(t *testing.T, open opener) {
	texts := []string{
		"教室 三", "Ελληνικά", "غرفة", "е\u0301", "👩‍🏫🏫",
		`'; DROP TABLE meetings; --`, `"quoted"`, "a;b", "100%_", `back\slash`, "$1", "{now}", "?", ":name", "@p",
		" leading and trailing ", "tab\tnewline\nreturn\r\x01\x1b\x7f", "NULL", "0", "1e3",
		strings.Repeat("x", 256), strings.Repeat("é", 256), strings.Repeat("😀", 128),
	}
	run(t, open, "are kept as they are", func(f *fixture) {
		parallel(len(texts), func(i int) {
			text := texts[i]
			m, fit, err := f.store.ClaimMeeting(f.Context(), b3scale.Claim{Key: f.keyOf(text), BackendID: f.a, AttendeePW: text, ModeratorPW: text})
			if err != nil || !fit || m.Key.MeetingID != text {
				f.Errorf("claim %q: got %q, %v, %v", text, m.Key.MeetingID, fit, err)
			}
			r := b3scale.Incarnation{InternalID: text, CreateTime: 1, AttendeePW: text, ModeratorPW: text, Info: []byte(text)}
			_, ok, err := f.store.ConfirmMeeting(f.Context(), m.Key, m.Generation, r)
			if err != nil || !ok {
				f.Errorf("confirm %q: got %v, %v", text, ok, err)
			}
		})
		f.same("live", len(f.live()), len(texts))
		for _, text := range texts {
			m := f.meeting(f.keyOf(text))
			f.same("key", m.Key.MeetingID, text)
			f.same("room", m.Incarnation, b3scale.Incarnation{InternalID: text, CreateTime: 1, AttendeePW: text, ModeratorPW: text, Info: []byte(text)})
		}
	})

	run(t, open, "are kept in every table", func(f *fixture) {
		for i, text := range texts {
			f.key = f.keyOf(text)
			m := f.populated(f.active(f.a, text))
			f.book(f.b, text)
			fe := f.addFrontend(b3scale.Frontend{Key: "key " + text, Secret: b3scale.Secret(text), AccountRef: text,
				Settings: b3scale.FrontendSettings{RequiredTags: b3scale.Tags{text}}})
			f.same("tag", fe.Settings.RequiredTags[0], text)
			f.same("secret", fe.Secret.Reveal(), text)
			f.same("attendees of "+text, f.people()[text+"/"+m.InternalID+"/ann"], true)
			f.expect(fmt.Sprint("lease ", i), f.acquired(text, text, time.Hour), nil, true)
		}
		orphans := f.orphans(f.b)
		f.same("orphans", len(orphans), len(texts))
		for i, o := range orphans {
			f.same("orphan", o.Key.MeetingID+o.InternalID, texts[i]+texts[i])
		}
	})
}
