package bbbtest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strconv"
)

// filesOf are what a format consists of, besides its metadata: few, small, and
// real enough for who looks into them.
func filesOf(rec *recorded, format string) []file {
	switch format {
	case "presentation":
		return presentationFiles(rec)
	case "video":
		return []file{{"video-0.webm", webm()}, {"index.html", page(rec.Name, `<video controls src="video-0.webm"></video>`)}}
	case "screenshare":
		return []file{{"screenshare.webm", webm()}, {"index.html", page(rec.Name, `<video controls src="screenshare.webm"></video>`)}}
	case "podcast":
		return []file{{"audio.ogg", ogg()}}
	case "notes":
		return []file{{"notes.pdf", pdf()}}
	}
	return []file{{"index.html", page(rec.Name, "<p>"+format+"</p>")}}
}

// slides are the texts that the previews of every presentation have.
var slides = []string{"Welcome slide", "Agenda & rules", ""}

const thumbWidth, thumbHeight = 176, 136

// hasSlides: breakout rooms show none here.
func (rec *recorded) hasSlides() bool {
	return !rec.isBreakout() && !rec.disables("presentation")
}

func (rec *recorded) presentationID() string {
	return sha1hex("default.pdf") + "-" + strconv.FormatInt(rec.StartTime+1500, 10)
}

// thumbnail is a path below the directory of a recording.
func thumbnail(presentationID string, n int) string {
	return "presentation/" + presentationID + "/thumbnails/thumb-" + strconv.Itoa(n) + ".png"
}

func presentationFiles(rec *recorded) []file {
	id, seconds := rec.presentationID(), rec.duration.Seconds()
	shapes := `<?xml version="1.0"?>` + "\n" + `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 800 600">`
	files := []file{
		{"video/webcams.webm", webm()},
		{"captions.json", []byte("[]")},
		{"cursor.xml", []byte("<?xml version=\"1.0\"?>\n<recording id=\"cursor_events\"/>\n")},
		{"panzooms.xml", []byte("<?xml version=\"1.0\"?>\n<recording id=\"panzoom_events\"/>\n")},
		{"deskshare.xml", []byte("<?xml version=\"1.0\"?>\n<recording id=\"deskshare_events\"/>\n")},
		{"slides_new.xml", []byte("<?xml version=\"1.0\"?>\n<popcorn/>\n")},
		{"presentation_text.json", []byte("{}")},
		{"polls.json", []byte("[]")},
		{"external_videos.json", []byte("[]")},
		{"notes.html", page(rec.Name, "")},
	}
	if rec.hasSlides() {
		for i := range slides {
			slide := fmt.Sprintf("presentation/%s/slide-%d.png", id, i+1)
			shapes += fmt.Sprintf("\n"+`  <image id="image%d" class="slide" in="%.1f" out="%.1f" xlink:href="%s" width="%d" height="%d"/>`,
				i+1, seconds*float64(i)/float64(len(slides)), seconds*float64(i+1)/float64(len(slides)), slide, 4*thumbWidth, 4*thumbHeight)
			files = append(files, file{slide, picture(4*thumbWidth, 4*thumbHeight, i)}, file{thumbnail(id, i+1), picture(thumbWidth, thumbHeight, i)})
		}
	}
	return append(files, file{"shapes.svg", []byte(shapes + "\n</svg>\n")})
}

// picture is a PNG of one colour.
func picture(width, height, shade int) []byte {
	grey := color.Gray{Y: uint8(0xe0 - 0x30*shade%0xe0)} //nolint:gosec // below 256
	img := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{grey})
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a buffer takes it
	return b.Bytes()
}
