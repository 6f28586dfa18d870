package bbb

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Signature is what a request carries to prove that it comes from a frontend.
type Signature struct {
	query    string // what was signed, when the request has a query
	checksum string
	count    int    // of checksum parameters
	form     string // sorted rebuild of the form, when the checksum is in it
	inForm   bool
}

// Request is an API call as a client sent it.
type Request struct {
	Call   string
	Params Params // query first, then form, without the checksum
	// UnsignedForm: parameters came in a form body that the checksum does not
	// cover (BBB API, checksum of POST requests since 2.6.18 and 2.7.8).
	UnsignedForm bool

	signature Signature
}

// NewRequest reads the parameters of a call from its raw query and, if the
// body is a form, from the body.
func NewRequest(call, rawQuery string, form string) Request {
	r := Request{Call: call}
	r.signature.query, r.signature.checksum, r.signature.count = SplitChecksum(rawQuery)
	r.Params = ParseParams(r.signature.query)
	r.signature.count += r.Params.Count(checksumParam) // duplicates, also under an escaped name
	r.Params.Delete(checksumParam)
	if form == "" {
		return r
	}
	body := ParseParams(form)
	r.signature.count += body.Count(checksumParam)
	if rawQuery == "" {
		r.signature.checksum = body.Get(checksumParam)
		r.signature.form = body.sortedForm()
		r.signature.inForm = true
	} else {
		r.UnsignedForm = true
	}
	body.Delete(checksumParam)
	r.Params.Append(body)
	return r
}

// Verify checks the request against the secrets of a frontend and returns
// BBB's own error, or nil. A second checksum is refused (as by nodes from
// 3.0.37 on).
func (r *Request) Verify(secrets ...string) *Failure {
	s := &r.signature
	switch {
	case s.count == 0 || s.checksum == "":
		return ErrChecksumMissing
	case s.count > 1:
		return ErrChecksum
	case s.inForm && Verify(r.Call, s.form, s.checksum, secrets...):
		return nil // nodes up to 2.6.17 and 2.7.7 sign the form itself
	case Verify(r.Call, s.query, s.checksum, secrets...):
		r.UnsignedForm = r.UnsignedForm || s.inForm
		return nil
	}
	return ErrChecksum
}

// Clean gives a string parameter the form in which nodes use it: without
// control characters and without blanks around it (BBB API, validation).
func Clean(value string) string {
	if strings.IndexFunc(value, isControl) >= 0 {
		// Not strings.Map, which would make valid UTF-8 of invalid.
		value = string(slices.DeleteFunc([]byte(value), func(c byte) bool { return isControl(rune(c)) }))
	}
	return strings.Trim(value, " ")
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// Length counts as nodes do, in UTF-16 code units.
func Length(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// CheckMeetingID applies BBB's rules to a cleaned meeting id and returns BBB's
// own error, or nil.
func CheckMeetingID(id string) *Failure {
	switch n := Length(id); {
	case id == "":
		return ErrMissingMeetingID
	case n < 2 || n > 256:
		return ErrMeetingIDSize
	case strings.Contains(id, ","):
		return ErrMeetingIDComma
	case !utf8.ValidString(id):
		return ErrMeetingIDInvalid
	}
	return nil
}
