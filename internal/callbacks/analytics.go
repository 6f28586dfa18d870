package callbacks

import (
	"bytes"
	"encoding/json"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
)

// analytics is the payload for the frontend: the node's JSON, with the
// frontend's own ids and addresses where ours stand. Every other byte stays.
func (in *Intake) analytics(f *b3scale.Frontend, t b3scale.CallbackTicket, token string, body []byte, secrets []b3scale.Secret) (payload []byte, meetingID string, err error) {
	if _, err = verified(jwt.SigningMethodHS512, token, secrets, jwt.WithExpirationRequired()); err != nil {
		return nil, "", err
	}
	var object struct {
		MeetingID *string `json:"meeting_id"`
	}
	switch {
	case json.Unmarshal(body, &object) != nil:
		return nil, "", errBadBody
	case object.MeetingID == nil:
		return nil, "", errNoMeeting
	}
	if meetingID, err = ownMeetingID(f, t, *object.MeetingID); err != nil {
		return nil, "", err
	}
	return mapTexts(body, func(text string) (string, bool) {
		if key, id, ok := b3scale.DecodeMeetingID(text); ok && key == f.Key {
			return id, true
		}
		return in.relay.Original(f.ID, text)
	}), meetingID, nil
}

// mapTexts changes texts among the values of a valid JSON. Names of members
// and everything else stay byte for byte.
func mapTexts(body []byte, change func(text string) (string, bool)) []byte {
	var out []byte
	done := 0 // of body, that is in out or need not be
	for i := 0; i < len(body); i++ {
		if body[i] != '"' {
			continue
		}
		begin := i
		for i++; i < len(body) && body[i] != '"'; i++ {
			if body[i] == '\\' {
				i++
			}
		}
		end := min(i+1, len(body))
		if rest := bytes.TrimLeft(body[end:], " \t\r\n"); len(rest) > 0 && rest[0] == ':' {
			continue // a name
		}
		var text string
		if json.Unmarshal(body[begin:end], &text) != nil {
			continue // cannot be
		}
		if changed, ok := change(text); ok {
			quoted, _ := json.Marshal(changed) // a text always has a JSON
			out = append(append(out, body[done:begin]...), quoted...)
			done = end
		}
	}
	if out == nil {
		return body
	}
	return append(out, body[done:]...)
}
