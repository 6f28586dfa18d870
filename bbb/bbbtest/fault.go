package bbbtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is one way in which a call goes wrong.
type Kind string

// The kinds of faults. "Executes" means that the call takes effect.
const (
	Latency          Kind = "latency"          // waits Delay, then goes on as usual
	LateAnswer       Kind = "lateAnswer"       // executes, then waits Delay before it answers
	LateExecution    Kind = "lateExecution"    // executes after Delay, even if the caller has gone by then
	BlackHole        Kind = "blackHole"        // accepts and is silent until the fault is cleared, then goes on
	HangUp           Kind = "hangUp"           // closes the connection, executes nothing
	AnswerLost       Kind = "answerLost"       // executes, then closes the connection
	ServerError      Kind = "serverError"      // HTTP 500, executes nothing
	ServerErrorAfter Kind = "serverErrorAfter" // executes, then HTTP 500
	BadGateway       Kind = "badGateway"       // HTTP 502 of the web server in front, executes nothing
	HTMLPage         Kind = "htmlPage"         // HTTP 200 with a page that is no answer, executes nothing
	Truncated        Kind = "truncated"        // executes, answers with the first half of the XML
	CutOff           Kind = "cutOff"           // executes, closes the connection in the middle of the answer
	SlowBody         Kind = "slowBody"         // executes, sends the answer with Delay before every byte
	WrongSecret      Kind = "wrongSecret"      // no checksum is right
	Empty            Kind = "empty"            // answers as if it had no rooms, while they live; create is not affected
	Partial          Kind = "partial"          // getMeetings shows only the older half of the rooms
	FailWith         Kind = "failWith"         // FAILED with Key and Message, executes nothing
	ClockSkew        Kind = "clockSkew"        // create takes its time from a clock that is Delay ahead
)

// Kinds are all kinds of faults.
func Kinds() []Kind {
	return []Kind{
		Latency, LateAnswer, LateExecution, BlackHole, HangUp, AnswerLost, ServerError, ServerErrorAfter, BadGateway,
		HTMLPage, Truncated, CutOff, SlowBody, WrongSecret, Empty, Partial, FailWith, ClockSkew,
	}
}

// Fault is switched on by SetFault.
type Fault struct {
	Kind    Kind
	Calls   []string      // "create", "" for the root document; empty for all calls
	Times   int           // calls it hits before it is over; 0 for all until it is cleared
	Delay   time.Duration // for the kinds that say so
	Key     string        // of FailWith
	Message string        // of FailWith
}

// Check reports what is wrong with a fault.
func (f Fault) Check() error {
	switch {
	case !slices.Contains(Kinds(), f.Kind):
		return fmt.Errorf("there is no kind of fault %q, only %v", f.Kind, Kinds())
	case f.Times < 0:
		return fmt.Errorf("times is %d, want 0 or more", f.Times)
	case f.Delay < 0 && f.Kind != ClockSkew:
		return fmt.Errorf("delay is %v, only clockSkew goes back", f.Delay)
	case f.Key == "" && f.Kind == FailWith:
		return errors.New("failWith needs a key")
	}
	return nil
}

// String describes a fault for people.
func (f Fault) String() string {
	text := string(f.Kind)
	if len(f.Calls) > 0 {
		text += " of " + strings.Join(f.Calls, " and ")
	}
	if f.Delay != 0 {
		text += " " + f.Delay.String()
	}
	if f.Times > 0 {
		text += fmt.Sprintf(" (%d times)", f.Times)
	}
	return text
}
