package b3scale

import (
	"crypto/rand"
	"fmt"
	"log/slog"
)

const masked = "•••"

// Secret is a shared secret. It prints as ••• wherever it is formatted or
// logged, so that no log line, error or URL can leak it by accident.
type Secret string

// Reveal returns the secret itself, for signing and storing only.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string { return masked }

// Format hides the secret from every fmt verb, %q and %#v included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText hides the secret from JSON, and so from structs that are logged.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// NewID returns a fresh random identifier in the form of a version 4 UUID
// (RFC 9562), as the ids of frontends and backends have always looked.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
