package pages

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strconv"
	"strings"
)

// fallback is the language of readers whose languages are all missing here.
const fallback = "en"

//go:embed texts/*.json
var textFiles embed.FS

// texts are the words of one language. {seconds} and {attempt} stand for numbers.
type texts struct {
	WaitingTitle   string `json:"waiting_title"`
	WaitingText    string `json:"waiting_text"`
	WaitingAgain   string `json:"waiting_again"`   // in {seconds} seconds, two or more
	WaitingSoon    string `json:"waiting_soon"`    // in a second
	WaitingByHand  string `json:"waiting_by_hand"` // when it cannot try by itself
	WaitingAttempt string `json:"waiting_attempt"`
	WaitingLink    string `json:"waiting_link"`

	GaveUpTitle  string `json:"gave_up_title"`
	GaveUpText   string `json:"gave_up_text"`
	GaveUpAdvice string `json:"gave_up_advice"`
	GaveUpLink   string `json:"gave_up_link"`

	NotFoundTitle  string `json:"not_found_title"`
	NotFoundText   string `json:"not_found_text"`
	NotFoundAdvice string `json:"not_found_advice"`

	LimitReachedTitle  string `json:"limit_reached_title"`
	LimitReachedText   string `json:"limit_reached_text"`
	LimitReachedAdvice string `json:"limit_reached_advice"`
	LimitReachedLink   string `json:"limit_reached_link"`

	TooManyTitle  string `json:"too_many_title"`
	TooManyText   string `json:"too_many_text"`
	TooManyAdvice string `json:"too_many_advice"`
	TooManyLink   string `json:"too_many_link"`

	UnavailableTitle  string `json:"unavailable_title"`
	UnavailableText   string `json:"unavailable_text"`
	UnavailableAdvice string `json:"unavailable_advice"`

	BadRequestTitle  string `json:"bad_request_title"`
	BadRequestText   string `json:"bad_request_text"`
	BadRequestAdvice string `json:"bad_request_advice"`

	RecordingOverTitle  string `json:"recording_over_title"`
	RecordingOverText   string `json:"recording_over_text"`
	RecordingOverAdvice string `json:"recording_over_advice"`

	NoRecordingTitle  string `json:"no_recording_title"`
	NoRecordingText   string `json:"no_recording_text"`
	NoRecordingAdvice string `json:"no_recording_advice"`

	RecordingAwayTitle  string `json:"recording_away_title"`
	RecordingAwayText   string `json:"recording_away_text"`
	RecordingAwayAdvice string `json:"recording_away_advice"`
}

type language struct {
	tag   string // the file's name: en, de, pt-BR
	texts *texts
}

// languages reads all text files, the fallback first.
func languages() []language {
	entries, err := textFiles.ReadDir("texts")
	if err != nil {
		panic(err)
	}
	var all []language
	for _, entry := range entries {
		t, err := readTexts(path.Join("texts", entry.Name()))
		if err != nil {
			panic(err)
		}
		one := language{tag: strings.TrimSuffix(entry.Name(), ".json"), texts: t}
		if one.tag == fallback {
			all = append([]language{one}, all...)
		} else {
			all = append(all, one)
		}
	}
	return all
}

// readTexts takes no file with a text too many or too few.
func readTexts(name string) (*texts, error) {
	raw, err := textFiles.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var t texts
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&t); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for field, value := range reflect.ValueOf(t).Fields() {
		if value.String() == "" {
			return nil, fmt.Errorf("%s: no text for %s", name, field.Tag.Get("json"))
		}
	}
	return &t, nil
}

// maxRanges bounds the work for one header; people speak fewer languages.
const maxRanges = 20

// choose finds the language the reader likes best (RFC 9110, 12.5.4). Equal
// wishes are served in their order.
func (p *Pages) choose(accept string) language {
	best, weight := p.languages[0], 0.0
	n := 0
	for one := range strings.SplitSeq(accept, ",") {
		if n++; n > maxRanges {
			break
		}
		tag, params, _ := strings.Cut(one, ";")
		q := quality(params)
		if q <= weight {
			continue
		}
		if lang, found := p.find(strings.TrimSpace(tag)); found {
			best, weight = lang, q
		}
	}
	return best
}

// quality reads the q of a language range: 1 when there is none, 0 when it is
// not a number between 0 and 1.
func quality(params string) float64 {
	params = strings.TrimSpace(params)
	if params == "" {
		return 1
	}
	name, text, _ := strings.Cut(params, "=")
	q, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !strings.EqualFold(strings.TrimSpace(name), "q") || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// find looks for de-AT, then for de. * is whatever there is.
func (p *Pages) find(tag string) (language, bool) {
	if tag == "*" {
		return p.languages[0], true
	}
	for tag != "" {
		for _, lang := range p.languages {
			if strings.EqualFold(lang.tag, tag) {
				return lang, true
			}
		}
		tag = tag[:max(0, strings.LastIndexByte(tag, '-'))]
	}
	return language{}, false
}
