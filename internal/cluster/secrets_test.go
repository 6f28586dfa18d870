package cluster

import (
	"strings"
	"testing"

	"b3scale"
)

// While a node's secret is being changed either of the two may count there.
func TestSecondarySecretOfABackend(t *testing.T) {
	t.Parallel()
	for _, current := range []string{"first", "secondary", "neither"} {
		t.Run(current, func(t *testing.T) {
			t.Parallel()
			p := plan{nodes: 1, backend: func(_ int, b *b3scale.Backend) {
				right := b.Secret
				b.Secret, b.SecondarySecret = "wrong", "wrong too"
				switch current {
				case "first":
					b.Secret = right
				case "secondary":
					b.SecondarySecret = right
				}
			}}
			inBubble(t, p, func(t *testing.T, s *site) {
				answer, err := s.create("class")
				if current == "neither" {
					if b3scale.CodeOf(err) != b3scale.NoBackend {
						t.Errorf("create: %v, %v; want no backend", answer, err)
					}
					s.unchecked = true
					return
				}
				if err != nil || !answer.Succeeded() {
					t.Fatalf("create: %v, %v", answer, err)
				}
				address, err := s.join("class")
				if err != nil {
					t.Fatal(err)
				}
				_, query, _ := strings.Cut(address, "?")
				if want := s.nodes[0].API().URL("join", query[:strings.LastIndex(query, "&checksum=")]); address != want {
					t.Errorf("the join is signed with another secret: %s", address)
				}
			})
		})
	}
}
