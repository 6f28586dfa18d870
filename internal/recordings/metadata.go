package recordings

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"b3scale"
	"b3scale/bbb"
)

// maxMetadata is the largest metadata.xml. Those of nodes have a few KiB.
const maxMetadata = 1 << 20

// ParseMetadata reads the metadata.xml of one format. What it returns is as the
// node tells it: meeting ids and metadata are not the frontend's yet. Whatever
// comes, it fails with InvalidArgument and says what is wrong.
func ParseMetadata(raw []byte) (b3scale.Recording, error) {
	root, err := parseRecording(raw)
	if err != nil {
		return b3scale.Recording{}, err
	}
	r := b3scale.Recording{
		ID:           text(root.Child("id")),
		StartMillis:  number(root.Child("start_time"), maxMillis),
		EndMillis:    number(root.Child("end_time"), maxMillis),
		Participants: int(number(root.Child("participants"), maxCount)),
		RawSize:      number(root.Child("raw_size"), maxSize),
		Metadata:     metadata(root.Child("meta")),
	}
	switch {
	case r.ID == "":
		return b3scale.Recording{}, invalid("it has no id")
	case !IsID(r.ID):
		return b3scale.Recording{}, invalid("the id %q is none: letters, digits, _ and - are allowed, 190 at most", shorten(r.ID))
	}
	format, err := formatOf(root)
	if err != nil {
		return b3scale.Recording{}, err
	}
	r.Formats = []b3scale.RecordingFormat{format}
	nameOf(&r, root.Child("meeting"))
	stateOf(&r, root)
	r.BreakoutOf = parentOf(root.Child("breakout"))
	r.BreakoutRooms = roomsOf(root.Child("breakoutRooms"))
	bound(&r)
	return r, nil
}

var ids = regexp.MustCompile(`^[A-Za-z0-9_-]{1,190}$`)

// IsID tells whether s can be the id of a recording, or the name of a format.
// Both name directories, beside which work puts others with longer names; file
// systems allow 255 bytes.
func IsID(s string) bool { return ids.MatchString(s) }

// parseRecording refuses what could be read in two ways.
func parseRecording(raw []byte) (bbb.Element, error) {
	switch {
	case len(raw) > maxMetadata:
		return bbb.Element{}, invalid("it is larger than %d bytes", maxMetadata)
	case len(bytes.TrimSpace(raw)) == 0:
		return bbb.Element{}, invalid("it is empty")
	case bytes.HasPrefix(raw, []byte("\xff\xfe")), bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return bbb.Element{}, invalid("it is UTF-16, which is not accepted: UTF-8 is")
	case bytes.IndexByte(raw, 0) >= 0:
		return bbb.Element{}, invalid("it has a NUL byte")
	case !utf8.Valid(raw):
		return bbb.Element{}, invalid("it is not UTF-8")
	}
	if name := encodingOf(raw); name != "" && !isASCII(raw) {
		switch strings.ToLower(name) {
		case "utf-8", "utf8", "us-ascii", "ascii":
		default:
			return bbb.Element{}, invalid("the encoding %q is not accepted: UTF-8 is", shorten(name))
		}
	}
	doc, err := bbb.ParseBody(raw)
	if err != nil {
		return bbb.Element{}, invalid("%v", err)
	}
	if root := doc.Root(); root.Name() == "recording" {
		return root, nil
	}
	return bbb.Element{}, invalid("its first element is <%s>, not <recording>", shorten(doc.Root().Name()))
}

var encodings = regexp.MustCompile(`^(?:\x{FEFF})?<\?xml\s[^>]*?\bencoding\s*=\s*["']([^"'>]*)["']`)

// encodingOf is what the document says of itself; "" when it says nothing.
func encodingOf(raw []byte) string {
	if m := encodings.FindSubmatch(raw[:min(len(raw), 1<<10)]); m != nil {
		return string(m[1])
	}
	return ""
}

func isASCII(raw []byte) bool {
	return !bytes.ContainsFunc(raw, func(r rune) bool { return r >= utf8.RuneSelf })
}

// metadata has the names as they are spelled. A name that comes again, in
// whatever case, replaces the one before: the last one counts, but of those
// that the node adds itself its own spelling does. Those that say who may see
// the recording are spelled as we do.
func metadata(meta bbb.Element) map[string]string {
	found, spelled := map[string]string{}, map[string]string{} // spelled: by name in lower case
	for e := range meta.Children() {
		name := e.Name()
		if !bbb.IsElementName(name) {
			continue // no list of recordings could have it
		}
		lower, value := strings.ToLower(name), bbb.DropControls(e.Text())
		switch lower {
		case b3scale.MetaProtect:
			name, value = lower, protection(value)
		case b3scale.MetaListed:
			name = lower
		}
		before, again := spelled[lower]
		if again && before != name && nodeAdds(before) {
			continue
		}
		delete(found, before)
		found[name], spelled[lower] = value, name
	}
	return found
}

