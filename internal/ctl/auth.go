package ctl

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"b3scale"
	"b3scale/internal/auth"
)

func (s *session) authCommand() *cobra.Command {
	cmd := group("auth", "make tokens")
	var lifetime time.Duration
	cmd.PersistentFlags().DurationVar(&lifetime, "expires-in", 0, "how long the token is good, like 24h; 0: for ever")
	expires := func() (time.Time, error) {
		switch {
		case lifetime < 0:
			return time.Time{}, errors.New("--expires-in: want a time like 24h")
		case lifetime == 0:
			return time.Time{}, nil
		}
		return time.Now().Add(lifetime), nil
	}
	authorize := &cobra.Command{
		Use:   "authorize",
		Short: "make a token for this tool, and keep it",
		Long: "Ask for the API secret of the cluster, make a token of an administrator with it, and keep it if the server\n" +
			"accepts it. At a terminal the secret is not shown, and asked for until it is right. It can be piped in, too.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			until, err := expires()
			if err != nil {
				return err
			}
			if err := s.authorize(cmd.Context(), until); err != nil {
				return err
			}
			s.complain("authorized at %s; the token is in %s", s.api, s.token.source)
			if t, err := s.findToken(); err != nil || t.source != s.token.source {
				s.complain("warning: %s is set, and will be used instead", t.source)
			}
			return nil
		},
	}
	cmd.AddCommand(authorize, s.accessTokenCommand(expires), s.nodeTokenCommand(expires))
	return cmd
}

var knownScopes = []string{string(auth.Admin), string(auth.Read), string(auth.Owner), string(auth.Node)}

func (s *session) accessTokenCommand(expires func() (time.Time, error)) *cobra.Command {
	var subject, scopes, secret string
	cmd := &cobra.Command{
		Use:   "create_access_token",
		Short: "make a token for somebody, and print it",
		Long: "Make a token and print it; nothing else is on the standard output. The secret of the API comes from --secret,\n" +
			"else from B3SCALE_API_JWT_SECRET, else it is asked for.",
		Example: "  b3scalectl auth create_access_token --sub ada --scopes b3scale:admin --expires-in 720h",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			subject = strings.TrimSpace(subject)
			var wanted auth.Scopes
			for name := range strings.SplitSeq(scopes, ",") {
				if name = strings.TrimSpace(name); name != "" && !wanted.Has(auth.Scope(name)) {
					wanted = append(wanted, auth.Scope(name))
				}
			}
			switch {
			case subject == "":
				return errors.New("whose token? Add --sub")
			case len(wanted) == 0:
				return errors.New("what may it do? Add --scopes, such as " + string(auth.Admin))
			}
			for _, scope := range wanted {
				if !slices.Contains(knownScopes, string(scope)) {
					s.complain("warning: the scope %q allows nothing%s", string(scope), didYouMean(string(scope), knownScopes))
				}
			}
			return s.mint(cmd, auth.Claims{Subject: subject, Scopes: wanted}, secret, expires)
		},
	}
	cmd.Flags().StringVar(&subject, "sub", "", "whose token it is")
	cmd.Flags().StringVar(&scopes, "scopes", "", "what it may do, separated by commas: "+strings.Join(knownScopes, ", "))
	cmd.Flags().StringVar(&secret, "secret", "", "secret of the API")
	s.completes(cmd, "scopes", knownScopes...)
	return cmd
}

// longestRef is how long the name of an agent may be.
const longestRef = 64

func (s *session) nodeTokenCommand(expires func() (time.Time, error)) *cobra.Command {
	var ref, secret string
	cmd := &cobra.Command{
		Use:   "authorize_node_agent",
		Short: "make a token for the agent on a node, and print it",
		Long: "Make a token for b3scaleagent and print it; nothing else is on the standard output. Every node needs a token\n" +
			"of its own. The secret of the API comes from --secret, else from B3SCALE_API_JWT_SECRET, else it is asked for.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if ref = strings.TrimSpace(ref); ref == "" {
				ref = randomWords()
			}
			if utf8.RuneCountInString(ref) > longestRef {
				return fmt.Errorf("--ref: at most %d characters", longestRef)
			}
			return s.mint(cmd, auth.Claims{Subject: ref, Scopes: auth.Scopes{auth.Node}}, secret, expires)
		},
	}
	cmd.Flags().StringVar(&ref, "ref", "", "name of the agent; random words if there is none")
	cmd.Flags().StringVar(&secret, "secret", "", "secret of the API")
	return cmd
}

// mint prints a token, and for people what it is.
func (s *session) mint(cmd *cobra.Command, c auth.Claims, secret string, expires func() (time.Time, error)) (err error) {
	if c.Expires, err = expires(); err != nil {
		return err
	}
	const name = "B3SCALE_API_JWT_SECRET"
	key := b3scale.Secret(strings.TrimSpace(secret))
	if key == "" {
		found, err := s.setting(name)
		if err != nil {
			return err
		}
		key = b3scale.Secret(found)
	}
	if key == "" {
		if key, err = s.askSecret(cmd.Context(), "Secret of the API ("+name+"): ", "set "+name+" (no env file is read), add --secret, or pipe it in"); err != nil {
			return err
		}
	}
	token, err := auth.NewKeys(key, "").Mint(c)
	if err != nil {
		return err
	}
	until := "never"
	if !c.Expires.IsZero() {
		until = c.Expires.Format(time.RFC3339)
	}
	s.complain("Subject: %s", c.Subject)
	s.complain("Scopes:  %s", c.Scopes.String())
	s.complain("Expires: %s", until)
	_, err = fmt.Fprintln(s.Out, token)
	return err
}

// words are short, and hard to mistake for each other.
var words = strings.Fields(`
	acorn amber anchor apple arrow autumn badger bamboo barley basil beaver birch bison bramble brook butter
	cactus candle canyon cedar cherry clover cobalt comet copper coral cotton cricket crystal daisy dawn delta
	desert dolphin dune eagle ember falcon feather fern fiddle finch forest fossil fox garden ginger glacier
	granite grape harbor hazel heron hollow honey indigo iris island ivory jade jasmine juniper kettle lagoon
	lantern laurel lemon lichen lily linen lotus lynx magnet maple marble meadow melon mint mirror moss nectar
	nutmeg oak ocean olive onyx orchid otter oyster paprika pearl pebble pepper pine plum poppy prairie quartz
	raven reef river robin saffron sage sandal scarlet shadow silver spruce squirrel summer tango teal thistle
	thunder timber topaz tulip tundra turtle umber valley velvet violet walnut willow winter yarrow zephyr`)

func randomWords() string {
	var chosen [3]string
	for i := range chosen {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(words)))) // never fails, see crypto/rand
		chosen[i] = words[n.Int64()]
	}
	return strings.Join(chosen[:], "-")
}
