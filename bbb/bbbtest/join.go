package bbbtest

import (
	"net/http"
	"strconv"
	"strings"

	"b3scale/bbb"
)

// join lets a person into a room, or sends them away with the reason (BBB API,
// join).
func (c *call) join() reply {
	n := c.node
	if f := c.authenticate(); f != nil {
		return c.sendAway(f)
	}
	n.rooms.mu.Lock()
	defer n.unlockRooms()
	r := c.room()
	v := c.checkJoin(r)
	if v.first != nil {
		return c.sendAway(v.first)
	}
	role, f := c.role(r)
	if f != nil {
		return failed(f) // never a redirect
	}
	if f := c.admission(r); f != nil {
		if !c.redirects() && n.version.since(2, 7) {
			return failed(f)
		}
		return c.sendAway(f)
	}
	return c.welcome(r, c.person(role))
}

// checkJoin collects what leads to a redirect, even with redirect=false.
func (c *call) checkJoin(r *room) violations {
	var v violations
	v.meetingID(c)
	v.check(c.fullName() != "", "missingParamFullName", "You must provide your name")
	v.password(c, "password")
	v.boolean(c, "guest", "Guest")
	v.boolean(c, "auth", "Auth")
	v.integer(c, "createTime", "Value must be an integral number")
	if r == nil {
		// Nodes find three rules broken here; this one is reported.
		v.check(false, "meetingForciblyEnded", "You can not join a meeting that has already been forcibly ended")
		return v
	}
	if password := c.get("password"); !c.node.version.since(2, 5) && validRole(c.get("role")) == "" {
		v.check(password != "" && (password == r.ModeratorPW || password == r.AttendeePW),
			"invalidPassword", "The provided password is neither a moderator or attendee password")
	}
	return v
}

func (c *call) fullName() string {
	name := c.get("fullName")
	if name == "" && c.node.version.since(3, 0) {
		name = bbb.Clean(c.get("firstName") + " " + c.get("lastName"))
	}
	return name
}

func validRole(text string) string {
	switch role := strings.ToUpper(text); role {
	case Moderator, Viewer:
		return role
	}
	return ""
}

// role: a valid one wins over the password.
func (c *call) role(r *room) (string, *bbb.Failure) {
	if role := validRole(c.get("role")); role != "" {
		return role, nil
	}
	const key = "Params required" // literally
	password := c.get("password")
	switch {
	case password == "":
		return "", &bbb.Failure{Key: key, Message: "You must either send the valid role of the user, or the password, sould the meeting has one."}
	case password == r.ModeratorPW:
		return Moderator, nil
	case password == r.AttendeePW:
		return Viewer, nil
	case r.ModeratorPW == "" && r.AttendeePW == "":
		return "", &bbb.Failure{Key: key, Message: "You must send the 'role' parameter, since this meeting doesn't have any password."}
	}
	return "", &bbb.Failure{Key: key, Message: "You must enter a valid password"}
}

// admission is what the room itself has against it.
func (c *call) admission(r *room) *bbb.Failure {
	if text := c.get("createTime"); text != "" && text != strconv.FormatInt(r.CreateTime, 10) {
		return &bbb.Failure{Key: "mismatchCreateTimeParam", Message: "The createTime parameter submitted mismatches with the current meeting."}
	}
	if r.MaxUsers > 0 && !c.isTrue("bot") && c.isFull(r) {
		return &bbb.Failure{Key: "maxParticipantsReached", Message: "The number of participants allowed for this meeting has been reached."}
	}
	if c.guestStatus(r) == "DENY" && c.node.version.since(3, 0) {
		return &bbb.Failure{Key: "guestDeniedAccess", Message: "You have been denied access to this meeting based on the meeting's guest policy"}
	}
	return nil
}

// isFull counts people, since 3.0 each once however often they are in.
func (c *call) isFull(r *room) bool {
	if !c.node.version.since(3, 0) {
		return len(r.Attendees) >= r.MaxUsers
	}
	people := make(map[string]bool, len(r.Attendees))
	for i := range r.Attendees {
		people[r.Attendees[i].UserID] = true
	}
	return len(people) >= r.MaxUsers && !people[c.get("userID")]
}

func (c *call) guestStatus(r *room) string {
	if !c.isTrue("guest") {
		return "ALLOW"
	}
	switch r.GuestPolicy {
	case "ALWAYS_DENY":
		return "DENY"
	case "ASK_MODERATOR":
		return "WAIT"
	case "ALWAYS_ACCEPT_AUTH":
		if !c.isTrue("auth") {
			return "WAIT"
		}
	}
	return "ALLOW"
}

func (c *call) redirects() bool { return !strings.EqualFold(c.get("redirect"), "false") }

// person reads who joins. userdata- parameters have exactly one hyphen.
func (c *call) person(role string) Attendee {
	a := Attendee{UserID: c.get("userID"), FullName: c.fullName(), Role: role, Guest: c.isTrue("guest"), ClientType: html5}
	for name, value := range c.req.Params.All() {
		if key, ok := strings.CutPrefix(name, "userdata-"); ok && isXMLName(key) && !strings.Contains(key, "-") {
			a.Userdata.Set(key, bbb.Clean(value))
		}
	}
	return a
}

func isXMLName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c != '-' && c != '.' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// welcome opens a session, puts the person into the room and answers with the
// way to the client.
func (c *call) welcome(r *room, a Attendee) reply {
	n := c.node
	userID, authToken, token := n.mint("userID"), n.mint("authToken"), n.mint("sessionToken")
	if a.UserID == "" {
		a.UserID = userID
	}
	status := c.guestStatus(r)
	a.InternalID = userID
	n.tellRegistered(r, &a)
	if status == "ALLOW" {
		n.enter(r, a)
	}
	n.rooms.sessions[token] = session{room: r, attendee: a}
	r.sessions = append(r.sessions, token)

	key, message := "successfullyJoined", "You have joined successfully."
	link := n.PublicURL() + n.version.clientPath() + "?"
	if n.version.since(3, 0) && c.get("enforceLayout") != "" {
		link += "waitLayout=1&"
	}
	link += "sessionToken=" + token
	if !n.version.since(3, 0) {
		switch status {
		case "WAIT":
			key, message = "guestWait", "Guest waiting for approval to join meeting."
			link = n.PublicURL() + clientPath + "/guestWait?sessionToken=" + token
		case "DENY":
			key, message = "guestDeny", "Guest denied to join meeting."
			link = c.logoutURL()
		}
	}
	if c.redirects() {
		return reply{status: http.StatusFound, noCache: true, location: link, cookie: n.cookie()}
	}
	x := answer()
	x.text("messageKey", key)
	x.text("message", message)
	x.text("meeting_id", r.InternalID)
	x.text("user_id", userID)
	x.text("auth_token", authToken)
	x.text("session_token", token)
	x.text("guestStatus", status)
	x.text("url", link)
	joined := xmlReply(x.close())
	joined.cookie = n.cookie()
	return joined
}

func (n *Node) cookie() string {
	attributes := "; Path=/bigbluebutton; HttpOnly"
	if n.version.since(3, 0) {
		attributes = "; Path=/bigbluebutton; Secure; HttpOnly"
	}
	return "JSESSIONID=" + n.mint("JSESSIONID") + attributes
}