// protection is one of the two words that count. What is not clearly a no may
// have been meant to protect.
func protection(value string) string {
	switch strings.ToLower(bbb.Clean(value)) {
	case "", "false", "no", "n", "off", "0":
		return "false"
	}
	return "true"
}

func nodeAdds(name string) bool {
	return name == "meetingId" || name == "meetingName" || name == "isBreakout"
}

// nameOf finds out which meeting it was. Nodes leave the meeting element out of
// some formats.
func nameOf(r *b3scale.Recording, meeting bbb.Element) {
	r.InternalMeetingID = attribute(meeting, "id")
	if !IsID(r.InternalMeetingID) {
		r.InternalMeetingID = r.ID
	}
	if r.MeetingID = attribute(meeting, "externalId"); r.MeetingID == "" {
		r.MeetingID = r.Metadata["meetingId"]
	}
	if r.MeetingID == "" {
		r.MeetingID = r.ID
	}
	told := r.Metadata["meetingName"]
	r.Name = attribute(meeting, "name")
	if r.Name == "" || told != "" && isEscaped(r.Name, told) {
		r.Name = told
	}
	if r.Name == "" {
		r.Name = "unknown"
	}
	breakout := attribute(meeting, "breakout")
	if breakout == "" {
		breakout = r.Metadata["isBreakout"]
	}
	r.Breakout = bbb.IsTrue(breakout)
}

var references = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&#39;", "'")

// isEscaped tells whether name is plain, escaped any number of times: nodes
// escape the name once more whenever they write the file again.
func isEscaped(name, plain string) bool {
	for range 64 { // nobody publishes and hides a recording that often
		if name == plain {
			return true
		}
		less := references.Replace(name)
		if len(less) >= len(name) || len(less) < len(plain) {
			return false
		}
		name = less
	}
	return false
}

// stateOf reads what the node says of the state. Of data it often says nothing:
// they are published.
func stateOf(r *b3scale.Recording, root bbb.Element) {
	state := text(root.Child("state"))
	if len(state) > maxState {
		state = ""
	}
	published := text(root.Child("published"))
	switch {
	case published != "":
		r.SetPublished(bbb.IsTrue(published))
	case state == "", state == stateAvailable, state == b3scale.StatePublished:
		r.SetPublished(true)
	default: // a state that says that it must not be shown, or that it is not finished
		r.SetPublished(false)
	}
	if !r.Published && state != "" && state != stateAvailable && state != b3scale.StatePublished {
		r.State = state
	}
}

const (
	stateAvailable = "available" // what nodes call published in some formats
	maxState       = 64
)

func parentOf(breakout bbb.Element) *b3scale.RecordingParent {
	parent := attribute(breakout, "parentMeetingId")
	if !IsID(parent) {
		return nil
	}
	return &b3scale.RecordingParent{
		ParentID: parent,
		Sequence: int(clamp(attribute(breakout, "sequence"), maxCount)),
		FreeJoin: bbb.IsTrue(attribute(breakout, "freeJoin")),
	}
}

func roomsOf(rooms bbb.Element) (internal []string) {
	for e := range rooms.Children() {
		if id := text(e); e.Name() == "breakoutRoom" && IsID(id) && len(internal) < maxRooms {
			internal = append(internal, id)
		}
	}
	return internal
}

// text is that of an element that has white space only for the looks of it.
func text(e bbb.Element) string { return strings.TrimSpace(bbb.DropControls(e.Text())) }

func attribute(e bbb.Element, name string) string { return bbb.DropControls(e.Attribute(name)) }

// The largest numbers: what is above them is a mistake, and sums of them must
// not overflow.
const (
	maxMillis = 1 << 53
	maxSize   = 1 << 53
	maxCount  = 1<<31 - 1
)

func number(e bbb.Element, most int64) int64 { return clamp(text(e), most) }

// clamp reads a number between 0 and most. What is no number counts as 0.
func clamp(s string, most int64) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil && n != 1<<63-1 { // beyond all numbers ParseInt gives the last one
		return 0
	}
	return min(max(n, 0), most)
}

func shorten(s string) string { return strings.ToValidUTF8(s[:min(len(s), 80)], "") }

func invalid(format string, args ...any) *b3scale.Error {
	return b3scale.Errorf(b3scale.InvalidArgument, "the metadata.xml cannot be read: "+format, args...)
}
