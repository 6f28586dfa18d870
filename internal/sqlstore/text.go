package sqlstore

import (
	"strings"
	"unicode/utf8"

	"b3scale"
)

// What stands here is the door for texts from outside: PostgreSQL stores no NUL
// and only UTF-8, and its indexes take no long values. All databases refuse the
// same, and so does every method, before a transaction begins. What nodes say of
// a room is mended instead: nobody would gain from losing the rest of a list.

// maxID is as long as the longest meeting id in the widest of characters.
const maxID = 4 * b3scale.MaxMeetingIDLength

func storable(text string) bool {
	return strings.IndexByte(text, 0) < 0 && utf8.ValidString(text)
}

func storableID(id string) bool { return len(id) <= maxID && storable(id) }

func storableKey(key b3scale.MeetingKey) bool {
	return storableID(key.FrontendID) && storableID(key.MeetingID)
}

// checkIDs refuses what can be no id, name or address.
func checkIDs(ids ...string) error {
	for _, id := range ids {
		if len(id) > maxID {
			return b3scale.Errorf(b3scale.InvalidArgument, "an id or name of %d bytes, %d are possible", len(id), maxID)
		}
		if !storable(id) {
			return b3scale.Errorf(b3scale.InvalidArgument, "%q is no text in UTF-8", id)
		}
	}
	return nil
}

func checkKey(key b3scale.MeetingKey, ids ...string) error {
	if err := checkIDs(key.FrontendID, key.MeetingID); err != nil {
		return err
	}
	return checkIDs(ids...)
}

// checkTexts refuses other texts. They may be secrets, and are not told.
func checkTexts(texts ...string) error {
	for _, text := range texts {
		if !storable(text) {
			return b3scale.Errorf(b3scale.InvalidArgument, "a value is no text in UTF-8")
		}
	}
	return nil
}

// checkRoom refuses a room without an id: every fence compares it, and an empty
// one would match rows that have no room yet. It returns the room as it can be
// stored.
func checkRoom(key b3scale.MeetingKey, room b3scale.Incarnation) (b3scale.Incarnation, error) {
	if room.InternalID == "" {
		return room, b3scale.Errorf(b3scale.InvalidArgument, "a room without an internal id")
	}
	if err := checkKey(key, room.InternalID); err != nil {
		return room, err
	}
	room.Info, room.Origin = mend(room.Info), storableOrigin(room.Origin)
	return room, checkTexts(room.AttendeePW, room.ModeratorPW)
}

// storableOrigin is nothing when it cannot be stored.
func storableOrigin(o b3scale.Origin) b3scale.Origin {
	if !storableID(o.Create) {
		return b3scale.Origin{}
	}
	return o
}

// mend puts a replacement character where XML is none. Nothing stays nothing.
func mend(xml []byte) []byte {
	if text := string(xml); !storable(text) {
		return []byte(mendText(text))
	}
	return xml
}

func mendText(text string) string {
	const replacement = string(utf8.RuneError)
	return strings.ReplaceAll(strings.ToValidUTF8(text, replacement), "\x00", replacement)
}

// mendID is mendText for what has an index: it is cut to what fits there.
func mendID(text string) string {
	if text = mendText(text); len(text) > maxID {
		text = strings.ToValidUTF8(text[:maxID], "") // half a character goes
	}
	return text
}

// mendAll mends attendees. Somebody whose id is too long for the index is left
// out.
func mendAll(attendees []b3scale.Attendee) []b3scale.Attendee {
	mended := make([]b3scale.Attendee, 0, len(attendees))
	for _, a := range attendees {
		a.InternalUserID, a.Boot, a.XML = mendText(a.InternalUserID), mendText(a.Boot), mend(a.XML)
		if len(a.InternalUserID) <= maxID {
			mended = append(mended, a)
		}
	}
	return mended
}
