package policy_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/policy"
)

// FuzzRewrite lets any rules meet any parameters. What is blocked never
// reaches a node, overrides and caps hold, our mark is there exactly once and
// true, and joins come out the same when they are rewritten again.
func FuzzRewrite(f *testing.F) {
	for _, query := range []string{
		"", "meetingID=room&name=Room", "meta_b3s-frontend=x&META_B3S-frontend=y&+meta_b3s-x%00=z", "duration=90&duration=0", "Meta_Course=1&meta_course=2",
		"disabledFeatures=chat,,polls", "disabledFeatures=", "a;b=%zz&=&é=1", "checksum=1&meetingid=2", "parentMeetingID=a&parentMeetingID=b&isBreakout=1&isBreakout=true",
	} {
		f.Add(query, "meta_Course", "meta_COURSE", "duration", "disabledFeatures", "chat", 60)
		f.Add(query, "duration", "duration", "duration", "duration", "100", 60)
		f.Add(query+"&disabledFeaturesExclude=chat,polls", "logo", "disabledFeatures", "userCameraCap", "disabledFeaturesExclude", "chat", 5)
		f.Add(query+"&userCameraCap=0&maxPinnedCameras=0", "logo", "duration", "maxPinnedCameras", "userCameraCap", "9", 5)
		f.Add(query, "meetingID", "checksum", "meta_b3s-frontend", "META_b3s-x", "x", 1)
	}
	f.Fuzz(func(t *testing.T, query, blocked, overridden, capped, byDefault, value string, most int) {
		p := b3scale.FrontendSettings{
			CreateBlockedParams:  []string{blocked},
			CreateOverrideParams: b3scale.Params{overridden: value},
			CreateMaxParams:      b3scale.Caps{capped: most},
			CreateDefaultParams:  b3scale.Params{byDefault: value},
			JoinBlockedParams:    []string{blocked},
			JoinOverrideParams:   b3scale.Params{overridden: value},
			JoinDefaultParams:    b3scale.Params{byDefault: value},
		}
		call, _ := policy.Create(frontend(p), bbb.Call{Params: bbb.ParseParams(query)})
		join := bbb.ParseParams(query)
		policy.Join(frontend(p), &join)
		checkRules(t, call.Params, blocked, overridden, value)
		checkRules(t, join, blocked, overridden, value)

		if bbb.CanonicalName(overridden) != bbb.CanonicalName(capped) && most > 0 && free(capped) && !sameName(capped, blocked) {
			n, err := strconv.Atoi(valueOf(call.Params, capped))
			unlimited := err != nil || n == 0 && bbb.UnlimitedWhenZero(capped)
			if spellings(call.Params, capped) == 0 {
				unlimited = bbb.UnlimitedWhenAbsent(capped)
			}
			if unlimited || n < 0 || n > most {
				t.Errorf("%s is %q, want at most %d", capped, valueOf(call.Params, capped), most)
			}
		}
		if free(byDefault) && !sameName(byDefault, blocked) && value != "" {
			for _, params := range []bbb.Params{call.Params, join} {
				if spellings(params, byDefault) == 0 && strings.Trim(value, ", \x00\x7f") != "" && byDefault != "disabledFeatures" && byDefault != "disabledFeaturesExclude" {
					t.Errorf("%s has no default", byDefault)
				}
			}
		}
		marks := 0
		for name, value := range call.Params.All() {
			if strings.HasPrefix(bbb.CanonicalName(name), "meta_b3s-") {
				marks++
				if name != "meta_b3s-frontend" || value != "fe" {
					t.Errorf("the node gets %s=%s", name, value)
				}
			}
		}
		sent := bbb.ParseParams(query)
		id := b3scale.EncodeMeetingID("fe", bbb.Clean(sent.Get("meetingID")))
		if marks != 1 || call.Params.Get("meetingID") != id || call.Params.Count("meetingID") != 1 {
			t.Errorf("%d marks, meetingID is %q, in %s", marks, call.Params.Get("meetingID"), call.Params.Encode())
		}
		if call.Params.Count("isBreakout") > 1 || call.Params.Count("parentMeetingID") > 1 {
			t.Errorf("two answers to one question: %s", call.Params.Encode())
		}
		once := join.Encode()
		policy.Join(frontend(p), &join)
		if again := join.Encode(); again != once {
			t.Errorf("a join becomes %q and then %q", once, again)
		}
		if _, child := call.Params.Lookup("parentMeetingID"); child {
			return // its id is encoded every time
		}
		before := call.Params.Encode()
		call.Params.Set("meetingID", sent.Get("meetingID"))
		call, _ = policy.Create(frontend(p), call)
		if again := call.Params.Encode(); again != before {
			t.Errorf("a create becomes %q and then %q", before, again)
		}
	})
}

