package bbbtest

import (
	"html/template"
	"net/http"
	"strings"
)

var pages = template.Must(template.New("").Parse(`
{{- define "top" -}}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} – {{.Node}}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 10vh auto; padding: 0 1rem; color: #1b2b3a; background: #f4f6f8 }
main { background: #fff; border-radius: .5rem; padding: 1.5rem 2rem; box-shadow: 0 1px 4px #0002 }
h1 { font-size: 1.4rem; margin: 0 0 1rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 0 0 1rem }
dt { color: #586a7a } dd { margin: 0; overflow-wrap: anywhere }
p { margin: 0 }
</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
{{end}}
{{- define "bottom" -}}
</main>
</body>
</html>
{{end}}
{{- define "landing"}}{{template "top" .}}<dl>
<dt>Node</dt><dd>{{.Node}} (simulated BigBlueButton {{.Version}})</dd>
<dt>Meeting</dt><dd>{{.Meeting}}</dd>
<dt>User</dt><dd>{{.User}}</dd>
<dt>Role</dt><dd>{{.Role}}</dd>
<dt>In the room</dt><dd>{{range $i, $name := .People}}{{if $i}}, {{end}}{{$name}}{{else}}nobody{{end}}</dd>
</dl>
{{if .Waiting}}<p>You are waiting for a moderator.</p>
{{else}}<p><a href="{{.Leave}}">Leave</a></p>
{{end}}{{template "bottom" .}}{{end}}
{{- define "note"}}{{template "top" .}}<p>{{.Text}}</p>
{{template "bottom" .}}{{end}}`))

// landing is what a person sees who has joined.
type landing struct {
	Title, Node, Version, Meeting, User, Role string
	People                                    []string
	Waiting                                   bool
	Leave                                     string
}

type note struct {
	Title, Node, Text string
}

// landingPage stands where the client of a real node is: it shows where the
// person landed, and lets them leave.
func (n *Node) landingPage(r *http.Request) reply {
	token := r.URL.Query().Get("sessionToken")
	leave := strings.TrimPrefix(r.URL.Path, clientPath) == "/leave"
	n.rooms.mu.Lock()
	s, ok := n.rooms.sessions[token]
	var page landing
	if ok {
		if leave {
			n.leave(s.room, s.attendee.InternalID, "")
		}
		page = landing{
			Title: "You are in " + s.room.Name, Node: n.opts.Name, Version: n.opts.Version,
			Meeting: s.room.Name, User: s.attendee.FullName, Role: s.attendee.Role,
			Leave: clientPath + "/leave?sessionToken=" + token,
		}
		page.Waiting = strings.HasSuffix(r.URL.Path, "/guestWait")
		for i := range s.room.Attendees {
			page.People = append(page.People, s.room.Attendees[i].FullName)
		}
	}
	n.unlockRooms()
	switch {
	case !ok:
		return n.page(http.StatusUnauthorized, "note", note{"No such session", n.opts.Name, "The meeting has ended, or the link is wrong."})
	case leave:
		return n.page(http.StatusOK, "note", note{"You have left", n.opts.Name, "The meeting goes on without you."})
	}
	return n.page(http.StatusOK, "landing", page)
}

// homePage is where people land who could not join, with the reason in the
// query.
func (n *Node) homePage(r *http.Request) reply {
	text := "This is a simulated BigBlueButton " + n.opts.Version + " node without media."
	if errors := r.URL.Query().Get("errors"); errors != "" {
		text = "You could not join: " + errors
	}
	return n.page(http.StatusOK, "note", note{"Welcome", n.opts.Name, text})
}

func (n *Node) page(status int, name string, content any) reply {
	var b strings.Builder
	if err := pages.ExecuteTemplate(&b, name, content); err != nil {
		return statusReply(http.StatusInternalServerError)
	}
	return htmlReply(status, b.String())
}
