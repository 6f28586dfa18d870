package bbbtest

import "crypto/rand"

const (
	letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	mixed   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + letters
)

// random makes the random parts of answers in the shapes that nodes use.
func random(what string) string {
	switch what {
	case "attendeePW", "moderatorPW":
		return randomText(8, mixed)
	case "voiceBridge":
		return randomText(1, "123456789") + randomText(4, "0123456789")
	case "userID":
		return "w_" + randomText(12, letters)
	case "authToken":
		return randomText(12, letters)
	case "sessionToken":
		return randomText(16, letters)
	case "stream":
		return randomText(32, "0123456789abcdef")
	case "JSESSIONID":
		return randomText(32, "0123456789ABCDEF")
	}
	return randomText(16, letters)
}

func randomText(n int, alphabet string) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}
