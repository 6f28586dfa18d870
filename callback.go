package b3scale

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// CallbackKind says what a node tells a frontend, see BBB API, callbacks.
type CallbackKind string

// The kinds of callbacks, by the create parameter that names their target.
const (
	CallbackEnd            CallbackKind = "end"             // meta_endCallbackUrl
	CallbackMeetingEnded   CallbackKind = "meeting_ended"   // meetingEndedURL
	CallbackRecordingReady CallbackKind = "recording_ready" // meta_bbb-recording-ready-url
	CallbackAnalytics      CallbackKind = "analytics"       // meta_analytics-callback-url
)

// CallbackTicket is what the address says that we give to a node in place of a
// frontend's: for whom the node's message is. It is signed.
type CallbackTicket struct {
	FrontendID string
	Target     string       // the frontend's own address; empty: the message is for us alone
	Kind       CallbackKind // empty in tickets of the existing product, as are the next two
	MeetingID  string       // the frontend's own
	Origin     Origin       // of the room that the address was sent for
}

// CallbackState says how far a callback is.
type CallbackState string

// A callback waits until its target takes it, refuses it for good, or nobody
// tries any more.
const (
	CallbackWaiting   CallbackState = "waiting"
	CallbackDelivered CallbackState = "delivered" // answered with a status of 2xx
	CallbackRefused   CallbackState = "refused"   // answered that there is no such thing, or a target that may not be called
	CallbackExpired   CallbackState = "expired"   // it was tried for as long as it was good for
	CallbackDropped   CallbackState = "dropped"   // by an operator
)

// Callback is one message to a frontend, stored until well after its end.
type Callback struct {
	ID         string // also tells the target that two deliveries are one message
	FrontendID string
	Kind       CallbackKind
	MeetingID  string // the frontend's own; empty when it is not known
	URL        string // may hold secrets of the frontend
	Host       string // of URL
	Payload    []byte // JSON that is signed at each attempt; nil: there is no body, or it is one of a list
	Dedup      string // the same for what a node repeats, see CallbackTerms; empty: nothing is a repeat of it
	State      CallbackState
	Attempts   int
	CreatedAt  Micros
	NextAt     Micros // of the next attempt
	ExpiresAt  Micros // nobody tries after it
	DoneAt     Micros // 0: not yet
	LastStatus int    // of the last attempt's answer; 0: there was none
	LastError  string // in words for operators; empty when it was taken
	Holder     string // names the take to FinishCallback; empty unless TakeCallbacks gave it
}

// CallbackTerms say how a message is taken in.
type CallbackTerms struct {
	Tried time.Duration // how long it is good for
	// Repeats is for how long another one with the same Dedup is its repeat; 0: as
	// long as it is stored.
	Repeats time.Duration
	// UntilTaken: instead, another one is a repeat of what was tried in vain and
	// waits for its next attempt. That will tell both.
	UntilTaken bool
	Most       int // so many may wait for the frontend; 0: any number
}

// CallbackResult is how one attempt ended.
type CallbackResult struct {
	State  CallbackState // CallbackWaiting: try again
	Status int
	Error  string
}

// CallbackQuery selects callbacks. Zero values select all.
type CallbackQuery struct {
	FrontendID string
	State      CallbackState
	Kind       CallbackKind
	MeetingID  string
	Limit      int // at most so many; 0: 1000
	Offset     int
}

// CallbackQueue is what waits for one frontend.
type CallbackQueue struct {
	FrontendID string
	Waiting    int
	Oldest     Micros // when the oldest of them was stored
}

// CallbackAllow lists targets that may be called although they are not public.
type CallbackAllow struct {
	Networks []netip.Prefix
	Hosts    []string // lower case
}

// ParseCallbackAllow reads a comma list of networks, addresses and host names.
func ParseCallbackAllow(text string) (a CallbackAllow, err error) {
	for one := range strings.SplitSeq(text, ",") {
		one = strings.ToLower(strings.TrimSpace(one))
		if one == "" {
			continue
		}
		if p, err := netip.ParsePrefix(one); err == nil {
			a.Networks = append(a.Networks, unmapped(p).Masked())
		} else if ip, err := netip.ParseAddr(one); err == nil {
			a.Networks = append(a.Networks, unmapped(netip.PrefixFrom(ip, ip.BitLen())))
		} else if host := strings.TrimRight(one, "."); host == "" || strings.ContainsAny(host, "/: *") {
			return a, fmt.Errorf("%q is no network and no host name", one)
		} else {
			a.Hosts = append(a.Hosts, host)
		}
	}
	return a, nil
}

// unmapped is the network of IPv4 that p writes as one of IPv6. Targets are
// judged by their address of IPv4, which p itself would never contain.
func unmapped(p netip.Prefix) netip.Prefix {
	if bits := p.Bits() - 96; p.Addr().Is4In6() && bits >= 0 {
		return netip.PrefixFrom(p.Addr().Unmap(), bits)
	}
	return p
}
