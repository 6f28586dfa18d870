package adminapi

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"b3scale/bbb"
)

// attendeeElements have their order from the nodes.
var attendeeElements = []string{
	"userID", "internalUserID", "fullName", "role", "isPresenter", "isListeningOnly", "hasJoinedVoice", "hasVideo", "clientType",
}

// correctedInfo is the XML of a room in which just that is different what the
// API shows differently. Elements that we do not know stay as they are.
func correctedInfo(info []byte, want MeetingInfo) []byte {
	x := newCorrection(parseInfo(info))
	have := infoOf(x.root)
	wantTexts, wantNumbers, wantTimes, wantFlags := want.members()
	haveTexts, haveNumbers, haveTimes, haveFlags := have.members()
	for _, name := range slices.Sorted(maps.Keys(wantTexts)) {
		x.set(name, *haveTexts[name] == *wantTexts[name], *wantTexts[name])
	}
	for _, name := range slices.Sorted(maps.Keys(wantNumbers)) {
		x.set(name, *haveNumbers[name] == *wantNumbers[name], strconv.Itoa(*wantNumbers[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(wantTimes)) {
		x.set(name, *haveTimes[name] == *wantTimes[name], strconv.FormatInt(*wantTimes[name], 10))
	}
	for _, name := range slices.Sorted(maps.Keys(wantFlags)) {
		x.set(name, *haveFlags[name] == *wantFlags[name], strconv.FormatBool(*wantFlags[name]))
	}
	if !maps.Equal(have.Metadata, want.Metadata) {
		x.setMetadata(want.Metadata)
	}
	if !slices.Equal(have.BreakoutRooms, want.BreakoutRooms) {
		var list strings.Builder
		for _, id := range want.BreakoutRooms {
			element(&list, "breakout", id)
		}
		x.replace("breakoutRooms", list.String())
	}
	if len(want.Attendees) > 0 && have.Attendees == nil { // what the people are shown in
		x.replace("attendees", "\n")
	}
	return []byte(strings.TrimSpace(string(x.inner())))
}

// correctedAttendees are the <attendee> elements of the people that are
// wanted. Who was there before keeps the elements that we do not know.
func correctedAttendees(known [][]byte, want []Attendee) [][]byte {
	type person struct {
		xml   []byte
		shown Attendee
	}
	left := make(map[[2]string][]person, len(known)) // by their ids
	for _, xml := range known {
		p := person{xml, attendeeOf(parseAttendee(xml).Root())}
		ids := [2]string{p.shown.UserID, p.shown.InternalUserID}
		left[ids] = append(left[ids], p)
	}
	all := make([][]byte, 0, len(want))
	for _, a := range want {
		ids := [2]string{a.UserID, a.InternalUserID}
		same := left[ids]
		i := max(0, slices.IndexFunc(same, func(p person) bool { return p.shown == a }))
		switch {
		case len(same) == 0:
			all = append(all, newAttendee(a))
			continue
		case same[i].shown == a:
			all = append(all, same[i].xml)
		default:
			all = append(all, correctedAttendee(same[i].xml, a))
		}
		left[ids] = slices.Delete(same, i, i+1)
	}
	return all
}

func correctedAttendee(xml []byte, want Attendee) []byte {
	x := newCorrection(parseAttendee(xml))
	have := attendeeOf(x.root)
	wantTexts, wantFlags := want.members()
	haveTexts, haveFlags := have.members()
	for _, name := range attendeeElements {
		if p := wantTexts[name]; p != nil {
			x.set(name, *haveTexts[name] == *p, *p)
		} else if p := wantFlags[name]; p != nil {
			x.set(name, *haveFlags[name] == *p, strconv.FormatBool(*p))
		}
	}
	return x.whole()
}

func newAttendee(a Attendee) []byte {
	var b strings.Builder
	b.WriteString("<attendee>\n")
	texts, flags := a.members()
	for _, name := range attendeeElements {
		if p := flags[name]; p != nil {
			element(&b, name, strconv.FormatBool(*p))
		} else if text := *texts[name]; text != "" || name != "internalUserID" {
			element(&b, name, text)
		}
	}
	b.WriteString("</attendee>")
	return []byte(b.String())
}

func element(b *strings.Builder, name, text string) {
	b.WriteString("<" + name + ">" + bbb.EscapeXML(text) + "</" + name + ">\n")
}

// correction changes the children of one element in place, and appends those
// that are not there yet.
type correction struct {
	root  bbb.Element
	edit  *bbb.Edit
	fresh strings.Builder
}

func newCorrection(doc *bbb.Document) *correction {
	return &correction{root: doc.Root(), edit: doc.Edit()}
}

// set gives a child another text, unless it is the same already: a number with
// separators stays as the node wrote it. All of that name change, since the
// last one counts for some readers and the first one for others.
func (x *correction) set(name string, same bool, text string) {
	if same {
		return
	}
	found := false
	for e := range x.root.Children() {
		if e.Name() == name {
			found = true
			x.edit.SetText(e, text)
		}
	}
	if !found {
		element(&x.fresh, name, text)
	}
}

// replace gives a child another inside, which is XML.
func (x *correction) replace(name, inside string) {
	for e := range x.root.Children() {
		if e.Name() == name {
			x.edit.Remove(e)
		}
	}
	x.fresh.WriteString("<" + name + ">" + inside + "</" + name + ">\n")
}

// setMetadata keeps the entries that stay as the node wrote them.
func (x *correction) setMetadata(want map[string]string) {
	left := maps.Clone(want)
	var inside strings.Builder
	for e := range x.root.Children() {
		if e.Name() != "metadata" {
			continue
		}
		for entry := range e.Children() {
			if text, wanted := left[entry.Name()]; wanted {
				if text == entry.Text() {
					inside.Write(entry.Raw())
					inside.WriteByte('\n')
				} else {
					element(&inside, entry.Name(), text)
				}
				delete(left, entry.Name())
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		element(&inside, name, left[name])
	}
	x.replace("metadata", "\n"+inside.String())
}

// inner is what stands inside the element now.
func (x *correction) inner() []byte {
	inner := x.edit.Inner(x.root)
	if x.fresh.Len() == 0 {
		return inner
	}
	return []byte(strings.TrimRight(string(inner), "\n") + "\n" + x.fresh.String())
}

// whole is the element itself with what is inside it now.
func (x *correction) whole() []byte {
	raw := x.edit.Bytes()
	if x.fresh.Len() == 0 {
		return raw
	}
	end := bytes.LastIndex(raw, []byte("</"))
	if end < 0 { // <name/>
		name := x.root.Name()
		return []byte("<" + name + ">\n" + x.fresh.String() + "</" + name + ">")
	}
	return slices.Concat(raw[:end], []byte(x.fresh.String()), raw[end:])
}
