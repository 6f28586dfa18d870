package bbbtest

import (
	"mime"
	"strconv"
	"strings"

	"b3scale/bbb"
)

// violations are the broken rules of one request. Nodes collect all of them
// and report the one whose key comes first in their hash map.
type violations struct {
	first *bbb.Failure
}

// rank is the order of that hash map (BBB API, which error wins). Between
// equal ranks the rule that was looked at first wins.
var rank = map[string]int{
	"checksumError": 1, "unsupportedContentType": 1, "guestDeny": 3, "emptyError": 4,
	"maxParticipantsReached": 5, "missingParamFullName": 6, "meetingForciblyEnded": 7,
	"invalidPassword": 8, "invalidMeetingIdentifier": 10, "notFound": 10, "sizeError": 11,
	"nullError": 14, "validationError": 14, "missingParamMeetingID": 15,
}

func (v *violations) add(f *bbb.Failure) {
	if f != nil && (v.first == nil || rank[f.Key] < rank[v.first.Key]) {
		v.first = f
	}
}

// check adds a violation unless ok.
func (v *violations) check(ok bool, key, message string) {
	if !ok {
		v.add(&bbb.Failure{Key: key, Message: message})
	}
}

// authenticate looks at content type and checksum, which hide everything else.
func (c *call) authenticate() *bbb.Failure {
	v := c.node.version
	if v.strictPosts() && len(c.body) > 0 && !c.acceptsBody() {
		return bbb.ErrContentType
	}
	if f := c.req.Verify(c.secret); f != nil {
		return f
	}
	switch n := len(c.checksum); {
	case !v.since(2, 5) && n > 64, // 2.4 knows SHA-1 and SHA-256
		!v.since(3, 0) && c.checksum != strings.ToLower(c.checksum):
		return bbb.ErrChecksum
	}
	if c.rawQuery == "" && c.req.Params.Len() > 0 && c.req.UnsignedForm != v.strictPosts() {
		return bbb.ErrChecksum // signed by the rule of other versions
	}
	return nil
}

// acceptsBody: which content types may carry a body (BBB API, POST bodies).
func (c *call) acceptsBody() bool {
	media, attributes, err := mime.ParseMediaType(c.contentType)
	if err != nil || attributes["charset"] != "" && c.node.version.refusesCharset() {
		return false
	}
	switch media {
	case "application/x-www-form-urlencoded", "multipart/form-data":
		return c.name != "insertDocument"
	case "application/xml", "text/xml":
		return c.name == "create" || c.name == "insertDocument"
	}
	return false
}

// meetingID looks at the id. One that is absent passes here; the calls say
// what they make of it.
func (v *violations) meetingID(c *call) {
	if id, ok := c.lookup("meetingID"); ok {
		v.add(bbb.CheckMeetingID(id))
	}
}

func (v *violations) password(c *call, name string) {
	if n := bbb.Length(c.get(name)); n != 0 {
		v.check(n >= 2 && n <= 64, "invalidPassword", "Invalid password")
	}
}

func (v *violations) boolean(c *call, name, label string) {
	switch strings.ToLower(c.get(name)) {
	case "", "true", "false", "0", "1":
	default:
		v.check(false, "validationError", label+" must be a boolean value (true or false)")
	}
}

func (v *violations) integer(c *call, name, message string) {
	if text := c.get(name); text != "" {
		_, err := strconv.ParseInt(text, 10, 64)
		v.check(err == nil, "validationError", message)
	}
}

// meetingCheck is all that most calls look at.
func (c *call) meetingCheck() *bbb.Failure {
	if f := c.authenticate(); f != nil {
		return f
	}
	var v violations
	v.meetingID(c)
	return v.first
}
