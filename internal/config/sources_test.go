package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"strings"
	"testing"
)

func TestEnvFilesInOrder(t *testing.T) {
	t.Parallel()
	cfg, warnings, err := Load([]string{
		"B3SCALE_DB_URL=",
		strong, reached,
		"B3SCALE_MEETING_SIZE=1",
		"B3SCALE_MAX_BODY=1K",
	}, files(map[string]string{
		".env": "\ufeff# first\r\nB3SCALE_LISTEN_HTTP=:1\r\n  B3SCALE_MEETING_SIZE = 2 \r\n",
		"etc/default/b3scale": "B3SCALE_DB_URL=\"sqlite:a=b.db\"\n'B3SCALE_LISTEN_HTTP'=':2'\n#B3SCALE_OBSERVE=yes\n\n" +
			"B3SCALE_MAX_BODY=\nPATH=/somewhere\n",
		"etc/sysconfig/b3scale": "B3SCALE_LISTEN_HTTP=:3",
	}))
	if err != nil || len(warnings) != 0 {
		t.Fatalf("error %v, warnings %q", err, warnings)
	}
	if got, want := cfg.Store.Path, "a=b.db"; got != want {
		t.Errorf("store %q, want %q", got, want)
	}
	if got, want := cfg.Listen, ":3"; got != want {
		t.Errorf("listen %q, want that of the last file, %q", got, want)
	}
	if got, want := cfg.MeetingSize, 2; got != want {
		t.Errorf("meeting size %d, want %d: files win over the environment", got, want)
	}
	if got, want := cfg.MaxBody, Bytes(1<<20); got != want {
		t.Errorf("max body %d, want the default %d: empty is unset", got, want)
	}
	if cfg.Observe {
		t.Error("a comment was read")
	}
	if got, want := cfg.EnvFiles, []string{"./.env", "/etc/default/b3scale", "/etc/sysconfig/b3scale"}; !slices.Equal(got, want) {
		t.Errorf("env files %q, want %q", got, want)
	}
}

func TestEnvFilesAreNotReadWhenTheDatabaseIsSet(t *testing.T) {
	t.Parallel()
	machine := files(map[string]string{".env": "B3SCALE_LISTEN_HTTP=:1", "db": "sqlite:x.db"})
	for _, line := range []string{"B3SCALE_DB_URL=sqlite:x.db", "B3SCALE_DB_URL_FILE=/db"} {
		cfg, _, err := Load([]string{line}, machine)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if len(cfg.EnvFiles) != 0 || cfg.Listen == ":1" {
			t.Errorf("%s: files %q were read", line, cfg.EnvFiles)
		}
		if got, want := cfg.Store.Path, "x.db"; got != want {
			t.Errorf("%s: store %q, want %q", line, got, want)
		}
	}
}

