package recordings

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// formatOf reads how the recording can be played: a document has one format.
func formatOf(root bbb.Element) (b3scale.RecordingFormat, error) {
	playback, data := root.Child("playback"), false
	if text(playback.Child("format")) == "" && text(root.Child("data").Child("format")) != "" {
		playback, data = root.Child("data"), true
	}
	f := b3scale.RecordingFormat{
		Type:             text(playback.Child("format")),
		URL:              text(playback.Child("link")),
		ProcessingMillis: number(playback.Child("processing_time"), maxMillis),
		DurationMillis:   number(playback.Child("duration"), maxMillis),
		Size:             number(playback.Child("size"), maxSize),
		Data:             data,
	}
	switch {
	case !playback.Exists():
		return f, invalid("it has neither playback nor data")
	case f.Type == "":
		return f, invalid("its playback has no format: the recording is not finished")
	case len(f.URL) > maxAddress:
		return f, invalid("the link of its format is longer than %d bytes", maxAddress)
	case !IsID(f.Type):
		return f, invalid("the format %q is none: letters, digits, _ and - are allowed, 190 at most", shorten(f.Type))
	}
	extensions := playback.Child("extensions")
	f.Preview = preview(extensions)
	f.Extensions = others(extensions)
	return f, nil
}

// preview are the pictures of all previews.
func preview(extensions bbb.Element) (images []b3scale.RecordingImage) {
	for p := range extensions.Children() {
		if p.Name() != "preview" {
			continue
		}
		for e := range p.Child("images").Children() {
			address := text(e)
			if e.Name() != "image" || address == "" || len(address) > maxAddress || len(images) == mostThumbnails {
				continue
			}
			images = append(images, b3scale.RecordingImage{
				URL:    address,
				Alt:    cut(attribute(e, "alt"), maxAlt),
				Width:  int(clamp(attribute(e, "width"), maxCount)),
				Height: int(clamp(attribute(e, "height"), maxCount)),
			})
		}
	}
	return images
}

// maxExtensions bounds what every list of recordings would carry along.
const maxExtensions = 64 << 10

// others are the extensions besides the preview, as they came. They go into
// documents of ours as they are: one that could break them is left out, and so
// is what is too large.
func others(extensions bbb.Element) string {
	var b strings.Builder
	for e := range extensions.Children() {
		if raw := e.Raw(); e.Name() != "preview" && b.Len()+len(raw) <= maxExtensions && isSound(raw) {
			b.Write(raw)
		}
	}
	return b.String()
}

// isSound tells whether any reader of XML takes these bytes, wherever they
// stand. That they are one element is known.
func isSound(raw []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return false
		}
		switch t := token.(type) {
		case xml.StartElement:
			if !isPlain(t) {
				return false
			}
		case xml.ProcInst, xml.Directive:
			return false
		}
	}
}

// isPlain refuses prefixes, which may be declared nowhere, and attributes that
// come twice.
func isPlain(t xml.StartElement) bool {
	seen := map[string]bool{}
	for _, a := range t.Attr {
		if a.Name.Space != "" || seen[a.Name.Local] || !bbb.IsElementName(a.Name.Local) {
			return false
		}
		seen[a.Name.Local] = true
	}
	return t.Name.Space == "" && bbb.IsElementName(t.Name.Local)
}
