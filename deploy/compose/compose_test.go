// Package compose_test judges compose.yaml without an engine: by the schema of
// compose files, by what b3scaled and Caddy make of it, and by itself.
package compose_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"b3scale/internal/config"
)

// project is what the test reads of compose.yaml.
type project struct {
	Services map[string]service `json:"services"`
	Networks map[string]struct {
		IPAM struct {
			Config []struct{ Subnet string } `json:"config"`
		} `json:"ipam"`
	} `json:"networks"`
	Volumes map[string]any `json:"volumes"`
	Secrets map[string]struct {
		File string `json:"file"`
	} `json:"secrets"`
}

type service struct {
	Image string `json:"image"`
	Build *struct {
		Context, Dockerfile string
	} `json:"build"`
	Environment map[string]string `json:"environment"`
	Secrets     []string          `json:"secrets"`
	Networks    []string          `json:"networks"`
	Volumes     []string          `json:"volumes"`
	ReadOnly    bool              `json:"read_only"`
	StopGrace   string            `json:"stop_grace_period"`
	Healthcheck map[string]any    `json:"healthcheck"`
	DependsOn   map[string]struct {
		Condition string `json:"condition"`
	} `json:"depends_on"`
}

var variable = regexp.MustCompile(`\$\{(\w+)(?::([-?])([^}]*))?\}`)

// load reads the file as an engine does: with variables of the environment.
func load(t *testing.T) (raw []byte, p project) {
	t.Helper()
	text, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	environ := map[string]string{"PUBLIC_HOST": "b3scale.example.org"}
	text = variable.ReplaceAllFunc(text, func(all []byte) []byte {
		parts := variable.FindSubmatch(all)
		if value, ok := environ[string(parts[1])]; ok {
			return []byte(value)
		}
		if string(parts[2]) != "-" {
			t.Errorf("%s has no value", parts[1])
		}
		return parts[3]
	})
	var content map[string]any
	if err := yaml.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	if raw, err = json.Marshal(content); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	return raw, p
}

func TestSchema(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile("testdata/compose-spec.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(raw []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	raw, _ := load(t)
	if err := valid(raw); err != nil {
		t.Error(err)
	}
	// It says no, too.
	for from, to := range map[string]string{
		`"restart"`: `"restarts"`, `"subnet":"172.31.42.0/24"`: `"subnet":7`, `"services"`: `"service"`, `service_healthy`: `service_happy`,
	} {
		if !bytes.Contains(raw, []byte(from)) {
			t.Fatalf("there is no %s", from)
		}
		if valid(bytes.ReplaceAll(raw, []byte(from), []byte(to))) == nil {
			t.Errorf("the schema takes %s", to)
		}
	}
}

// What is named is there.
func TestReferences(t *testing.T) {
	t.Parallel()
	_, p := load(t)
	for name, s := range p.Services {
		for _, secret := range s.Secrets {
			if p.Secrets[secret].File == "" {
				t.Errorf("%s: no secret %s", name, secret)
			}
		}
		for _, network := range s.Networks {
			if _, ok := p.Networks[network]; !ok {
				t.Errorf("%s: no network %s", name, network)
			}
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			_, named := p.Volumes[source]
			if _, err := os.Stat(source); !named && (err != nil || !strings.HasPrefix(source, ".")) {
				t.Errorf("%s: no volume %s", name, source)
			}
		}
		for other, how := range s.DependsOn {
			if _, ok := p.Services[other]; !ok {
				t.Errorf("%s: no service %s", name, other)
			}
			// The image of b3scaled has a health check itself.
			if o := p.Services[other]; how.Condition == "service_healthy" && o.Build == nil && o.Healthcheck == nil {
				t.Errorf("%s waits for ever: nobody says that %s is healthy", name, other)
			}
		}
		for variable, value := range s.Environment {
			if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok && !has(s.Secrets, secret) {
				t.Errorf("%s: %s is a secret that it does not get", name, variable)
			}
		}
		if s.Build == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if grace, err := time.ParseDuration(s.StopGrace); err != nil || grace <= 21*time.Second {
			t.Errorf("%s is given %s to end: %v", name, s.StopGrace, err)
		}
		if !s.ReadOnly {
			t.Errorf("%s may write into its image", name)
		}
	}
}

func has(list []string, one string) bool {
	return strings.Contains("\n"+strings.Join(list, "\n")+"\n", "\n"+one+"\n")
}

// b3scaled takes its settings without a word, with the secrets that make-secrets
// makes.
func TestSettings(t *testing.T) {
	t.Parallel()
	dir := makeSecrets(t)
	_, p := load(t)
	instances := 0
	for name, s := range p.Services {
		if s.Build == nil {
			continue
		}
		instances++
		environ := map[string]string{"B3SCALE_DB_URL": "sqlite:/var/lib/b3scale/b3scale.db", "B3SCALE_LISTEN_HTTP": ":42353"} // of the image
		for variable, value := range s.Environment {
			environ[variable] = value
		}
		var lines []string
		for variable, value := range environ {
			lines = append(lines, variable+"="+value)
		}
		cfg, warnings, err := config.Load(lines, config.Options{ReadFile: func(file string) ([]byte, error) {
			secret, ok := strings.CutPrefix(file, "/run/secrets/")
			if !ok {
				return nil, fs.ErrNotExist
			}
			return os.ReadFile(filepath.Join(dir, filepath.Base(p.Secrets[secret].File)))
		}})
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v, %q", name, err, warnings)
		}
		if cfg.Store.Kind != config.PostgreSQL || cfg.JWTSecret == "" || len(cfg.EnvFiles) > 0 {
			t.Errorf("%s: store %s", name, cfg.Store)
		}
		if got, want := fmt.Sprint(cfg.TrustedProxies), p.Networks["front"].IPAM.Config[0].Subnet; got != "["+want+"]" {
			t.Errorf("%s believes %s, Caddy is in %s", name, got, want)
		}
	}
	if instances < 2 {
		t.Errorf("%d instances", instances)
	}
}