func checkRules(t *testing.T, params bbb.Params, blocked, overridden, value string) {
	t.Helper()
	if free(blocked) && spellings(params, blocked) > 0 {
		t.Errorf("%q is blocked, and the node gets %s", blocked, params.Encode())
	}
	if !free(overridden) || sameName(blocked, overridden) || value == "" || overridden == "disabledFeatures" || overridden == "parentMeetingID" {
		return
	}
	if n := spellings(params, overridden); n != 1 || params.Get(overridden) != value {
		t.Errorf("%q should be %q: %s", overridden, value, params.Encode())
	}
}

// free names are those that rules may touch.
func free(name string) bool {
	return name != "" && name != "meetingID" && name != "checksum" && !strings.HasPrefix(bbb.CanonicalName(name), "meta_b3s-")
}

func sameName(a, b string) bool { return bbb.CanonicalName(a) == bbb.CanonicalName(b) }

func spellings(params bbb.Params, name string) int {
	n := 0
	for found := range params.All() {
		if sameName(found, name) {
			n++
		}
	}
	return n
}

func valueOf(params bbb.Params, name string) string {
	for found, value := range params.All() {
		if sameName(found, name) {
			return value
		}
	}
	return ""
}

// FuzzPresentation adds a presentation to any XML that the door lets in. The
// result can be read, holds our document where it should, and every other
// module byte for byte; doing it again changes nothing.
func FuzzPresentation(f *testing.F) {
	for _, body := range []string{
		"", "<modules/>", "<modules></modules>", "<m>\n</m>\n", `<modules><module name="presentation"/></modules>`, `<modules><module name='presentation'> <!-- --> </module></modules>`,
		`<modules><module name="presentation"><document url="u"/></module><module name="clientSettingsOverride"><![CDATA[{"a":"</modules>"}]]></module></modules>`,
		`<modules><module name="presentation"/><x name = "presentation"><y/></x><module name="&#112;resentation"/></modules>`,
		"\ufeff<?xml version='1.0'?>\n<modules>\n  <module name=\"a\"/>\n</modules>\n",
	} {
		f.Add([]byte(body), "https://example.org/a.pdf?x=1&y=2", false)
		f.Add([]byte(body), "https://example.org/%22%3E<x>", true)
	}
	f.Fuzz(func(t *testing.T, body []byte, address string, force bool) {
		blank := len(bytes.TrimSpace(body)) == 0
		if address == "" || !blank && bbb.CheckBody(body) != nil {
			return
		}
		original := bytes.Clone(body)
		show := &b3scale.DefaultPresentation{URL: address, Force: force}
		call, _ := policy.Create(frontend(b3scale.FrontendSettings{DefaultPresentation: show}), bbb.Call{Body: body})
		if !bytes.Equal(body, original) {
			t.Fatal("the client's body was changed in place")
		}
		others, theirs := modules(t, body, blank)
		stay, documents := modules(t, call.Body, false)
		if !slices.Equal(stay, others) {
			t.Errorf("%q becomes %q: other modules are %q, want %q", body, call.Body, stay, others)
		}
		ours := 0
		for _, d := range documents {
			if d == listed(show) {
				ours++
			}
		}
		switch {
		case force && (len(documents) != 1 || ours != 1), !force && len(theirs) == 0 && (len(documents) != 1 || ours != 1):
			t.Errorf("%q becomes %q, want ours in it once and no other", body, call.Body)
		case !force && len(theirs) > 0 && !bytes.Equal(call.Body, body):
			t.Errorf("%q brings documents and becomes %q", body, call.Body)
		}
		again, _ := policy.Create(frontend(b3scale.FrontendSettings{DefaultPresentation: show}), bbb.Call{Body: call.Body})
		if !bytes.Equal(again.Body, call.Body) {
			t.Errorf("%q becomes %q and then %q", body, call.Body, again.Body)
		}
	})
}

// listed is a document as modules lists it.
func listed(show *b3scale.DefaultPresentation) string { return "document " + carried(show.URL) }

// carried is text as an attribute can carry it.
func carried(text string) string {
	doc, err := bbb.ParseXML([]byte("<a>" + bbb.EscapeXML(text) + "</a>"))
	if err != nil {
		return text
	}
	return doc.Root().Text()
}

// modules takes a body apart: modules that are no presentations, as they are,
// and the documents of those that are.
func modules(t *testing.T, body []byte, blank bool) (others, documents []string) {
	t.Helper()
	if blank {
		return nil, nil
	}
	doc, err := bbb.ParseXML(body)
	if err != nil {
		t.Fatalf("%q cannot be read: %v", body, err)
	}
	for m := range doc.Root().Children() {
		if m.Attribute("name") != "presentation" {
			others = append(others, string(m.Raw()))
			continue
		}
		for d := range m.Children() {
			documents = append(documents, d.Name()+" "+d.Attribute("url"))
		}
	}
	return others, documents
}
