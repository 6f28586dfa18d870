package bbbtest

import (
	"bytes"
	"fmt"
	"net/http"

	"b3scale/bbb"
)

// xmlBody is the body of a call, unless it is a form.
func (c *call) xmlBody() []byte {
	if formOf(c.contentType, c.body) != "" {
		return nil
	}
	return bytes.TrimSpace(c.body)
}

// documentsIn counts the documents in a <modules> body. It is not intact if it
// cannot be read.
func documentsIn(body []byte) (count int, intact bool) {
	if len(body) == 0 {
		return 0, true
	}
	doc, err := bbb.ParseXML(body)
	if err != nil || doc.Root().Name() != "modules" {
		return 0, false
	}
	for module := range doc.Root().Children() {
		for child := range module.Children() {
			if child.Name() == "document" {
				count++
			}
		}
	}
	return count, true
}

// insertDocument (2.5) answers without a messageKey.
func (c *call) insertDocument() reply {
	n := c.node
	if f := c.meetingCheck(); f != nil {
		return failed(f)
	}
	body := c.xmlBody()
	if len(body) == 0 && n.version.since(3, 0) {
		return reply{status: http.StatusOK}
	}
	n.rooms.mu.Lock()
	defer n.rooms.mu.Unlock()
	r := c.room()
	documents, intact := documentsIn(body)
	switch {
	case r == nil && n.version.since(3, 0):
		id, ok := c.lookup("meetingID")
		if !ok {
			id = "null"
		}
		return failedMessage(fmt.Sprintf("Meeting with id [%s] not found.", id))
	case r == nil, !intact:
		return statusReply(http.StatusInternalServerError)
	case r.disables("presentation"):
		return failedMessage("Presentation feature is disabled, ignoring.")
	}
	r.Documents += documents
	x := answer()
	x.text("message", "Presentation is being uploaded")
	return xmlReply(x.close())
}

func failedMessage(message string) reply {
	return xmlReply(bbb.NewAnswer(bbb.Failed).Text("message", message).Bytes())
}

// sendChatMessage (3.0) puts a message into the chat of a room.
func (c *call) sendChatMessage() reply {
	if f := c.authenticate(); f != nil {
		return failed(f)
	}
	var v violations
	v.meetingID(c)
	message, ok := c.lookup("message")
	if n := bbb.Length(message); ok {
		v.check(n >= 1 && n <= 500, "sizeError", "Param message must be between 1 and 500 characters")
	} else {
		v.check(false, "nullError", "You must provide the param message")
	}
	v.check(bbb.Length(c.get("userName")) <= 255, "sizeError", "Param userName must be between 1 and 255 characters")
	if v.first != nil {
		return failed(v.first)
	}
	c.node.rooms.mu.Lock()
	defer c.node.rooms.mu.Unlock()
	r := c.room()
	if r == nil {
		return failed(&bbb.Failure{Key: "meetingNotFound", Message: "Meeting not found"})
	}
	r.Messages = append(r.Messages, message)
	x := answer()
	x.text("messageKey", "")
	x.text("message", "")
	return xmlReply(x.close())
}
