package storetest

import (
	"strings"
	"testing"
	"time"

	"b3scale"
)

// testTexts uses what no database can be asked to store: clients send such ids,
// and nodes such XML.
func testTexts(t *testing.T, open opener) {
	odd := map[string]string{"NUL": "ro\x00om", "half a character": "room\xc3", "no UTF-8": "\xff\xfe", "surrogate": "\xed\xa0\x80",
		"too long": strings.Repeat("x", 4*b3scale.MaxMeetingIDLength+1)}

	run(t, open, "odd ids are refused everywhere", func(f *fixture) {
		m := f.active(f.a, "r1")
		for what, text := range odd {
			ctx, key := f.Context(), f.keyOf(text)
			oddFrontend := b3scale.MeetingKey{FrontendID: text, MeetingID: "room"}
			oddMeeting := m
			oddMeeting.Key = key
			oddRoom := room(text)
			for call, err := range map[string]error{
				"Meeting":          second(f.store.Meeting(ctx, key)),
				"Meeting, tenant":  second(f.store.Meeting(ctx, oddFrontend)),
				"ClaimMeeting":     third(f.store.ClaimMeeting(ctx, b3scale.Claim{Key: key, BackendID: f.a})),
				"ConfirmMeeting":   third(f.store.ConfirmMeeting(ctx, key, 1, room("r1"))),
				"ConfirmMeeting 2": third(f.store.ConfirmMeeting(ctx, m.Key, m.Generation, oddRoom)),
				"EndMeeting":       second(f.store.EndMeeting(ctx, oddMeeting)),
				"RequestEnd":       third(f.store.RequestEnd(ctx, key, 1, "r1")),
				"RequestEnd 2":     third(f.store.RequestEnd(ctx, m.Key, m.Generation, text)),
				"AdoptMeeting":     third(f.store.AdoptMeeting(ctx, key, f.a, room("r1"), 1)),
				"AdoptMeeting 2":   third(f.store.AdoptMeeting(ctx, f.keyOf("other"), f.a, oddRoom, 1)),
				"ActivateMeeting":  third(f.store.ActivateMeeting(ctx, oddMeeting, f.a, room("r1"))),
				"BookOrphan":       second(f.store.BookOrphan(ctx, key, f.b, "r1")),
				"SettleOrphan":     third(f.store.SettleOrphan(ctx, key, f.b, room("r1"), nil)),
				"NoteBluntEnd":     f.store.NoteBluntEnd(ctx, key, f.a),
				"AddFrontend":      second(f.store.AddFrontend(ctx, b3scale.Frontend{Key: text}, operator)),
				"AddBackend":       second(f.store.AddBackend(ctx, b3scale.Backend{Host: text}, operator)),
				"AddBackend 2":     second(f.store.AddBackend(ctx, b3scale.Backend{Host: "x", AgentRef: text}, operator)),
				"EditFrontend":     second(f.store.EditFrontend(ctx, text, operator, func(*b3scale.Frontend) error { return nil })),
				"EditFrontend 2": second(f.store.EditFrontend(ctx, f.frontend, operator, func(v *b3scale.Frontend) error {
					v.Key = text
					return nil
				})),
				"EditBackend": second(f.store.EditBackend(ctx, text, operator, func(*b3scale.Backend) error { return nil })),
				"EditBackend 2": second(f.store.EditBackend(ctx, f.a, operator, func(v *b3scale.Backend) error {
					v.AgentRef = text
					return nil
				})),
				"DeleteFrontend":     second(f.store.DeleteFrontend(ctx, text, operator)),
				"DeleteBackend":      second(f.store.DeleteBackend(ctx, text, operator)),
				"DeleteEmptyBackend": second(f.store.DeleteEmptyBackend(ctx, text)),
				"DeclareLost":        second(f.store.DeclareLost(ctx, text, operator)),
				"SaveSecretUses":     f.store.SaveSecretUses(ctx, map[b3scale.SecretSlot]b3scale.Micros{{OwnerID: text}: 1}),
				"AddCommand":         second(f.store.AddCommand(ctx, b3scale.CommandAction(text), nil, time.Hour, operator)),
				"Command":            second(f.store.Command(ctx, text)),
				"TakeCommand":        third(f.store.TakeCommand(ctx, text, time.Hour)),
				"FinishCommand":      second(f.store.FinishCommand(ctx, text, "one", b3scale.CommandSuccess, nil)),
				"AcquireLeases":      second(f.store.AcquireLeases(ctx, []string{text}, "one", time.Hour)),
			} {
				f.code(what+": "+call, err, b3scale.InvalidArgument)
			}
			if text == odd["too long"] {
				continue
			}
			for call, err := range map[string]error{
				"attendee password": third(f.store.ClaimMeeting(ctx, b3scale.Claim{Key: f.keyOf("x"), BackendID: f.a, AttendeePW: text})),
				"frontend secret":   second(f.store.AddFrontend(ctx, b3scale.Frontend{Key: "x", Secret: b3scale.Secret(text)}, operator)),
				"account":           second(f.store.AddFrontend(ctx, b3scale.Frontend{Key: "x", AccountRef: text}, operator)),
				"backend secret":    second(f.store.AddBackend(ctx, b3scale.Backend{Host: "x", SecondarySecret: b3scale.Secret(text)}, operator)),
				"LeaseOrphan":       second(f.store.LeaseOrphan(ctx, key, f.b, time.Hour)),
				"edited secret": second(f.store.EditBackend(ctx, f.a, operator, func(v *b3scale.Backend) error {
					v.Secret = b3scale.Secret(text)
					return nil
				})),
				"params":     second(f.store.AddCommand(ctx, "x", []byte(`"`+text+`"`), time.Hour, operator)),
				"result":     second(f.store.FinishCommand(ctx, "x", "one", b3scale.CommandSuccess, []byte(`"`+text+`"`))),
				"SaveReport": f.store.SaveReport(ctx, f.a, []byte(text)),
			} {
				f.code(what+": "+call, err, b3scale.InvalidArgument)
			}
		}
		f.unchanged("refused", m)
		f.same("live", len(f.live()), 1)
	})

	run(t, open, "odd keys among others are passed over", func(f *fixture) {
		m := f.active(f.a, "r1")
		f.book(f.b, "stray")
		keys := []b3scale.MeetingKey{f.key}
		for _, text := range odd {
			keys = append(keys, f.keyOf(text))
		}
		rows := 0
		f.must(f.store.ReadMeetings(f.Context(), keys, func(got b3scale.Meeting, _ []b3scale.Attendee) {
			rows++
			f.same("row", got, m)
		}))
		f.same("rows", rows, 1)
		f.must(f.store.DeleteOrphans(f.Context(), f.b, keys, f.now().Add(time.Hour), 0))
		f.noOrphan(f.b)
		f.same("argument", keys[0], f.key)
		f.same("number", len(keys), len(odd)+1)
	})

	const mended = "<a>�b�</a>"
	oddXML := []byte("<a>\x00b\xff</a>")

	run(t, open, "odd XML is mended, and is the same the next time", func(f *fixture) {
		r := room("r1")
		r.Info = oddXML
		m := f.confirmed(f.claimed(f.a), r)
		f.same("info", string(m.Info), mended)
		f.same("confirmed again", f.confirmed(m, r), m)
		f.key = f.keyOf("adopted")
		adopted, ok, err := f.store.AdoptMeeting(f.Context(), f.key, f.a, r, 1)
		f.expect("adopt", ok, err, true)
		f.same("info", string(f.meeting(adopted.Key).Info), mended)
	})

	run(t, open, "one odd room in a list harms no other", func(f *fixture) {
		good := f.active(f.a, "r1")
		f.key = f.keyOf("odd")
		bad := f.active(f.a, "r2")
		v := sighting(bad, string(oddXML))
		v.AttendeesReplaced = true
		v.Attendees = []b3scale.Attendee{attendee(bad, "ann"), {InternalUserID: "b\x00b", Boot: "\xff", XML: oddXML}, {InternalUserID: odd["too long"]}}
		nobody := sighting(bad, "<new/>")
		nobody.Key = f.keyOf(odd["NUL"])
		versions := f.sighted(f.a, v, nobody, sighting(good, "<new/>"))
		f.same("versions", versions, []int64{f.meeting(bad.Key).Version, 0, f.meeting(good.Key).Version})
		f.same("good", string(f.meeting(good.Key).Info), "<new/>")
		f.same("bad", string(f.meeting(bad.Key).Info), mended)
		f.same("people", f.people(), map[string]bool{"odd/r2/ann": true, "odd/r2/b�b": true})
	})

	run(t, open, "the longest ids are kept", func(f *fixture) {
		long := strings.Repeat("教", b3scale.MaxMeetingIDLength-1) + "室"
		f.key = f.keyOf(long)
		m := f.populated(f.active(f.a, long))
		f.book(f.b, long)
		f.same("row", f.meeting(f.key), m)
		f.same("orphan", f.orphan(f.b).Key, f.key)
		f.same("people", len(f.people()), 2)
		f.addFrontend(b3scale.Frontend{Key: long})
	})
}

func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }
