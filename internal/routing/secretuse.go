package routing

import (
	"sync/atomic"
	"time"

	"b3scale"
)

// SecretUse tells when each of two secrets was last used with success. It is
// noted with every call, so nobody waits for it.
type SecretUse struct {
	primary, secondary atomic.Int64 // microseconds
}

// useGrain is how exact the times are. Nobody needs to know more, and memory
// that all write to is slow.
const useGrain = time.Second

// Used notes a use.
func (u *SecretUse) Used(secondary bool, now time.Time) {
	at := &u.primary
	if secondary {
		at = &u.secondary
	}
	if us := now.UnixMicro(); us-at.Load() >= useGrain.Microseconds() {
		at.Store(us)
	}
}

// Forget is for a secret that was replaced.
func (u *SecretUse) Forget(secondary bool) {
	if secondary {
		u.secondary.Store(0)
	} else {
		u.primary.Store(0)
	}
}

// At is when that secret was last used; 0: never since the start.
func (u *SecretUse) At(secondary bool) b3scale.Micros {
	if secondary {
		return b3scale.Micros(u.secondary.Load())
	}
	return b3scale.Micros(u.primary.Load())
}
