package bbbtest

import (
	"bytes"
	"encoding/json"
)

// fields are a JSON object whose members stay in order.
type fields []field

type field struct {
	name  string
	value any
}

// object makes one of names and values.
func object(pairs ...any) fields {
	out := make(fields, 0, len(pairs)/2)
	return out.add(pairs...)
}

func (f fields) add(pairs ...any) fields {
	for i := 0; i < len(pairs); i += 2 {
		f = append(f, field{pairs[i].(string), pairs[i+1]})
	}
	return f
}

// when adds members that only some versions have.
func (f fields) when(has bool, pairs ...any) fields {
	if !has {
		return f
	}
	return f.add(pairs...)
}

// MarshalJSON keeps <, > and & as they are, like the library of real nodes.
func (f fields) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, one := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		for _, part := range []any{one.name, one.value} {
			text, err := plainJSON(part)
			if err != nil {
				return nil, err
			}
			b.Write(text)
			b.WriteByte(':')
		}
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func plainJSON(value any) ([]byte, error) {
	if nested, ok := value.(fields); ok {
		return nested.MarshalJSON()
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// fromNode publishes a message of the system. It names the meeting in its
// header if meetingID is not empty.
func (n *Node) fromNode(name, meetingID string, body fields) {
	if !n.publishes() {
		return
	}
	header := object("name", name).when(meetingID != "", "meetingId", meetingID)
	n.send(EventChannel, name, object("sender", "bbb-apps-akka"), header, body)
}

// toMeeting publishes what the clients of a meeting see. userID may be a dummy.
func (n *Node) toMeeting(name string, r *room, userID string, body fields) {
	n.toClients(EventChannel, "BROADCAST_TO_MEETING", name, r.InternalID, userID, body)
}

func (n *Node) toClients(channel, kind, name, meetingID, userID string, body fields) {
	if !n.publishes() {
		return
	}
	n.send(channel, name,
		object("msgType", kind, "meetingId", meetingID, "userId", userID),
		object("name", name, "meetingId", meetingID, "userId", userID), body)
}

func (n *Node) send(channel, name string, routing, header, body fields) {
	message, err := object(
		"envelope", object("name", name, "routing", routing, "timestamp", n.opts.Now().UnixMilli()),
		"core", object("header", header, "body", body),
	).MarshalJSON()
	if err != nil {
		panic("bbbtest: event " + name + ": " + err.Error()) // only strings, numbers and lists are in it
	}
	n.publish(channel, name, message)
}

// noUser stands in events that no user caused.
const noUser = "not-used"
