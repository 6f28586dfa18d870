package bbbtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// faultJSON is a Fault on the wire.
type faultJSON struct {
	Kind    Kind     `json:"kind"`
	Calls   []string `json:"calls,omitempty"`
	Times   int      `json:"times,omitempty"`
	Delay   string   `json:"delay,omitempty"`
	Key     string   `json:"key,omitempty"`
	Message string   `json:"message,omitempty"`
}

func setFault(n *Node, body []byte) error {
	var in faultJSON
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return fmt.Errorf("body is no fault: %w", err)
	}
	if decoder.More() {
		return errors.New("body is more than one fault")
	}
	f := Fault{Kind: in.Kind, Calls: in.Calls, Times: in.Times, Key: in.Key, Message: in.Message}
	if in.Delay != "" {
		var err error
		if f.Delay, err = time.ParseDuration(in.Delay); err != nil {
			return fmt.Errorf("delay: %w", err)
		}
	}
	if err := f.Check(); err != nil {
		return err
	}
	n.SetFault(f)
	return nil
}

type nodeState struct {
	Name    string      `json:"name"`
	BaseURL string      `json:"base_url"`
	Version string      `json:"version"`
	Down    bool        `json:"down"`
	Rooms   int         `json:"rooms"`
	Faults  []faultJSON `json:"faults"`
	Running []roomState `json:"running,omitempty"`
}

type roomState struct {
	MeetingID  string   `json:"meeting_id"`
	InternalID string   `json:"internal_id"`
	Name       string   `json:"name"`
	Attendees  []string `json:"attendees"`
}

func stateOf(n *Node, withRooms bool) nodeState {
	s := nodeState{
		Name: n.Name(), BaseURL: n.PublicURL() + apiPath + "/", Version: n.opts.Version, Down: n.IsDown(),
		Rooms: n.roomCount(), Faults: []faultJSON{},
	}
	for _, f := range n.Faults() {
		out := faultJSON{Kind: f.Kind, Calls: f.Calls, Times: f.Times, Key: f.Key, Message: f.Message}
		if f.Delay != 0 {
			out.Delay = f.Delay.String()
		}
		s.Faults = append(s.Faults, out)
	}
	if withRooms {
		for _, r := range n.Rooms() {
			room := roomState{MeetingID: r.ExternalID, InternalID: r.InternalID, Name: r.Name, Attendees: []string{}}
			for _, a := range r.Attendees {
				room.Attendees = append(room.Attendees, a.FullName)
			}
			s.Running = append(s.Running, room)
		}
	}
	return s
}

// statesOf is one state for one node, a list for several.
func statesOf(nodes []*Node, withRooms bool) any {
	if len(nodes) == 1 {
		return stateOf(nodes[0], withRooms)
	}
	states := make([]nodeState, 0, len(nodes))
	for _, n := range nodes {
		states = append(states, stateOf(n, withRooms))
	}
	return states
}

func sendJSON(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(content)
}

func sendError(w http.ResponseWriter, status int, err error) {
	sendJSON(w, status, map[string]string{"error": err.Error()})
}
