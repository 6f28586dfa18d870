package recordings_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/recordings"
)

func TestParseMetadataEncodings(t *testing.T) {
	t.Parallel()
	body := strings.Replace(least, "%", "", 1)
	for _, accepted := range []string{
		"\xef\xbb\xbf" + body, "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>" + body, "\n " + body,
		`<?xml version="1.0" encoding="latin1"?>` + body, `<?xml version="1.0" encoding = 'ISO-8859-1' ?>` + body,
		`<?xml version="1.0"?><!-- encoding="latin1" ü -->` + body,
	} {
		parse(t, accepted)
	}
	for document, problem := range map[string]string{
		`<?xml version="1.0" encoding="latin1"?><!-- ü -->` + body:                   "latin1",
		"\xef\xbb\xbf<?xml version='1.0' encoding='windows-1252'?><!-- ü -->" + body: "windows-1252",
		`<?xml version="1.0" encoding="latin1"?><!-- ` + "\xfc -->" + body:           "not UTF-8",
		"\xff\xfe<\x00r\x00":   "UTF-16",
		"\xfe\xff\x00<\x00r":   "UTF-16",
		"<\x00r\x00/\x00>\x00": "NUL",
		body + "\x00":          "NUL",
		"<!DOCTYPE recording [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + body: "document types",
	} {
		_, err := recordings.ParseMetadata([]byte(document))
		refused(t, document, err, problem)
	}
}

func TestParseMetadataRefuses(t *testing.T) {
	t.Parallel()
	for document, problem := range map[string]string{
		"":                                     "empty",
		" \n":                                  "empty",
		"text":                                 "outside",
		"<response><id>a</id></response>":      "<response>",
		"<recording>":                          "too early",
		"<recording/>":                         "no id",
		"<recording><id> </id></recording>":    "no id",
		"<recording><id>../a</id></recording>": `"../a"`,
		"<recording><id>a\nb</id></recording>": "the id",
		"<recording><id>" + strings.Repeat("a", 256) + "</id></recording>":                                                       "the id",
		"<recording><id>a</id></recording>":                                                                                      "neither playback nor data",
		"<recording><id>a</id><data/></recording>":                                                                               "neither playback nor data",
		"<recording><id>a</id><playback><link>x</link></playback></recording>":                                                   "no format",
		"<recording><id>a</id><playback><format>.</format></playback></recording>":                                               "the format",
		"<recording><id>a</id><playback><format>a/b</format></playback></recording>":                                             "the format",
		"<recording><id>a</id><playback><format>f</format><link>" + strings.Repeat("x", 2049) + "</link></playback></recording>": "the link",
		"<recording><id>a</id><data><format>ü</format></data></recording>":                                                       "the format",
		strings.Repeat("<recording>", 100) + strings.Repeat("</recording>", 100):                                                 "too deeply",
		"<recording>" + strings.Repeat("<a/>", 11_000) + "</recording>":                                                          "too many elements",
		"<recording>" + strings.Repeat(" ", 1<<20) + "</recording>":                                                              "larger",
		"<recording><id>a</id></recording><recording/>":                                                                          "more than one",
	} {
		_, err := recordings.ParseMetadata([]byte(document))
		refused(t, document, err, problem)
	}
}

// Time must not explode with what can be written into a document.
func TestParseMetadataOfManyEscapes(t *testing.T) {
	t.Parallel()
	name := "&" + strings.Repeat("amp;", 200_000)
	got := parse(t, strings.Replace(least, "%", `<meeting name="`+name+`"/><meta><meetingName>x</meetingName></meta>`, 1))
	if got.Name != name[:1000] {
		t.Errorf("the name has %d bytes", len(got.Name))
	}
}

func FuzzParseMetadata(f *testing.F) {
	for _, path := range documents(f) {
		f.Add(read(f, path))
	}
	f.Add([]byte("<recording><id>a</id><playback><format>f</format><extensions><a b='&lt;'/></extensions></playback></recording>"))
	f.Fuzz(func(t *testing.T, document []byte) {
		before := bytes.Clone(document)
		r, err := recordings.ParseMetadata(document)
		if !bytes.Equal(before, document) {
			t.Fatal("the document was changed")
		}
		if err != nil {
			refused(t, string(document), err, "")
			return
		}
		if !recordings.IsID(r.ID) || !recordings.IsID(r.InternalMeetingID) || len(r.Formats) != 1 || !recordings.IsID(r.Formats[0].Type) ||
			r.Name == "" || r.MeetingID == "" || r.State == "" || r.Published != (r.State == b3scale.StatePublished) ||
			min(r.StartMillis, r.EndMillis, r.RawSize, r.Formats[0].Size, r.Formats[0].DurationMillis, int64(r.Participants)) < 0 {
			t.Errorf("got %+v", r)
		}
		lower := map[string]bool{}
		for name := range r.Metadata {
			lower[strings.ToLower(name)] = true
		}
		if len(lower) != len(r.Metadata) {
			t.Errorf("a name has two spellings: %q", r.Metadata)
		}
		size := 0
		for name, value := range r.Metadata {
			size += len("<></>") + 2*len(name) + len(bbb.EscapeXML(value))
		}
		if size > b3scale.MaxMetadataBytes || len(r.Metadata) > b3scale.MaxMetadataEntries || len(r.Formats[0].Preview) > 100 || utf8.RuneCountInString(r.Name) > 1000 {
			t.Errorf("got %d entries of %d bytes", len(r.Metadata), size)
		}
	})
}
