package bbbtest

import (
	"strconv"
	"strings"
	"time"

	"b3scale/bbb"
)

// metadata is the metadata.xml of one format, as the recorder writes it. Each
// format has scripts of its own, which differ in order and content.
func (rec *recorded) metadata(format string, v version, url string, processing time.Duration, size int64) []byte {
	video, screenshare, figures := format == "video", format == "screenshare", format == "statistics"
	terse := screenshare || video && !v.since(3, 0)
	d := &document{}
	d.b.WriteString("<?xml version=\"1.0\"?>\n")
	d.begin("recording")
	d.leaf("id", rec.InternalID)
	if video || screenshare {
		d.leaf("state", "available")
	} else {
		d.leaf("state", "published")
	}
	d.leaf("published", "true")
	d.number("start_time", rec.StartTime)
	d.number("end_time", rec.end.UnixMilli())
	if !terse {
		d.number("participants", int64(rec.participants))
	}
	if !video {
		rec.relations(d, v)
	}
	if !video && !screenshare {
		rec.meta(d)
	}
	switch link := url + linkOf(format, rec.InternalID); {
	case figures:
		d.begin("data")
		d.leaf("format", format)
		d.leaf("link", link)
		d.end()
	default:
		d.begin("playback")
		d.leaf("format", format)
		d.leaf("link", link)
		if format == "presentation" {
			d.number("processing_time", processing.Milliseconds())
		}
		d.number("duration", rec.duration.Milliseconds())
		if format == "presentation" {
			rec.preview(d, url)
		}
		if !terse {
			d.number("size", size)
		}
		d.end()
	}
	if video || screenshare {
		rec.meta(d)
	}
	if !terse && !figures {
		d.number("raw_size", rec.rawSize())
	}
	d.end()
	return []byte(d.b.String())
}

// relations are the meeting, and the breakout room or rooms.
func (rec *recorded) relations(d *document, v version) {
	d.empty("meeting", "id", rec.InternalID, "externalId", rec.ExternalID, "name", rec.Name, "breakout", strconv.FormatBool(rec.isBreakout()))
	if rec.isBreakout() {
		attributes := []string{
			"freeJoin", strconv.FormatBool(rec.FreeJoin), "meetingId", rec.ExternalID,
			"parentMeetingId", rec.ParentID, "sequence", strconv.Itoa(rec.Sequence),
		}
		if v.since(3, 0) {
			attributes = append([]string{"captureNotes", "false", "captureSlides", "false"}, attributes...)
		}
		d.empty("breakout", attributes...)
	}
	if len(rec.breakouts) > 0 {
		d.begin("breakoutRooms")
		for _, id := range rec.breakouts {
			d.leaf("breakoutRoom", id)
		}
		d.end()
	}
}

// meta is what create was given, and what the recorder adds.
func (rec *recorded) meta(d *document) {
	d.begin("meta")
	for name, value := range rec.Metadata.All() {
		d.leaf(name, value)
	}
	d.leaf("meetingId", rec.ExternalID)
	d.leaf("meetingName", rec.Name)
	d.leaf("isBreakout", strconv.FormatBool(rec.isBreakout()))
	d.end()
}

func (rec *recorded) preview(d *document, url string) {
	if !rec.hasSlides() {
		return
	}
	d.begin("extensions")
	d.begin("preview")
	d.begin("images")
	for i, alt := range slides {
		d.line("image", []string{"width", strconv.Itoa(thumbWidth), "height", strconv.Itoa(thumbHeight), "alt", alt},
			url+"/presentation/"+rec.InternalID+"/"+thumbnail(rec.presentationID(), i+1))
	}
	d.end()
	d.end()
	d.end()
}

// linkOf is the path where a format is played.
func linkOf(format, id string) string {
	switch format {
	case "presentation":
		return "/playback/presentation/2.3/" + id
	case "video":
		return "/playback/video/" + id + "/"
	case "podcast":
		return "/podcast/" + id + "/audio.ogg"
	case "notes":
		return "/notes/" + id + "/notes.pdf"
	case "screenshare":
		return "/recording/screenshare/" + id + "/"
	}
	return "/" + format + "/" + id + "/"
}

// rawSize is made up: there was no camera.
func (rec *recorded) rawSize() int64 { return 1<<20 + 50*rec.duration.Milliseconds() }

// document is XML with an indent of two blanks.
type document struct {
	b    strings.Builder
	open []string
}

func (d *document) indent() { d.b.WriteString(strings.Repeat("  ", len(d.open))) }

func (d *document) begin(name string) {
	d.indent()
	d.b.WriteString("<" + name + ">\n")
	d.open = append(d.open, name)
}

func (d *document) end() {
	last := len(d.open) - 1
	name := d.open[last]
	d.open = d.open[:last]
	d.indent()
	d.b.WriteString("</" + name + ">\n")
}

func (d *document) leaf(name, text string)             { d.line(name, nil, text) }
func (d *document) number(name string, n int64)        { d.leaf(name, strconv.FormatInt(n, 10)) }
func (d *document) empty(name string, attrs ...string) { d.line(name, attrs, "") }

// line is an element with attributes, as name, value, name, value.
func (d *document) line(name string, attrs []string, text string) {
	d.indent()
	d.b.WriteString("<" + name)
	for i := 0; i+1 < len(attrs); i += 2 {
		d.b.WriteString(" " + attrs[i] + `="` + inAttribute.Replace(bbb.EscapeXML(attrs[i+1])) + `"`)
	}
	if text == "" {
		d.b.WriteString("/>\n")
		return
	}
	d.b.WriteString(">" + inText.Replace(bbb.EscapeXML(text)) + "</" + name + ">\n")
}

// The recorder escapes quotes only where it must, and keeps line breaks.
var (
	inText      = strings.NewReplacer("&quot;", `"`, "&apos;", "'", "\r", "&#13;")
	inAttribute = strings.NewReplacer("&apos;", "'", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;")
)