// makeSecrets runs the script in a directory of its own, twice.
func makeSecrets(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	script, err := os.ReadFile("make-secrets")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "make-secrets"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func() map[string]string {
		if out, err := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "make-secrets")).CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("make-secrets: %v\n%s", err, out)
		}
		files, err := filepath.Glob(filepath.Join(dir, "secrets", "*"))
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.Base(name)] = string(text)
		}
		return found
	}
	first := run()
	if len(first) != 3 || len(first["jwt-secret"]) != 64 || first["jwt-secret"] == first["db-password"] || !strings.Contains(first["db-url"], first["db-password"]) {
		t.Errorf("%d secrets", len(first))
	}
	if again := run(); fmt.Sprint(again) != fmt.Sprint(first) {
		t.Error("the second time it made other secrets")
	}
	if info, err := os.Stat(filepath.Join(dir, "secrets")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others get at them: %v, %v", info.Mode(), err)
	}
	return filepath.Join(dir, "secrets")
}

// Caddy gets its sample and the words that are missing there.
func TestCaddy(t *testing.T) {
	t.Parallel()
	caddy, err := exec.LookPath("caddy")
	if err != nil {
		t.Fatal("these tests need Debian's package caddy (scripts/install-test-needs installs it)")
	}
	_, p := load(t)
	front := p.Services["front"]
	source, target, _ := strings.Cut(front.Volumes[0], ":")
	if target != "/etc/caddy/Caddyfile:ro" {
		t.Errorf("it is at %s", target)
	}
	cmd := exec.CommandContext(t.Context(), caddy, "adapt", "--config", source, "--adapter", "caddyfile")
	cmd.Env = []string{"HOME=" + t.TempDir()}
	for name, value := range front.Environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, s := range p.Services {
		if leads := bytes.Contains(out, []byte(`"dial":"`+name+`:42353"`)); leads != (s.Build != nil) {
			t.Errorf("it leads to %s: %t", name, leads)
		}
	}
	if !bytes.Contains(out, []byte(`"host":["b3scale.example.org"]`)) || bytes.Contains(out, []byte("10.0.0.")) {
		t.Errorf("it serves %s", out)
	}
}
