package bbb

import (
	"crypto/sha1" //nolint:gosec // BBB's protocol; nodes before 2.7 and many clients know nothing else
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

const checksumParam = "checksum"

// Sign returns the checksum of a call: hex(SHA-256(call + query + secret)).
// query is the raw query without its checksum. Every supported node accepts
// SHA-256 (BBB API, checksum).
func Sign(call, query, secret string) string {
	buf := make([]byte, 0, 512)
	buf = append(buf, call...)
	buf = append(buf, query...)
	buf = append(buf, secret...)
	sum := sha256.Sum256(buf)
	return hex.EncodeToString(sum[:])
}

// SignedQuery returns query with its checksum appended.
func SignedQuery(call, query, secret string) string {
	sum := Sign(call, query, secret)
	if query == "" {
		return checksumParam + "=" + sum
	}
	return query + "&" + checksumParam + "=" + sum
}

// SplitChecksum cuts the checksum out of a raw query, wherever it stands, and
// returns the query that was signed. n is the number of checksum parameters:
// only 1 can be valid.
func SplitChecksum(rawQuery string) (signed, checksum string, n int) {
	signed = rawQuery
	for start := 0; start < len(rawQuery); {
		end := strings.IndexByte(rawQuery[start:], '&')
		if end < 0 {
			end = len(rawQuery)
		} else {
			end += start
		}
		if name, value, _ := strings.Cut(rawQuery[start:end], "="); name == checksumParam {
			n++
			checksum = unescape(value)
			switch {
			case start > 0: // the & before it goes with it
				signed = rawQuery[:start-1] + rawQuery[end:]
			case end < len(rawQuery):
				signed = rawQuery[end+1:]
			default:
				signed = ""
			}
		}
		start = end + 1
	}
	return signed, checksum, n
}

// Verify reports whether checksum is that of the call for one of the secrets.
// The hash is chosen by the checksum's length: SHA-1, SHA-256, SHA-384 or
// SHA-512, in hexadecimal of either case. An empty secret never verifies
// anything. The comparison takes the same time wherever they differ.
func Verify(call, query, checksum string, secrets ...string) bool {
	var given [sha512.Size]byte
	if len(checksum) > 2*len(given) {
		return false
	}
	n, err := hex.Decode(given[:], []byte(checksum))
	if err != nil || n != sha1.Size && n != sha256.Size && n != sha512.Size384 && n != sha512.Size {
		return false
	}
	for _, secret := range secrets {
		if secret != "" && subtle.ConstantTimeCompare(digest(n, call, query, secret), given[:n]) == 1 {
			return true
		}
	}
	return false
}

// digest hashes with the algorithm whose sums are size bytes long.
func digest(size int, call, query, secret string) []byte {
	buf := make([]byte, 0, 512)
	buf = append(buf, call...)
	buf = append(buf, query...)
	buf = append(buf, secret...)
	switch size {
	case sha1.Size:
		sum := sha1.Sum(buf) //nolint:gosec // see the import
		return sum[:]
	case sha256.Size:
		sum := sha256.Sum256(buf)
		return sum[:]
	case sha512.Size384:
		sum := sha512.Sum384(buf)
		return sum[:]
	default:
		sum := sha512.Sum512(buf)
		return sum[:]
	}
}
