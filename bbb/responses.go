package bbb

import "strings"

// ContentType is that of every XML answer (BBB API, transport).
const ContentType = "text/xml;charset=utf-8"

// Return codes of an answer.
const (
	Success = "SUCCESS"
	Failed  = "FAILED"
)

// Builder writes an answer the way nodes render theirs: one element per line,
// no indentation, no prolog, no line break at the end.
type Builder struct {
	b strings.Builder
}

// NewAnswer begins an answer with its return code.
func NewAnswer(returnCode string) *Builder {
	a := &Builder{}
	a.b.WriteString("<response>\n")
	return a.Text("returncode", returnCode)
}

// Text adds an element with text.
func (a *Builder) Text(name, text string) *Builder {
	a.b.WriteString("<" + name + ">" + EscapeXML(text) + "</" + name + ">\n")
	return a
}

// Raw adds XML as it is, followed by a line break.
func (a *Builder) Raw(xml string) *Builder {
	a.b.WriteString(xml)
	a.b.WriteByte('\n')
	return a
}

// Bytes finishes the answer.
func (a *Builder) Bytes() []byte { return []byte(a.b.String() + "</response>") }

// Answer renders the failure as a node would.
func (f *Failure) Answer() []byte {
	return NewAnswer(Failed).Text("messageKey", f.Key).Text("message", f.Message).Bytes()
}

// VersionAnswer is the root document, which every call without a resource
// gets (BBB API, root).
func VersionAnswer() []byte {
	return NewAnswer(Success).Text("version", "2.0").Text("apiVersion", "2.0").Text("bbbVersion", "").Bytes()
}

// RunningAnswer is that of isMeetingRunning.
func RunningAnswer(running bool) []byte {
	text := "false"
	if running {
		text = "true"
	}
	return NewAnswer(Success).Text("running", text).Bytes()
}

// NoMeetingsAnswer is that of getMeetings when there are none.
func NoMeetingsAnswer() []byte {
	return NewAnswer(Success).Raw("<meetings/>").Text("messageKey", "noMeetings").
		Text("message", "no meetings were found on this server").Bytes()
}

// NewOwnAnswer wraps an answer that this side has built.
func NewOwnAnswer(xml []byte) *Answer {
	doc, err := ParseXML(xml)
	if err != nil {
		panic("bbb: built a malformed answer: " + err.Error()) // only a broken Builder can
	}
	return &Answer{Doc: doc, ContentType: ContentType}
}

// IsTrue reads a boolean parameter as nodes do: true in any case, anything
// else is false (BBB API, create parameters).
func IsTrue(value string) bool { return strings.EqualFold(Clean(value), "true") }
