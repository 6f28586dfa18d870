package packages_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"
)

const secret = "packages-test-secret-of-32-bytes-or-more"

var units = []string{"b3scale", "b3scaleagent", "b3scalenoded"}

// A fresh installation, from dpkg --install to dpkg --purge.
func TestInstallUseRemove(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	debs := packages(t, "deb")
	before := r.files(t)
	r.install(t, debs["b3scale"], debs["b3scalectl"], debs["b3scaleagent"], debs["b3scalenoded"])

	for _, program := range []string{"b3scaled", "b3scalectl", "b3scaleagent", "b3scalenoded"} {
		if got := r.run(t, "/usr/bin/"+program, "--version"); !shown.MatchString(got) {
			t.Errorf("%s shows %q", program, got)
		}
	}
	if got := r.run(t, "getent", "passwd", "bigbluebutton"); !strings.Contains(got, ":/var/bigbluebutton:/usr/sbin/nologin") {
		t.Errorf("the user is %s", got)
	}
	if got, want := r.stat(t, "/var/lib/b3scale"), "750 bigbluebutton:bigbluebutton"; got != want {
		t.Errorf("/var/lib/b3scale is %s, want %s", got, want)
	}
	for _, unit := range units {
		if got, want := r.stat(t, "/etc/default/"+unit), "600 bigbluebutton:bigbluebutton"; got != want {
			t.Errorf("/etc/default/%s is %s, want %s", unit, got, want)
		}
		if got := r.fails(t, "systemctl", "is-enabled", unit); got != "disabled\n" {
			t.Errorf("%s is %q", unit, got)
		}
		// Its complaints are not always failures.
		if got := r.run(t, "systemd-analyze", "verify", "/lib/systemd/system/"+unit+".service"); got != "" {
			t.Errorf("systemd says of %s:\n%s", unit, got)
		}
		// 1.5 of 10; what is left is the network, devices by name, and files that others may read.
		r.run(t, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", unit+".service")
	}
	if r.has("/etc/systemd/system/b3scale.service.d") {
		t.Error("recordings are allowed somewhere, and none are kept")
	}
	t.Run("texts", func(t *testing.T) { texts(t, r) })
	t.Run("use", func(t *testing.T) { use(t, r) })

	// The same again is an upgrade.
	settings := r.read(t, "/etc/default/b3scale")
	r.install(t, debs["b3scale"])
	r.run(t, "systemctl", "enable", "b3scale")
	r.run(t, "dpkg", "--remove", "b3scale", "b3scaleagent", "b3scalenoded", "b3scalectl")
	if got := r.read(t, "/etc/default/b3scale"); got != settings {
		t.Errorf("settings changed to\n%s", got)
	}
	if r.has("/usr/bin/b3scaled") || r.has("/lib/systemd/system/b3scale.service") || r.has("/etc/systemd/system/multi-user.target.wants/b3scale.service") {
		t.Error("the program or its unit is still there")
	}
	r.run(t, "dpkg", "--purge", "b3scale", "b3scaleagent", "b3scalenoded", "b3scalectl")
	left(t, r, before)
	if !r.has("/var/lib/b3scale/b3scale.db") {
		t.Error("the database is gone")
	}
}

// left complains of all files that were not there before, but data.
func left(t *testing.T, r root, before []string) {
	t.Helper()
	for _, name := range r.files(t) {
		data := slices.ContainsFunc([]string{"/var/lib/b3scale", "/var/bigbluebutton", "/srv/bbb", "/etc/bigbluebutton", "/root/.config"}, func(dir string) bool {
			return name == dir || strings.HasPrefix(name, dir+"/")
		})
		if !data && !slices.Contains(before, name) {
			t.Errorf("%s is left", name)
		}
	}
}

// texts are what shells and man read.
func texts(t *testing.T, r root) {
	if got := r.run(t, "sh", "-c", "gzip -dc /usr/share/man/man1/b3scalectl-set-backend.1.gz"); !strings.Contains(got, ".TH") {
		t.Errorf("the manual says %q", got)
	}
	r.run(t, "bash", "-n", "/usr/share/bash-completion/completions/b3scalectl")
	for _, name := range []string{"/usr/share/zsh/vendor-completions/_b3scalectl", "/usr/share/fish/vendor_completions.d/b3scalectl.fish"} {
		if !strings.Contains(r.read(t, name), "b3scalectl") {
			t.Errorf("%s completes nothing", name)
		}
	}
	if !strings.Contains(r.read(t, "/usr/share/doc/b3scale/moving-over.md"), "/etc/default/b3scale") {
		t.Error("the page that an upgrade names says nothing")
	}
	for _, name := range []string{"b3scale", "b3scalectl", "b3scaleagent", "b3scalenoded"} {
		if !strings.Contains(r.read(t, "/usr/share/doc/"+name+"/copyright"), "GNU AFFERO GENERAL PUBLIC LICENSE") {
			t.Errorf("%s has no licence", name)
		}
		if !strings.Contains(r.read(t, "/usr/share/doc/"+name+"/THIRD-PARTY-LICENSES"), "Permission is hereby granted, free of charge") {
			t.Errorf("%s has none of what is linked", name)
		}
	}
}

// use is an operator's first hour: the daemon, b3scalectl, an agent.
func use(t *testing.T, r root) {
	r.set(t, "/etc/default/b3scale", "B3SCALE_API_JWT_SECRET="+secret, "B3SCALE_LISTEN_HTTP=127.0.0.1:0")
	if got, want := r.stat(t, "/etc/default/b3scale"), "600 bigbluebutton:bigbluebutton"; got != want {
		t.Errorf("the edited settings are %s, want %s", got, want)
	}
	daemon := r.start(t, "/etc/default/b3scale", "/usr/bin/b3scaled")
	api := "http://" + daemon.await(t, `"msg":"serving","address":"([^"]+)"`)
	daemon.await(t, `"msg":"ready"`)
	daemon.signal(t, syscall.SIGHUP) // it must not end; what follows would see

	shell := func(script string) string {
		t.Helper()
		return r.run(t, "sh", "-euc", "export B3SCALE_API_URL="+api+" SECRET="+secret+"\n"+script)
	}
	shell(`echo "$SECRET" | b3scalectl auth authorize`)
	shell(`b3scalectl set frontend moodle --secret s3cret-of-moodle`)
	if got := shell(`b3scalectl show frontends`); !strings.Contains(got, "moodle") {
		t.Errorf("frontends: %s", got)
	}
	if got := shell(`b3scalectl version`); !strings.Contains(got, version) {
		t.Errorf("version: %s", got)
	}

	if got := r.fails(t, "/usr/bin/b3scaleagent", "-a"); !strings.Contains(got, "B3SCALE_API_URL") || !strings.Contains(got, "B3SCALE_API_ACCESS_TOKEN") {
		t.Errorf("the agent without settings says: %s", got)
	}
	if got := r.fails(t, "sh", "-c", "B3SCALE_DB_URL=sqlite:/x.db exec /usr/bin/b3scalenoded"); !strings.Contains(got, "B3SCALE_DB_URL") {
		t.Errorf("b3scalenoded with SQLite says: %s", got)
	}
	token := strings.TrimSpace(shell(`b3scalectl auth authorize_node_agent --ref bbb1 --secret "$SECRET" 2>/dev/null`))
	r.set(t, "/etc/default/b3scaleagent", "B3SCALE_API_URL="+api, "B3SCALE_API_ACCESS_TOKEN="+token)
	shell(`mkdir -p /etc/bigbluebutton
		cd /etc/bigbluebutton
		printf '%s\n' bigbluebutton.web.serverURL=https://bbb1.example.net securitySalt=s4lt-of-bbb1 redisPort=1 >bbb-web.properties
		chown bigbluebutton: bbb-web.properties
		chmod 0640 bbb-web.properties`)
	agent := r.start(t, "/etc/default/b3scaleagent", "/usr/bin/b3scaleagent", "-a")
	agent.await(t, `"msg":"(registered[^"]*|added[^"]*)"`)
	if got := shell(`b3scalectl show backends`); !strings.Contains(got, "https://bbb1.example.net/bigbluebutton/api/") {
		t.Errorf("backends: %s", got)
	}
	agent.stop(t)
	daemon.stop(t)
	if !strings.Contains(daemon.log.String(), `"url":"sqlite:/var/lib/b3scale/b3scale.db"`) {
		t.Errorf("it does not use the database of the settings:\n%s", daemon.log.String())
	}
}