func TestEnvFileTrouble(t *testing.T) {
	t.Parallel()
	machine := files(map[string]string{
		".env": strong + "\nB3SCALE_OBSERVE=perhaps\nexport B3SCALE_DB_URL=s3cret\ns3cret\n",
	})
	read := machine.ReadFile
	machine.ReadFile = func(name string) ([]byte, error) {
		if name == "/etc/default/b3scale" {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
		}
		return read(name)
	}
	cfg, warnings, err := Load([]string{reached}, machine)
	if got, want := lines(t, err), `B3SCALE_OBSERVE="perhaps" (from ./.env): accepted`; len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("got %q, want %q", got, want)
	}
	want := []string{
		"./.env:3 is not used: accepted are lines like NAME=VALUE, without export",
		"./.env:4 is not used: accepted are lines like NAME=VALUE, without export",
		"/etc/default/b3scale is not used: permission denied",
	}
	if !slices.Equal(warnings, want) {
		t.Errorf("warnings %q, want %q", warnings, want)
	}
	if got, want := cfg.EnvFiles, []string{"./.env"}; !slices.Equal(got, want) {
		t.Errorf("env files %q, want %q even after an error", got, want)
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	machine := files(map[string]string{
		"db":     " sqlite:from-file.db\n",
		"empty":  " \n",
		"mysql":  "mysql://b3scale:s3cret@db/b3scale\n",
		"remote": "postgres://b3scale:s3cret@db/b3scale\n",
	})
	for _, c := range []struct {
		environ []string
		want    string // a problem, or the store
	}{
		{[]string{"B3SCALE_DB_URL_FILE=/db"}, "sqlite:from-file.db"},
		{[]string{"B3SCALE_DB_URL_FILE=/missing"}, `B3SCALE_DB_URL_FILE="/missing": file does not exist; accepted: a readable file that holds B3SCALE_DB_URL`},
		{[]string{"B3SCALE_DB_URL_FILE=/empty"}, `B3SCALE_DB_URL_FILE="/empty": the file is empty; accepted`},
		{[]string{"B3SCALE_DB_URL_FILE=/remote"}, "postgres://b3scale:•••@db/b3scale"},
		{[]string{"B3SCALE_DB_URL_FILE=/mysql"}, `B3SCALE_DB_URL="•••" (from /mysql): accepted: sqlite:PATH`},
		{[]string{"B3SCALE_DB_URL_FILE=postgres://b3scale:s3cret@db/b3scale"}, "B3SCALE_DB_URL_FILE=•••: "},
		{[]string{"B3SCALE_DB_URL_FILE=/db", "B3SCALE_DB_URL=sqlite:x.db"}, `B3SCALE_DB_URL_FILE="/db": B3SCALE_DB_URL is set too; accepted: one of the two`},
		{[]string{"B3SCALE_API_JWT_SECRET_FILE=s3cret", "B3SCALE_API_JWT_SECRET=s3cret"}, "B3SCALE_API_JWT_SECRET_FILE=•••: B3SCALE_API_JWT_SECRET is set too; accepted: one of the two"},
		{[]string{"B3SCALE_DB_URL_FILE=/remote", "B3SCALE_DB_LISTEN_URL_FILE=/remote"}, "postgres://b3scale:•••@db/b3scale, listening at postgres://b3scale:•••@db/b3scale"},
		{[]string{"B3SCALE_DB_URL_FILE=/remote", "B3SCALE_DB_LISTEN_URL_FILE=/missing"}, `B3SCALE_DB_LISTEN_URL_FILE="/missing": file does not exist; accepted: a readable file that holds B3SCALE_DB_LISTEN_URL`},
		{[]string{"B3SCALE_DB_LISTEN_URL_FILE=postgres://b3scale:s3cret@db/b3scale"}, "B3SCALE_DB_LISTEN_URL_FILE=•••: "},
	} {
		cfg, warnings, err := Load(c.environ, machine)
		got := cfg.Store.String()
		if cfg.ListenURL.Source != "" {
			got += ", listening at " + cfg.ListenURL.String()
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.environ, got, c.want)
		}
		if strings.Contains(got+strings.Join(warnings, ""), "s3cret") {
			t.Errorf("%q: shows the secret: %q %q", c.environ, got, warnings)
		}
	}
}

func TestJWTSecretsFromFiles(t *testing.T) {
	t.Parallel()
	cfg, warnings, err := Load([]string{reached, "B3SCALE_API_JWT_SECRET_FILE=/new", "B3SCALE_API_JWT_SECONDARY_SECRET_FILE=/old"}, files(map[string]string{
		"new": strings.Repeat("new", 12) + "\n", // as editors end a file
		"old": strings.Repeat("old", 12),
	}))
	if err != nil || len(warnings) != 0 {
		t.Fatalf("error %v, warnings %q", err, warnings)
	}
	if got, want := cfg.JWTSecret.Reveal(), strings.Repeat("new", 12); got != want {
		t.Errorf("secret %q, want %q", got, want)
	}
	if got, want := cfg.JWTSecondarySecret.Reveal(), strings.Repeat("old", 12); got != want {
		t.Errorf("secondary secret %q, want %q", got, want)
	}
	if text := fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg); strings.Contains(text, "newnew") || strings.Contains(text, "oldold") {
		t.Errorf("shows a secret: %s", text)
	}
}

func TestNodeCAFile(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	machine := files(map[string]string{
		"two.pem":    "# ours\n" + ca + "\n" + ca,
		"broken.pem": ca + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der[:20]})),
		"none.pem":   "not a certificate",
	})
	cfg, _, err := Load([]string{"B3SCALE_NODE_CA_FILE=/two.pem"}, machine)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(cfg.NodeCAs), 2; got != want {
		t.Errorf("%d certificates, want %d", got, want)
	}
	if cfg.NodeRoots() == nil {
		t.Error("the certificates are not among the roots")
	}
	if (&Config{}).NodeRoots() != nil {
		t.Error("roots without certificates of our own, want the system's")
	}
	for _, c := range []struct{ file, want string }{
		{"/broken.pem", "it holds a broken certificate"},
		{"/none.pem", "it holds no certificate"},
	} {
		_, _, err := Load([]string{"B3SCALE_NODE_CA_FILE=" + c.file}, machine)
		if got := lines(t, err); len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s: got %q, want %q", c.file, got, c.want)
		}
	}
}

func TestErrorOfARealMissingFileHasNoSecondPath(t *testing.T) {
	t.Parallel()
	missing := t.TempDir() + "/missing"
	_, _, err := Load([]string{"B3SCALE_DB_URL_FILE=" + missing}, Options{})
	if err == nil || strings.Count(err.Error(), missing) != 1 {
		t.Errorf("got %v, want the path once", err)
	}
	if e, ok := errors.AsType[*Error](err); !ok || len(e.Lines()) != 1 {
		t.Errorf("got %v, want one line", err)
	}
}
