package b3scale

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// MeetingKey names a meeting: a frontend and the id that the frontend gave it.
type MeetingKey struct {
	FrontendID string
	MeetingID  string
}

// String is for logs.
func (k MeetingKey) String() string { return k.FrontendID + "/" + k.MeetingID }

// LogValue gives logs the same in every format.
func (k MeetingKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// idMark ends every encoded id. Rooms whose id does not carry it are not ours.
const idMark = "b3scl"

// Limits of a meeting id, in UTF-16 code units as the nodes count them
// (BBB API, create: 2 to 256 characters).
const (
	MinMeetingIDLength = 2
	MaxMeetingIDLength = 256
)

// EncodeMeetingID gives the id under which a meeting lives on a node, in
// recordings and in the REST API:
//
//	base64url(JSON ["<frontend key>","<meeting id>","b3scl"])
//
// with padding and with JSON's HTML escapes, byte for byte as running nodes
// and stored recordings already have it.
func EncodeMeetingID(frontendKey, meetingID string) string {
	buf := make([]byte, 0, len(frontendKey)+len(meetingID)+len(idMark)+16)
	buf = append(buf, '[')
	buf = appendJSONString(buf, frontendKey)
	buf = append(buf, ',')
	buf = appendJSONString(buf, meetingID)
	buf = append(buf, `,"`+idMark+`"]`...)
	return base64.URLEncoding.EncodeToString(buf)
}

// appendJSONString appends s as encoding/json would write it. Plain text, the
// usual case, is copied.
func appendJSONString(buf []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0x7f {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(buf, quoted...)
		}
	}
	buf = append(buf, '"')
	buf = append(buf, s...)
	return append(buf, '"')
}

// DecodeMeetingID takes an encoded id apart. It reports false for every id
// that EncodeMeetingID could not have made.
func DecodeMeetingID(encoded string) (frontendKey, meetingID string, ok bool) {
	if len(encoded) < 16 || !strings.HasPrefix(encoded, "Wy") { // base64url of `["`, nearly always
		return "", "", false
	}
	raw, err := base64.URLEncoding.DecodeString(encoded)
	if err != nil || !bytes.HasPrefix(raw, []byte(`["`)) {
		return "", "", false
	}
	var parts []string
	if json.Unmarshal(raw, &parts) != nil || len(parts) != 3 || parts[2] != idMark {
		return "", "", false
	}
	// A second spelling of the same id would be a second room: only ours counts.
	if EncodeMeetingID(parts[0], parts[1]) != encoded {
		return "", "", false
	}
	return parts[0], parts[1], true
}
