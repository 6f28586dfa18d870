package packages_test

import (
	"strings"
	"testing"
)

// What an operator has made of the existing product's settings. Everything of
// it must be there afterwards, byte for byte.
const operators = `# ours, since 2021
B3SCALE_DB_URL="postgres://b3scale:s3cret@db.example.org/b3scale"
B3SCALE_API_JWT_SECRET=packages-test-secret-of-32-bytes-or-more
B3SCALE_RECORDINGS_PUBLISHED_PATH=/srv/bbb/published
 B3SCALE_RECORDINGS_UNPUBLISHED_PATH = '/srv/bbb/unpublished/'
`

func TestUpgradeFromTheExistingProduct(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	before := r.files(t)
	r.install(t, existing(t)...)
	r.write(t, "/etc/default/b3scale", operators)
	owned := r.stat(t, "/etc/default/b3scale")
	agents := r.read(t, "/etc/default/b3scaleagent")
	user := r.run(t, "id", "bigbluebutton")
	r.run(t, "systemctl", "enable", "b3scale")

	debs := packages(t, "deb")
	said := r.install(t, debs["b3scale"], debs["b3scaleagent"])
	if strings.Contains(said, "downgrading") {
		t.Errorf("our version counts as older:\n%s", said)
	}
	if got := r.read(t, "/etc/default/b3scale"); got != operators {
		t.Errorf("settings changed to\n%s", got)
	}
	if got := r.stat(t, "/etc/default/b3scale"); got != owned {
		t.Errorf("settings are %s now, they were %s", got, owned)
	}
	// Nobody has touched this one: dpkg alone would replace it, and its database with it.
	if got := r.read(t, "/etc/default/b3scaleagent"); got != agents {
		t.Errorf("settings of the agent changed to\n%s", got)
	}
	if got := r.run(t, "id", "bigbluebutton"); got != user {
		t.Errorf("the user is now %s, was %s", got, user)
	}
	if got := r.run(t, "systemctl", "is-enabled", "b3scale"); got != "enabled\n" {
		t.Errorf("b3scale is %s", got)
	}
	for program, file := range map[string]string{"b3scaled": "b3scale", "b3scaleagent": "b3scaleagent"} {
		if got := r.run(t, "/usr/bin/"+program, "--version"); !shown.MatchString(got) {
			t.Errorf("%s shows %q", program, got)
		}
		if !strings.Contains(r.read(t, "/usr/share/"+file+"/"+file+".env"), "\n#B3SCALE_LOG_LEVEL=info\n") {
			t.Errorf("%s explains no settings", file)
		}
	}
	allowed(t, r)

	r.run(t, "dpkg", "--purge", "b3scale", "b3scaleagent")
	left(t, r, before)
	if r.has("/etc/default/b3scale") {
		t.Error("settings are left, secrets among them")
	}
}

// allowed looks at the drop-in for recordings, and at what happens when an
// operator changes their place.
func allowed(t *testing.T, r root) {
	t.Helper()
	const (
		dropin = "/etc/systemd/system/b3scale.service.d/recordings.conf"
		allow  = "/usr/lib/b3scale/allow-recordings"
		parent = "\n[Service]\nReadWritePaths=\"-/srv/bbb\"\n"
	)
	if got := r.read(t, dropin); !strings.HasSuffix(got, parent) {
		t.Errorf("recordings are allowed by\n%s", got)
	}
	if got := r.run(t, "systemd-analyze", "verify", "/lib/systemd/system/b3scale.service"); got != "" {
		t.Errorf("systemd says:\n%s", got)
	}
	if got := r.run(t, allow); got != "" {
		t.Errorf("all is allowed, and it says %s", got)
	}
	r.write(t, "/etc/default/b3scale", operators+"B3SCALE_RECORDINGS_INBOX_PATH=/mnt/100% inbox\n")
	got := r.run(t, allow)
	for _, line := range []string{`ReadWritePaths="-/mnt/100%% inbox"`, `ReadWritePaths="-/srv/bbb/published"`, `ReadWritePaths="-/srv/bbb/unpublished"`} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("it does not say %s, but\n%s", line, got)
		}
	}
	if got := r.read(t, dropin); !strings.HasSuffix(got, parent) {
		t.Errorf("the operator's drop-in was changed to\n%s", got)
	}
	// What is allowed anyway, or is no business of a script, makes no drop-in.
	r.run(t, "rm", dropin)
	r.write(t, "/etc/default/b3scale", strings.Join([]string{
		"#B3SCALE_RECORDINGS_PUBLISHED_PATH=/srv/a", "B3SCALE_RECORDINGS_PUBLISHED_PATH=/var/bigbluebutton/published",
		"B3SCALE_RECORDINGS_UNPUBLISHED_PATH=/var/lib/b3scale/recordings/unpublished", "B3SCALE_RECORDINGS_INBOX_PATH=/srv/../etc",
		"B3SCALE_RECORDINGS_PLAYER_PATHS=/playback/", "",
	}, "\n"))
	if got := r.run(t, allow); got != "" || r.has(dropin) {
		t.Errorf("something is allowed: %s", got)
	}
	r.write(t, dropin, "[Service]\n") // the package wrote the one that was here, and purge takes it
}
