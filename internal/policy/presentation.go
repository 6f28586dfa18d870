package policy

import (
	"net/url"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// preUploaded names a presentation by a parameter, from BBB 2.7.2 on.
const preUploaded = "preUploadedPresentation"

func isPreUploaded(name string) bool { return strings.HasPrefix(name, preUploaded) }

// addPresentation lets a create show the frontend's default presentation. A
// body takes it, which needs the parameters in the address: when they are too
// long for one, a parameter does, unless that is blocked.
func addPresentation(call *bbb.Call, show *b3scale.DefaultPresentation, paramBlocked bool) {
	if show.Force {
		call.Params.Delete(preUploaded)
		call.Params.Delete(preUploaded + "Name")
	} else if bbb.Clean(call.Params.Get(preUploaded)) != "" {
		return
	}
	switch {
	case call.Body != nil:
		call.Body = withPresentation(call.Body, show)
	case len(call.Params.Encode()) <= longQuery:
		call.Body, call.Form = []byte("<modules>"+module(show)+"</modules>"), false
	case !paramBlocked:
		call.Params.Set(preUploaded, show.URL)
		if name := fileName(show.URL); name != "" {
			call.Params.Set(preUploaded+"Name", name)
		}
	}
}

// withPresentation adds the presentation to a body, or puts it in the place of
// the client's own. All other bytes stay.
func withPresentation(body []byte, show *b3scale.DefaultPresentation) []byte {
	doc, err := bbb.ParseBody(body)
	if err != nil {
		return body // refused at the door
	}
	edit := doc.Edit()
	var empty bbb.Element
	for m := range doc.Root().Children() {
		switch {
		case m.Attribute("name") != "presentation":
		case show.Force:
			edit.Remove(m)
		case hasChildren(m):
			return body
		case !empty.Exists():
			empty = m
		}
	}
	if empty.Exists() {
		edit.Append(empty, document(show))
	} else {
		edit.Append(doc.Root(), module(show))
	}
	return edit.Bytes()
}

// hasChildren tells whether a module brings documents: nodes take any element
// in it for one.
func hasChildren(e bbb.Element) bool {
	for range e.Children() {
		return true
	}
	return false
}

func module(show *b3scale.DefaultPresentation) string {
	return `<module name="presentation">` + document(show) + `</module>`
}

func document(show *b3scale.DefaultPresentation) string {
	attributes := ` url="` + bbb.EscapeXML(show.URL) + `"`
	if name := fileName(show.URL); name != "" {
		attributes += ` filename="` + bbb.EscapeXML(name) + `"`
	}
	return "<document" + attributes + "/>"
}

// fileName is the last part of the path of an address; "" when it has none.
func fileName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return bbb.Clean(u.Path[strings.LastIndexByte(u.Path, '/')+1:])
}
