package bbbtest

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"b3scale/bbb"
)

// call is one API call being served.
type call struct {
	node        *Node
	name        string
	method      string
	rawQuery    string
	contentType string
	body        []byte
	req         bbb.Request
	checksum    string // as given

	secret string // the node's; a fault can change it
	blind  bool   // a fault hides the rooms
	skew   int64  // ms that a fault adds to createTime

	partial bool // a fault hides the newer half of the rooms from lists
}

func newCall(n *Node, name string, r *http.Request, body []byte) *call {
	c := &call{
		node: n, name: name, method: r.Method, rawQuery: r.URL.RawQuery,
		contentType: r.Header.Get("Content-Type"), body: body, secret: n.opts.Secret,
	}
	form := formOf(c.contentType, body)
	c.req = bbb.NewRequest(name, c.rawQuery, form)
	if c.rawQuery == "" && form != "" {
		params := bbb.ParseParams(form)
		c.checksum = params.Get("checksum")
	} else {
		_, c.checksum, _ = bbb.SplitChecksum(c.rawQuery)
	}
	return c
}

// get is a parameter as nodes use it, "" if absent.
func (c *call) get(name string) string { return bbb.Clean(c.req.Params.Get(name)) }

func (c *call) lookup(name string) (string, bool) {
	value, ok := c.req.Params.Lookup(name)
	return bbb.Clean(value), ok
}

// isTrue reads a boolean as nodes do: everything but true is false.
func (c *call) isTrue(name string) bool { return strings.EqualFold(c.get(name), "true") }

// formOf returns the parameters of a form body as url-encoded text.
func formOf(contentType string, body []byte) string {
	if len(body) == 0 || contentType == "" {
		return ""
	}
	media, attributes, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	switch media {
	case "application/x-www-form-urlencoded":
		return string(body)
	case "multipart/form-data":
		return multipartForm(body, attributes["boundary"])
	}
	return ""
}

func multipartForm(body []byte, boundary string) string {
	var form strings.Builder
	for parts := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := parts.NextPart()
		if err != nil {
			return form.String()
		}
		if part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return form.String()
		}
		if form.Len() > 0 {
			form.WriteByte('&')
		}
		form.WriteString(url.QueryEscape(part.FormName()) + "=" + url.QueryEscape(string(value)))
	}
}
