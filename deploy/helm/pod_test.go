package helm_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"b3scale/internal/config"
)

func podOf(t *testing.T, objects []object) (deployment, pod object) {
	t.Helper()
	all := find(objects, "Deployment")
	if len(all) != 1 {
		t.Fatalf("%d deployments", len(all))
	}
	pod, _ = at(all[0], "spec", "template", "spec").(object)
	return all[0], pod
}

// What the pod's environment says, b3scaled takes without a word.
func TestTheDaemonTakesTheEnvironment(t *testing.T) {
	t.Parallel()
	eachValues(t, func(t *testing.T, v object) {
		_, pod := podOf(t, rendered(t, v))
		var environ []string
		// What the image sets; see the Dockerfile.
		environ = append(environ, "B3SCALE_DB_URL=sqlite:/var/lib/b3scale/b3scale.db")
		for _, one := range at(pod, "containers", 0, "env").([]any) {
			environ = append(environ, fmt.Sprintf("%v=%v", at(one, "name"), at(one, "value")))
		}
		var asked []string
		readFile := func(name string) ([]byte, error) {
			asked = append(asked, name)
			switch name {
			case "/etc/b3scale/ca/ca.pem":
				return os.ReadFile("testdata/ca.pem")
			case "/etc/b3scale/secrets/db-url", "/etc/b3scale/secrets/db-listen-url":
				return []byte("postgres://b3scale@db/b3scale"), nil
			}
			if strings.HasPrefix(name, "/etc/b3scale/secrets/") {
				return []byte(name + strings.Repeat("x", 32)), nil
			}
			return nil, fs.ErrNotExist
		}
		cfg, warnings, err := config.Load(environ, config.Options{ReadFile: readFile})
		if err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(environ, "\n"))
		}
		for _, w := range warnings {
			if !strings.Contains(w, "is not set") { // nobody has to set everything
				t.Errorf("warning: %s", w)
			}
		}
		if len(cfg.EnvFiles) > 0 || slices.Contains(asked, ".env") {
			t.Errorf("it looks for env files: %v", asked)
		}
		if postgres := at(v, "database", "type") == "postgresql"; postgres != (cfg.Store.Kind == config.PostgreSQL) {
			t.Errorf("the store is %v", cfg.Store)
		}
		if cfg.Listen != ":42353" || cfg.MetricsListen != fmt.Sprintf(":%v", at(v, "metrics", "port")) {
			t.Errorf("it listens at %s and %s", cfg.Listen, cfg.MetricsListen)
		}
		if got, want := cfg.RecordingsInbox != "", at(v, "recordings", "enabled"); got != want {
			t.Errorf("recordings: %t, want %v", got, want)
		}
	})
}

// Pod Security Admission has a level "restricted"; these are its rules.
func TestThePodIsRestricted(t *testing.T) {
	t.Parallel()
	eachValues(t, func(t *testing.T, v object) {
		_, pod := podOf(t, rendered(t, v))
		for _, c := range append(list(pod, "containers"), list(pod, "initContainers")...) {
			for _, want := range []struct {
				got, want any
			}{
				{at(c, "securityContext", "allowPrivilegeEscalation"), false},
				{at(c, "securityContext", "readOnlyRootFilesystem"), true},
				{at(c, "securityContext", "capabilities", "drop", 0), "ALL"},
				{at(c, "securityContext", "capabilities", "add"), nil},
				{at(pod, "securityContext", "runAsNonRoot"), true},
				{at(pod, "securityContext", "runAsUser"), 10001},
				{at(pod, "securityContext", "seccompProfile", "type"), "RuntimeDefault"},
				{at(pod, "automountServiceAccountToken"), false},
				{at(pod, "hostNetwork"), nil},
			} {
				if want.got != want.want {
					t.Errorf("got %v, want %v in %v", want.got, want.want, at(c, "securityContext"))
				}
			}
			if at(c, "resources", "limits", "memory") == nil {
				t.Errorf("%v may take all memory", at(c, "name"))
			}
		}
	})
}

