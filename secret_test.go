package b3scale_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"b3scale"
)

const plain = "s3cr3t-Word"

// leaks reports whether text shows the secret in any form that fmt knows.
func leaks(text string) bool {
	for _, form := range []string{plain, fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain), fmt.Sprintf("% x", plain), fmt.Sprintf("%d", []byte(plain)), plain[:5]} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	secret := b3scale.Secret(plain)
	backend := b3scale.Backend{ID: "1", Secret: secret, SecondarySecret: secret}
	values := map[string]any{
		"alone": secret, "pointer": &secret, "struct": backend, "pointer to struct": &backend, "list": []b3scale.Secret{secret},
		"map": map[string]b3scale.Secret{"a": secret}, "map key": map[b3scale.Secret]int{secret: 1},
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%20s", "%.3s", "%t", "%z"} {
			if got := fmt.Sprintf(verb, value); leaks(got) {
				t.Errorf("%s with %s: %s", name, verb, got)
			}
		}
		if got := fmt.Sprintln(value); leaks(got) {
			t.Errorf("%s with Sprintln: %s", name, got)
		}
	}
	for _, got := range []string{fmt.Sprint(secret), secret.String(), fmt.Sprintf("%s", secret), fmt.Sprintf("%#v", secret)} {
		if got != "•••" {
			t.Errorf("%q, want that it is hidden", got)
		}
	}
	if got := fmt.Errorf("sign in with %s: %q", secret, secret).Error(); leaks(got) {
		t.Errorf("error: %s", got)
	}
	if got := secret.Reveal(); got != plain {
		t.Errorf("Reveal = %q, want %q", got, plain)
	}
}

func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"text", "JSON"} {
		var out bytes.Buffer
		var handler slog.Handler = slog.NewTextHandler(&out, nil)
		if name == "JSON" {
			handler = slog.NewJSONHandler(&out, nil)
		}
		secret := b3scale.Secret(plain)
		log := slog.New(handler)
		log.With("secret", secret).Info("a", "secret", secret, slog.Group("g", "secret", secret), slog.Any("any", secret), "pointer", &secret)
		if got := out.String(); leaks(got) || !strings.Contains(got, "•••") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestSecretsAreNotEncoded(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(b3scale.Backend{ID: "1", Secret: plain, SecondarySecret: plain})
	if err != nil || leaks(string(got)) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestNewID(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := b3scale.NewID()
		if !form.MatchString(id) {
			t.Fatalf("%q is not a version 4 UUID", id)
		}
		if seen[id] {
			t.Fatalf("%q came twice", id)
		}
		seen[id] = true
	}
}
