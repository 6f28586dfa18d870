package bbbtest

import (
	"net/http"
	"strconv"
	"time"

	"b3scale/bbb"
)

// reply is an answer on its way out, with what faults do to it there.
type reply struct {
	status      int
	contentType string
	noCache     bool
	location    string
	cookie      string
	body        []byte

	hangUp bool          // the connection is closed without an answer
	cutOff int           // bytes of the body after which the connection is closed; 0 for none
	pace   time.Duration // before every byte of the body
}

const jsonType = "application/json;charset=utf-8"

func xmlReply(body []byte) reply {
	return reply{status: http.StatusOK, contentType: bbb.ContentType, noCache: true, body: body}
}

func failed(f *bbb.Failure) reply { return xmlReply(f.Answer()) }

func jsonReply(body string) reply {
	return reply{status: http.StatusOK, contentType: jsonType, noCache: true, body: []byte(body)}
}

// statusReply is an error page, as of the web server or the servlet container.
func statusReply(status int) reply {
	text := strconv.Itoa(status) + " " + http.StatusText(status)
	return htmlReply(status, "<html>\n<head><title>"+text+"</title></head>\n<body><h1>"+text+"</h1></body>\n</html>\n")
}

func htmlReply(status int, page string) reply {
	return reply{status: status, contentType: "text/html;charset=utf-8", body: []byte(page)}
}

func (r *reply) header() http.Header {
	h := make(http.Header, 4)
	if r.contentType != "" {
		h.Set("Content-Type", r.contentType)
	}
	if r.noCache {
		h.Set("Cache-Control", "no-cache")
	}
	if r.location != "" {
		h.Set("Location", r.location)
	}
	if r.cookie != "" {
		h.Set("Set-Cookie", r.cookie)
	}
	h.Set("Content-Length", strconv.Itoa(len(r.body)))
	return h
}
