package cluster

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"slices"

	"b3scale"
	"b3scale/bbb"
)

// A reservation knows two names: that of whoever asks, so that a repeat takes no
// second place, and that by which the arrival is recognised, when all that is
// known are the words of a node. Both are hashes; who it was nobody can read.

// holderKey is who asks: somebody with a userID is one person, whatever else the
// join says; without one, two joins are the same if they say the same.
func holderKey(meetingID string, params *bbb.Params) string {
	if id := bbb.Clean(params.Get("userID")); id != "" {
		return digest(meetingID, "u", id)
	}
	var pairs [][2]string
	for name, value := range params.All() {
		if name != "checksum" {
			pairs = append(pairs, [2]string{name, value})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	parts := []string{meetingID, "p"}
	for _, p := range pairs {
		parts = append(parts, p[0], p[1])
	}
	return digest(parts...)
}

// joinArrivalKey is how somebody will be recognised.
func joinArrivalKey(meetingID string, params *bbb.Params) string {
	name := bbb.Clean(params.Get("fullName"))
	if name == "" { // nodes since 3.0 put it together
		name = bbb.Clean(params.Get("firstName") + " " + params.Get("lastName"))
	}
	return arrivalKey(meetingID, params.Get("userID"), name)
}

// madeUp are the ids that nodes give to people who bring none (BBB API, join).
var madeUp = regexp.MustCompile(`^[a-z]_[0-9a-z]{12}$`)

func arrivalKey(meetingID, userID, name string) string {
	if userID = bbb.Clean(userID); userID != "" && !madeUp.MatchString(userID) {
		return digest(meetingID, "u", userID)
	}
	return digest(meetingID, "n", bbb.Clean(name))
}

// arrivalKey is that of somebody of whom an event tells.
func (e *Event) arrivalKey(meetingID string) string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	userID := text(e.Person.ExternalUserID)
	if userID == e.UserID {
		userID = ""
	}
	return arrivalKey(meetingID, userID, text(e.Person.Name))
}

// newcomers are the arrivals of those who are in a meeting now and were not
// before. Lists know no internal ids, so people are told apart by what their
// reservations know of them.
func newcomers(meetingID string, before, now []b3scale.Attendee) []string {
	known := map[string]int{}
	each := func(people []b3scale.Attendee, yield func(arrival string)) {
		for i := range people {
			if !people[i].Gone() {
				who, _ := readPerson(people[i].XML)
				yield(arrivalKey(meetingID, who.userID, who.name))
			}
		}
	}
	each(before, func(arrival string) { known[arrival]++ })
	var came []string
	each(now, func(arrival string) {
		if known[arrival]--; known[arrival] < 0 {
			came = append(came, arrival)
		}
	})
	return came
}

// digest hashes parts that cannot be mistaken for others.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}
