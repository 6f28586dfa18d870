package cluster

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// Lists and events tell of the same people in different words: a list knows no
// internal user ids, an event knows nothing else for sure. What was told last
// counts, as far as it can be told.

// listedPrefix begins the ids of people whom only a list has shown: their place
// stands for them.
const listedPrefix = "list:"

// identity is who an <attendee> is.
type identity struct{ internalID, userID, name string }

func (i identity) who() string { return i.userID + "\x1f" + i.name }

// readPerson reads an <attendee>.
func readPerson(xml []byte) (i identity, t routing.Traits) {
	doc, err := bbb.ParseXML(xml)
	if err != nil {
		return i, t
	}
	for e := range doc.Root().Children() {
		switch e.Name() {
		case "internalUserID":
			i.internalID = e.Text()
		case "userID":
			i.userID = e.Text()
		case "fullName":
			i.name = e.Text()
		case "role":
			t.Moderates = strings.EqualFold(e.Text(), "MODERATOR")
		case "isListeningOnly":
			t.Listens = isTrue(e)
		case "hasJoinedVoice":
			t.Speaks = isTrue(e)
		case "hasVideo":
			t.Shows = isTrue(e)
		}
	}
	t.Who = i.who()
	return i, t
}

func isTrue(e bbb.Element) bool { return strings.EqualFold(strings.TrimSpace(e.Text()), "true") }

func traitsOf(xml []byte) routing.Traits {
	_, t := readPerson(xml)
	return t
}

// PersonFacts are what an event says of a person; nil: nothing.
type PersonFacts struct {
	ExternalUserID, Name, Role, ClientType *string
	Presenter, ListeningOnly, Voice, Video *bool
}

func (f *PersonFacts) who() string {
	i := identity{}
	if f.ExternalUserID != nil {
		i.userID = *f.ExternalUserID
	}
	if f.Name != nil {
		i.name = *f.Name
	}
	return i.who()
}

// texts are the elements that the facts set, in the order of the nodes.
func (f *PersonFacts) texts() [8]struct {
	name string
	text *string
} {
	flag := func(b *bool) *string {
		if b == nil {
			return nil
		}
		text := strconv.FormatBool(*b)
		return &text
	}
	return [8]struct {
		name string
		text *string
	}{
		{"userID", f.ExternalUserID}, {"fullName", f.Name}, {"role", f.Role}, {"isPresenter", flag(f.Presenter)},
		{"isListeningOnly", flag(f.ListeningOnly)}, {"hasJoinedVoice", flag(f.Voice)}, {"hasVideo", flag(f.Video)}, {"clientType", f.ClientType},
	}
}

// draw changes the XML of a person in place. Somebody new needs a name.
func (f *PersonFacts) draw(old []byte) ([]byte, routing.Traits) {
	if old == nil {
		return f.drawNew()
	}
	doc, err := bbb.ParseXML(old)
	if err != nil || !bytes.HasSuffix(old, []byte("</attendee>")) { // <attendee/> has nothing to change
		return f.drawNew()
	}
	edit := doc.Edit()
	var fresh strings.Builder
	for _, e := range f.texts() {
		if e.text == nil {
			continue
		}
		if child := doc.Root().Child(e.name); child.Exists() {
			edit.SetText(child, *e.text)
		} else {
			fresh.WriteString("<" + e.name + ">" + bbb.EscapeXML(*e.text) + "</" + e.name + ">\n")
		}
	}
	xml := edit.Bytes()
	if fresh.Len() > 0 {
		xml = append(slices.Clone(xml[:len(xml)-len("</attendee>")]), fresh.String()+"</attendee>"...)
	}
	xml = slices.Clone(xml)
	return xml, traitsOf(xml)
}

func (f *PersonFacts) drawNew() ([]byte, routing.Traits) {
	if f.Name == nil && f.ExternalUserID == nil {
		return nil, routing.Traits{}
	}
	xml := make([]byte, 0, 320)
	xml = append(xml, "<attendee>\n"...)
	for i, e := range f.texts() {
		text := [8]string{"", "", "VIEWER", "false", "false", "false", "false", "HTML5"}[i]
		if e.text != nil {
			text = *e.text
		}
		xml = append(xml, '<')
		xml = append(xml, e.name...)
		xml = append(xml, '>')
		xml = append(xml, bbb.EscapeXML(text)...)
		xml = append(xml, '<', '/')
		xml = append(xml, e.name...)
		xml = append(xml, ">\n"...)
	}
	is := func(b *bool) bool { return b != nil && *b }
	return append(xml, "</attendee>"...), routing.Traits{
		Listens: is(f.ListeningOnly), Speaks: is(f.Voice), Shows: is(f.Video),
		Moderates: f.Role != nil && strings.EqualFold(*f.Role, "MODERATOR"), Who: f.who(),
	}
}

// headcountOf counts those who are there.
func headcountOf(people []b3scale.Attendee) (h b3scale.Headcount) {
	for i := range people {
		if people[i].Gone() {
			continue
		}
		t := traitsOf(people[i].XML)
		h.People++
		for _, v := range []struct {
			is bool
			n  *int
		}{{t.Listens, &h.Listeners}, {t.Speaks, &h.Voices}, {t.Shows, &h.Videos}, {t.Moderates, &h.Moderators}} {
			if v.is {
				*v.n++
			}
		}
	}
	return h
}