// Volumes, secrets and claims that a pod names are there, and used.
func TestThePodFindsWhatItMounts(t *testing.T) {
	t.Parallel()
	eachValues(t, func(t *testing.T, v object) {
		objects := rendered(t, v)
		_, pod := podOf(t, objects)
		volumes, mounts := map[any]any{}, map[any]bool{}
		for _, volume := range list(pod, "volumes") {
			volumes[at(volume, "name")] = volume
		}
		for _, c := range append(list(pod, "containers"), list(pod, "initContainers")...) {
			for _, mount := range list(c, "volumeMounts") {
				mounts[at(mount, "name")] = true
				if volumes[at(mount, "name")] == nil {
					t.Errorf("there is no volume %v", at(mount, "name"))
				}
			}
		}
		if len(mounts) != len(volumes) {
			t.Errorf("volumes %v, mounted are %v", slices.Collect(maps.Keys(volumes)), mounts)
		}
		for _, volume := range volumes {
			if claim := at(volume, "persistentVolumeClaim", "claimName"); claim != nil && !has(objects, "PersistentVolumeClaim", claim) {
				t.Errorf("there is no claim %v", claim)
			}
			secret := at(volume, "secret", "secretName")
			if secret == nil || secret == at(v, "secret", "existingSecret") {
				continue
			}
			for _, item := range list(at(volume, "secret"), "items") {
				holds := slices.ContainsFunc(find(objects, "Secret"), func(o object) bool {
					text, _ := at(o, "stringData", at(item, "key")).(string)
					return at(o, "metadata", "name") == secret && text != ""
				})
				if !holds {
					t.Errorf("there is no secret %v with %v", secret, at(item, "key"))
				}
			}
		}
	})
}

// b3scaled says for a second that it goes, and then answers for up to 20 s.
func TestPodsAreGivenTimeToGo(t *testing.T) {
	t.Parallel()
	eachValues(t, func(t *testing.T, v object) {
		deployment, pod := podOf(t, rendered(t, v))
		sleep, _ := at(pod, "containers", 0, "lifecycle", "preStop", "sleep", "seconds").(int)
		if grace, _ := at(pod, "terminationGracePeriodSeconds").(int); grace <= sleep+21 {
			t.Errorf("grace period %d, sleep %d", grace, sleep)
		}
		strategy := at(deployment, "spec", "strategy", "type")
		if sqlite := at(v, "database", "type") == "sqlite"; sqlite != (strategy == "Recreate") {
			t.Errorf("strategy %v", strategy) // two on one SQLite file: the second does not start
		}
	})
}

// Whatever selects or points hits what it means, and only that.
func TestSelectorsAndPortsHit(t *testing.T) {
	t.Parallel()
	eachValues(t, func(t *testing.T, v object) {
		objects := rendered(t, v)
		deployment, pod := podOf(t, objects)
		labels := at(deployment, "spec", "template", "metadata", "labels")
		ports := map[any]bool{}
		for _, p := range list(at(pod, "containers", 0), "ports") {
			ports[at(p, "name")] = true
		}
		for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
			if port := at(pod, "containers", 0, probe, "httpGet", "port"); !ports[port] {
				t.Errorf("%s asks port %v", probe, port)
			}
		}
		selectors := []any{at(deployment, "spec", "selector", "matchLabels")}
		for _, s := range find(objects, "Service") {
			selectors = append(selectors, at(s, "spec", "selector"))
			for _, p := range list(at(s, "spec"), "ports") {
				if !ports[at(p, "targetPort")] {
					t.Errorf("%s leads to port %v", name(s), at(p, "targetPort"))
				}
			}
		}
		for _, o := range find(objects, "PodDisruptionBudget") {
			selectors = append(selectors, at(o, "spec", "selector", "matchLabels"))
		}
		for _, c := range list(pod, "topologySpreadConstraints") {
			selectors = append(selectors, at(c, "labelSelector", "matchLabels"))
		}
		for _, s := range selectors {
			if !within(s, labels) {
				t.Errorf("%v does not select pods with %v", s, labels)
			}
		}
		for _, m := range find(objects, "ServiceMonitor") {
			hit := slices.DeleteFunc(find(objects, "Service"), func(s object) bool {
				return !within(at(m, "spec", "selector", "matchLabels"), at(s, "metadata", "labels"))
			})
			if len(hit) != 1 || at(hit[0], "spec", "ports", 0, "name") != at(m, "spec", "endpoints", 0, "port") {
				t.Errorf("the monitor finds %v", hit)
			}
		}
		for _, i := range find(objects, "Ingress") {
			for _, rule := range list(at(i, "spec"), "rules") {
				service := at(rule, "http", "paths", 0, "backend", "service")
				if !has(objects, "Service", at(service, "name")) || at(service, "port", "name") != "http" {
					t.Errorf("%v leads to %v", at(rule, "host"), service)
				}
			}
		}
		if several := at(v, "replicas").(int) > 1; several != (len(find(objects, "PodDisruptionBudget")) == 1) {
			t.Errorf("%v replicas, and %d budgets", at(v, "replicas"), len(find(objects, "PodDisruptionBudget")))
		}
	})
}

func list(v any, key string) []any {
	l, _ := at(v, key).([]any)
	return l
}

func within(selector, labels any) bool {
	s, _ := selector.(object)
	l, _ := labels.(object)
	for key, value := range s {
		if l[key] != value {
			return false
		}
	}
	return len(s) > 0
}

func has(objects []object, kind string, called any) bool {
	return slices.ContainsFunc(find(objects, kind), func(o object) bool { return at(o, "metadata", "name") == called })
}
