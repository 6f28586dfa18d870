package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
)

const meetingID = "physics-101"

// drive goes the way of one meeting through the real door, and is surprised
// by anything unexpected.
func drive(ctx context.Context, frontend bbb.Node, told *listener, url, token, counting string, backends []b3scale.Backend, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	d := &driver{frontend: frontend, told: told, out: out, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	defer d.http.CloseIdleConnections()
	if err := d.waitReady(ctx, url); err != nil {
		return err
	}
	d.say("agents", "%s", counting)
	for _, step := range []func(context.Context) error{
		d.create,
		d.createAgain,
		func(ctx context.Context) error { return d.join(ctx, backends) },
		d.getMeetings,
		func(ctx context.Context) error { return d.backends(ctx, url, token) },
		d.end,
		d.hear,
		d.recording,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, "Everything as expected.")
	return err
}

type driver struct {
	frontend bbb.Node
	told     *listener
	http     *http.Client
	out      io.Writer

	internalID string
}

func (d *driver) waitReady(ctx context.Context, url string) error {
	for {
		resp, err := d.get(ctx, url+"/readyz")
		if err != nil {
			return err
		}
		if resp.status == http.StatusOK {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return errors.New("b3scaled did not become ready")
		}
	}
}

func (d *driver) create(ctx context.Context) error {
	answer, err := d.call(ctx, "create", d.told.createQuery())
	if err != nil {
		return err
	}
	d.internalID = answer.Child("internalMeetingID").Text()
	d.say("create", "SUCCESS: meetingID %s, internalMeetingID %s", answer.Child("meetingID").Text(), d.internalID)
	if answer.Child("meetingID").Text() != meetingID {
		return fmt.Errorf("create answered with meetingID %q", answer.Child("meetingID").Text())
	}
	return nil
}

func (d *driver) createAgain(ctx context.Context) error {
	answer, err := d.call(ctx, "create", d.told.createQuery())
	if err != nil {
		return err
	}
	d.say("create", "SUCCESS, %s: the same meeting", answer.Child("messageKey").Text())
	if id := answer.Child("internalMeetingID").Text(); id != d.internalID {
		return fmt.Errorf("a second create gave another meeting: %q", id)
	}
	return nil
}

func (d *driver) join(ctx context.Context, backends []b3scale.Backend) error {
	homes := map[string]bool{}
	for _, name := range []string{"Ada", "Bob"} {
		resp, err := d.get(ctx, d.frontend.URL("join", "fullName="+name+"&role=MODERATOR&meetingID="+meetingID))
		if err != nil {
			return err
		}
		if resp.status != http.StatusFound {
			return fmt.Errorf("join answered %d: %s", resp.status, resp.body)
		}
		i := slices.IndexFunc(backends, func(b b3scale.Backend) bool { return strings.HasPrefix(resp.location, b.Host) })
		if i < 0 {
			return errors.New("join led to none of the servers")
		}
		homes[backends[i].Host] = true
		landed, err := d.get(ctx, resp.location) // as the browser does
		if err != nil {
			return err
		}
		if landed.status != http.StatusFound {
			return fmt.Errorf("the server answered the join with %d: %s", landed.status, landed.body)
		}
		d.say("join", "%s is sent to %s and let in", name, backends[i].Host)
	}
	if len(homes) != 1 {
		return errors.New("the two joins led to different servers")
	}
	return nil
}

func (d *driver) getMeetings(ctx context.Context) error {
	for { // memory hears of people within seconds
		answer, err := d.call(ctx, "getMeetings", "")
		if err != nil {
			return err
		}
		meeting := answer.Child("meetings").Child("meeting")
		if id := meeting.Child("meetingID").Text(); id != meetingID {
			return fmt.Errorf("getMeetings shows %q", id)
		}
		if meeting.Child("participantCount").Number() == 2 {
			d.say("getMeetings", "SUCCESS: %s, running %s, 2 people", meetingID, meeting.Child("running").Text())
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return errors.New("getMeetings never showed the two people")
		}
	}
}

// backends asks the operators' door.
func (d *driver) backends(ctx context.Context, url, token string) error {
	for { // numbers of people follow the lists
		resp, err := d.send(ctx, url+"/api/v1/backends", token)
		if err != nil {
			return err
		}
		var found []struct {
			NodeState string `json:"node_state"`
			Attendees int    `json:"attendees_count"`
		}
		if err := json.Unmarshal(resp.body, &found); err != nil || resp.status != http.StatusOK {
			return fmt.Errorf("/api/v1/backends answered %d: %s", resp.status, resp.body)
		}
		ready, people := 0, 0
		for _, b := range found {
			people += b.Attendees
			if b.NodeState == "ready" {
				ready++
			}
		}
		if ready == nodes && people == 2 {
			d.say("REST API", "%d backends are ready, 2 people are on them", ready)
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("/api/v1/backends never showed %d ready backends with 2 people: %s", nodes, resp.body)
		}
	}
}

func (d *driver) end(ctx context.Context) error {
	answer, err := d.call(ctx, "end", "meetingID="+meetingID)
	if err != nil {
		return err
	}
	d.say("end", "SUCCESS, %s", answer.Child("messageKey").Text())
	for {
		answer, err := d.call(ctx, "getMeetings", "")
		if err != nil {
			return err
		}
		if key := answer.Child("messageKey").Text(); key == "noMeetings" {
			d.say("getMeetings", "SUCCESS, %s: the meeting has ended", key)
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return errors.New("the meeting did not end")
		}
	}
}

// hear waits for what the server tells the frontend.
func (d *driver) hear(ctx context.Context) error {
	id, err := d.told.wait(ctx)
	if err == nil && id != meetingID {
		err = fmt.Errorf("the frontend was told of the end of %q", id)
	}
	if err == nil {
		d.say("callback", "the frontend is told that %s is over", id)
	}
	return err
}

func (d *driver) say(call, format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, "%-12s %s\n", call, fmt.Sprintf(format, args...))
}

// call sends a signed call and wants SUCCESS.
func (d *driver) call(ctx context.Context, name, query string) (bbb.Element, error) {
	resp, err := d.get(ctx, d.frontend.URL(name, query))
	if err != nil {
		return bbb.Element{}, err
	}
	doc, err := bbb.ParseXML(resp.body)
	if err != nil {
		return bbb.Element{}, fmt.Errorf("%s answered %d with %q: %w", name, resp.status, resp.body, err)
	}
	if root := doc.Root(); resp.status == http.StatusOK && root.Child("returncode").Text() == bbb.Success {
		return root, nil
	}
	return bbb.Element{}, fmt.Errorf("%s answered %d: %s", name, resp.status, resp.body)
}

type response struct {
	status   int
	location string
	body     []byte
}

func (d *driver) get(ctx context.Context, url string) (response, error) { return d.send(ctx, url, "") }

func (d *driver) send(ctx context.Context, url, token string) (response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return response{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return response{resp.StatusCode, resp.Header.Get("Location"), body}, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
