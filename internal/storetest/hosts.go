package storetest

import (
	"errors"
	"testing"

	"b3scale"
)

func testHosts(t *testing.T, open opener) {
	taken := func(f *fixture, what string, err error, host string) {
		f.Helper()
		f.refused(what, err, `the host name "`+host+`" is taken`)
		if !errors.Is(err, b3scale.ErrHostTaken) {
			f.Errorf("%s: got %v, want it because of ErrHostTaken", what, err)
		}
	}
	with := func(hosts ...string) func(*b3scale.Frontend) {
		return func(v *b3scale.Frontend) { v.Settings.Hosts = hosts }
	}

	run(t, open, "are one frontend's alone", func(f *fixture) {
		fe := b3scale.Frontend{Key: "moodle", Settings: b3scale.FrontendSettings{Hosts: []string{"b.example.org", "a.example.org"}}}
		first := f.addFrontend(fe)
		f.same("in their order", first.Settings.Hosts, fe.Settings.Hosts)
		fe.Key = "nextcloud"
		fe.Settings.Hosts = []string{"c.example.org", "a.example.org"}
		_, err := f.store.AddFrontend(f.Context(), fe, operator)
		taken(f, "add", err, "a.example.org")
		f.same("number", len(f.frontends()), 2)

		entries := f.entries(b3scale.AuditQuery{})
		was := f.frontends()[0]
		_, err = f.store.EditFrontend(f.Context(), f.frontend, operator, func(v *b3scale.Frontend) error {
			with("d.example.org", "b.example.org")(v)
			return nil
		})
		taken(f, "edit", err, "b.example.org")
		f.same("refused", f.frontends()[0], was)
		f.same("audit", f.entries(b3scale.AuditQuery{}), entries)

		f.editFrontend(first.ID, with("a.example.org", "e.example.org")) // its own are not taken
		f.editFrontend(f.frontend, with("d.example.org", "b.example.org", "b.example.org"))
		f.editFrontend(f.frontend, func(v *b3scale.Frontend) { v.Active = false })
		_, err = f.store.EditFrontend(f.Context(), first.ID, operator, func(v *b3scale.Frontend) error {
			v.Settings.Hosts = append(v.Settings.Hosts, "b.example.org")
			return nil
		})
		taken(f, "edit", err, "b.example.org")

		_, err = f.store.DeleteFrontend(f.Context(), f.frontend, operator)
		f.must(err)
		f.editFrontend(first.ID, with("b.example.org", "d.example.org"))
		f.editFrontend(first.ID, with())
		f.addFrontend(b3scale.Frontend{Key: "mattermost", Settings: b3scale.FrontendSettings{Hosts: []string{"b.example.org"}}})
		_, err = f.store.AddFrontend(f.Context(), b3scale.Frontend{Key: "x", Settings: b3scale.FrontendSettings{Hosts: []string{"\x00"}}}, operator)
		f.code("odd", err, b3scale.InvalidArgument)
	})

	run(t, open, "one of many gets a name", func(f *fixture) {
		ids := []string{f.frontend, f.addFrontend(b3scale.Frontend{Key: "moodle"}).ID, f.addFrontend(b3scale.Frontend{Key: "nextcloud"}).ID}
		parallel(9, func(i int) {
			_, err := f.store.EditFrontend(f.Context(), ids[i%3], operator, func(v *b3scale.Frontend) error {
				v.Settings.Hosts = [][]string{{"a", "b"}, {"b", "a"}, {"b"}}[i%3]
				return nil
			})
			if err != nil && !errors.Is(err, b3scale.ErrHostTaken) {
				f.Error(err)
			}
		})
		owners := 0
		for _, fe := range f.frontends() {
			if len(fe.Settings.Hosts) > 0 {
				owners++
			}
		}
		f.same("owners", owners, 1)
	})
}
