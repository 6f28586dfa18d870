package sqlstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"b3scale"
)

// channel is the name that PostgreSQL knows the feed by.
const channel = "b3scale"

// payloadSize is what fits into one notification: less than 8,000 bytes.
const payloadSize = 7900

// payload is the text of a notification. A hint in it is its kind and what that
// refers to.
type payload struct {
	From  string     `json:"from"`
	Hints [][]string `json:"hints"`
}

// payloads packs hints into as few texts as they fit in. One that is too long
// by itself is missed.
func payloads(from string, hints map[b3scale.Hint]time.Time) []string {
	var texts []string
	empty := encode(payload{From: from, Hints: [][]string{}})
	words, size := [][]string{}, len(empty)
	flush := func() {
		if len(words) > 0 {
			texts = append(texts, string(encode(payload{From: from, Hints: words})))
			words, size = nil, len(empty)
		}
	}
	for h := range hints {
		next := wordsOf(h)
		more := len(encode(next)) + len(",")
		if len(empty)+more > payloadSize {
			next = wordsOf(hintMissed)
			more = len(encode(next)) + len(",")
		}
		if size+more > payloadSize {
			flush()
		}
		words, size = append(words, next), size+more
	}
	flush()
	return texts
}

func wordsOf(h b3scale.Hint) []string {
	switch h.Kind {
	case b3scale.HintMeeting:
		return []string{string(h.Kind), h.Key.FrontendID, h.Key.MeetingID}
	case b3scale.HintList:
		return []string{string(h.Kind), h.BackendID}
	}
	return []string{string(h.Kind)}
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings only
	}
	return text
}

// parsePayload is as strict as possible: who does not understand a hint must
// know that he missed one.
func parsePayload(text string) (from string, hints []b3scale.Hint, err error) {
	var p payload
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return "", nil, errors.New("it is not our JSON") // the driver's error may quote foreign text
	}
	if p.From == "" {
		return "", nil, errors.New("it has no sender")
	}
	for _, words := range p.Hints {
		h, err := parseHint(words)
		if err != nil {
			return "", nil, err
		}
		hints = append(hints, h)
	}
	return p.From, hints, nil
}

var kinds = map[b3scale.HintKind]int{ // and how many words follow
	b3scale.HintMeeting: 2,
	b3scale.HintConfig:  0,
	b3scale.HintList:    1,
	hintMissed.Kind:     0,
}

func parseHint(words []string) (b3scale.Hint, error) {
	if len(words) == 0 {
		return b3scale.Hint{}, errors.New("a hint has no kind")
	}
	h := b3scale.Hint{Kind: b3scale.HintKind(words[0])}
	rest := words[1:]
	if want, known := kinds[h.Kind]; !known || len(rest) != want {
		return b3scale.Hint{}, fmt.Errorf("a hint has %d words after its kind; the kinds are %v", len(rest), slices.Sorted(maps.Keys(kinds)))
	}
	switch h.Kind {
	case b3scale.HintMeeting:
		h.Key = b3scale.MeetingKey{FrontendID: rest[0], MeetingID: rest[1]}
	case b3scale.HintList:
		h.BackendID = rest[0]
	}
	return h, nil
}
