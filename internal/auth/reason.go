package auth

// Reason is why a request is not let in. It names the count in Failures and
// what the log says; the caller is told less.
type Reason string

// The reasons.
const (
	Missing     Reason = "missing"       // no Authorization header
	Malformed   Reason = "malformed"     // another scheme, or more than one header
	Invalid     Reason = "invalid"       // wrong signature or algorithm, or no token at all
	Expired     Reason = "expired"       // it was good once
	NotYetValid Reason = "not_yet_valid" // it will be
	Throttled   Reason = "throttled"     // any of these, but too many of that address wait for their answer already
)

var reasons = []Reason{Missing, Malformed, Invalid, Expired, NotYetValid, Throttled}

// Error is the reason itself.
func (r Reason) Error() string { return string(r) }

// message is what the caller hears. Tools look for "invalid or expired".
func (r Reason) message() string {
	if r == Missing || r == Malformed {
		return "missing or malformed jwt"
	}
	return "invalid or expired jwt"
}
