package gateway

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"b3scale"
	"b3scale/bbb"
)

// recordingList is an answer of getRecordings. It grows by pieces: a long one
// is never copied.
type recordingList struct {
	playback Playback
	total    int      // on all pages
	full     [][]byte // pieces
	last     []byte
	count    int

	room *room // for the bytes of all pieces
	size int64
	most int64
	end  listEnd
	stop func() // reading
}

// listEnd is why a list is not complete. Nothing is added to it any more.
type listEnd int

const (
	atItsEnd listEnd = iota
	tooLong
	outOfRoom
)

// What stands around the recordings. Nodes have these blanks, too.
const (
	listHead = "<response>\n          <returncode>SUCCESS</returncode>\n          <recordings>"
	listTail = "</recordings>\n        "
	listNone = "</recordings>\n          <messageKey>noRecordings</messageKey>\n" +
		"          <message>There are no recordings for the meeting(s).</message>\n        "
)

// answer writes the list. Those of pages tell how many there are in all.
func (l *recordingList) answer(w http.ResponseWriter, paged bool) {
	tail := listTail
	if l.count == 0 {
		tail = listNone
	}
	if paged {
		tail += "<totalElements>" + strconv.Itoa(l.total) + "</totalElements>"
	}
	parts := slices.Concat([][]byte{[]byte(listHead)}, l.full, [][]byte{l.last, []byte(tail + "</response>")})
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	xmlHeader(w)
	w.Header().Set("Content-Length", strconv.Itoa(size))
	note(w, "ok")
	for _, part := range parts {
		_, _ = w.Write(part) // fails only when the client is gone
	}
}

// add appends a recording, unless the list gets too long or there is no room.
func (l *recordingList) add(r b3scale.Recording) {
	if l.end != atItsEnd {
		return
	}
	if len(l.last) >= listBuffer {
		l.full = append(l.full, l.last)
		l.last = make([]byte, 0, listBuffer+listBuffer/8)
	}
	before := len(l.last)
	l.write(&r)
	l.size += int64(len(l.last) - before)
	switch missing := l.size - l.room.size; {
	case l.size > l.most:
		l.end = tooLong
	case missing > 0 && !l.room.grow(max(missing, listStep)):
		l.end = outOfRoom
	default:
		return
	}
	l.full, l.last = nil, nil
	l.stop()
}

// write appends one recording (BBB API, getRecordings).
func (l *recordingList) write(r *b3scale.Recording) {
	l.count++
	x := xmlText(l.last)
	x.open("recording")
	x.text("recordID", r.ID)
	x.text("meetingID", r.MeetingID)
	x.text("internalMeetingID", r.InternalMeetingID)
	x.text("name", r.Name)
	x.bool("isBreakout", r.Breakout)
	x.bool("published", r.Published)
	x.text("state", r.State)
	x.number("startTime", r.StartMillis)
	x.number("endTime", r.EndMillis)
	x.number("participants", int64(r.Participants))
	x.number("rawSize", r.RawSize)
	x.open("metadata")
	for _, name := range slices.Sorted(maps.Keys(r.Metadata)) {
		if bbb.IsElementName(name) { // whatever is stored: it must not break the list
			x.text(name, r.Metadata[name])
		}
	}
	x.close("metadata")
	if p := r.BreakoutOf; p != nil {
		x.open("breakout")
		x.text("parentId", p.ParentID)
		x.number("sequence", int64(p.Sequence))
		x.bool("freeJoin", p.FreeJoin)
		x.close("breakout")
	}
	if len(r.BreakoutRooms) > 0 {
		x.open("breakoutRooms")
		for _, id := range r.BreakoutRooms {
			x.text("breakoutRoom", id)
		}
		x.close("breakoutRooms")
	}
	l.formats(&x, r)
	x.close("recording")
	l.last = x
}

// formats adds what can be played. A format without an address cannot be.
func (l *recordingList) formats(x *xmlText, r *b3scale.Recording) {
	size := int64(0)
	for i := range r.Formats {
		size += r.Formats[i].Size
	}
	x.number("size", size)
	for _, data := range []bool{false, true} {
		group := "playback"
		if data {
			group = "data"
		}
		x.open(group)
		for i := range r.Formats {
			f := &r.Formats[i]
			if f.Data != data {
				continue
			}
			if link := l.playback.Link(r, f); link != "" {
				l.format(x, f, link)
			}
		}
		x.close(group)
	}
}

func (l *recordingList) format(x *xmlText, f *b3scale.RecordingFormat, link string) {
	x.open("format")
	x.text("type", f.Type)
	x.text("url", link)
	if !f.Data {
		x.number("processingTime", f.ProcessingMillis)
		x.number("length", f.DurationMillis/60_000)
		x.number("size", f.Size)
		l.preview(x, f.Preview)
		x.raw(f.Extensions)
	}
	x.close("format")
}

func (l *recordingList) preview(x *xmlText, images []b3scale.RecordingImage) {
	if len(images) == 0 {
		return
	}
	x.open("preview")
	x.open("images")
	for _, image := range images {
		x.raw("<image")
		if image.Width > 0 && image.Height > 0 { // not known of all
			x.raw(` width="` + strconv.Itoa(image.Width) + `" height="` + strconv.Itoa(image.Height) + `"`)
		}
		x.raw(` alt="` + escaped(image.Alt) + `">` + escaped(l.playback.Image(image.URL)) + "</image>")
	}
	x.close("images")
	x.close("preview")
}

// xmlText is a document in the making, on one line as nodes write recordings.
type xmlText []byte

func (x *xmlText) raw(xml string) { *x = append(*x, xml...) }

func (x *xmlText) open(name string) { *x = append(append(append(*x, '<'), name...), '>') }

func (x *xmlText) close(name string) { *x = append(append(append(*x, "</"...), name...), '>') }

func (x *xmlText) text(name, text string) {
	x.open(name)
	x.raw(escaped(text))
	x.close(name)
}

func (x *xmlText) number(name string, n int64) {
	x.open(name)
	*x = strconv.AppendInt(*x, n, 10)
	x.close(name)
}

func (x *xmlText) bool(name string, b bool) {
	x.open(name)
	*x = strconv.AppendBool(*x, b)
	x.close(name)
}

func escaped(text string) string { return bbb.EscapeXML(bbb.DropControls(text)) }
