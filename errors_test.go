package b3scale_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"b3scale"
)

func TestErrorHasTwoFaces(t *testing.T) {
	t.Parallel()
	err := b3scale.Errorf(b3scale.NotFound, "no meeting %q", "room")
	if got, want := err.Error(), `no meeting "room"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if errors.Unwrap(err) != nil {
		t.Error("there is a cause that nobody gave")
	}
	because := b3scale.Errorf(b3scale.NodeFailed, "the backend did not answer").Because(io.ErrUnexpectedEOF)
	if got, want := because.Error(), "the backend did not answer: unexpected EOF"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := because.Message, "the backend did not answer"; got != want {
		t.Errorf("the caller sees %q, want %q", got, want)
	}
	if !errors.Is(because, io.ErrUnexpectedEOF) {
		t.Error("the cause is not wrapped")
	}
	if got := b3scale.Errorf(b3scale.Conflict, "taken").Because(nil).Error(); got != "taken" {
		t.Errorf("%q, want no cause", got)
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	conflict := b3scale.Errorf(b3scale.Conflict, "taken")
	cases := []struct {
		name string
		err  error
		want b3scale.Code
	}{
		{"none", nil, ""},
		{"another error", io.EOF, ""},
		{"itself", conflict, b3scale.Conflict},
		{"wrapped", fmt.Errorf("save: %w", conflict), b3scale.Conflict},
		{"joined", errors.Join(io.EOF, conflict), b3scale.Conflict},
		{"the outer one counts", b3scale.Errorf(b3scale.Unavailable, "later").Because(conflict), b3scale.Unavailable},
	}
	for _, c := range cases {
		if got := b3scale.CodeOf(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
