package storetest

import (
	"context"
	"testing"

	"b3scale"
)

func testStore(t *testing.T, open opener) {
	run(t, open, "the clock goes on", func(f *fixture) {
		last := f.now()
		for range 3 {
			now := f.now()
			if now < last {
				f.Errorf("got %d after %d", now, last)
			}
			last = now
		}
	})

	run(t, open, "knows its schema", func(f *fixture) {
		before, err := f.store.Schema(f.Context())
		f.must(err)
		if before.Database == "" || before.Version < 2 || before.AppliedAt <= 0 {
			f.Errorf("got %+v", before)
		}
		f.same("description", before.Description, "recordings")
		f.same("pending", before.Pending, 0)
		f.must(f.store.Migrate(f.Context())) // nothing to do
		after, err := f.store.Schema(f.Context())
		f.must(err)
		f.same("schema", after, before)
		f.claimed(f.a) // it still writes
	})

	run(t, open, "does nothing for a caller who has gone", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		_, _, err := f.store.ClaimMeeting(ctx, b3scale.Claim{Key: f.key, BackendID: f.a})
		f.code("claim", err, b3scale.Unavailable)
		_, err = f.store.Meeting(ctx, f.key)
		f.code("read", err, b3scale.Unavailable)
		f.noMeeting(f.key)
	})

	run(t, open, "answers nothing after Close", func(f *fixture) {
		m := f.active(f.a, "r1")
		f.must(f.store.Close())
		f.must(f.store.Close()) // again
		ctx, key := f.Context(), f.key
		calls := map[string]func() error{
			"Now":         func() error { _, err := f.store.Now(ctx); return err },
			"Frontends":   func() error { _, err := f.store.Frontends(ctx); return err },
			"Schema":      func() error { _, err := f.store.Schema(ctx); return err },
			"Migrate":     func() error { return f.store.Migrate(ctx) },
			"AddFrontend": func() error { _, err := f.store.AddFrontend(ctx, b3scale.Frontend{Key: "x"}, operator); return err },
			"EditFrontend": func() error {
				_, err := f.store.EditFrontend(ctx, f.frontend, operator, func(*b3scale.Frontend) error { return nil })
				return err
			},
			"DeleteFrontend": func() error { _, err := f.store.DeleteFrontend(ctx, f.frontend, operator); return err },
			"SaveSecretUses": func() error {
				return f.store.SaveSecretUses(ctx, map[b3scale.SecretSlot]b3scale.Micros{{OwnerID: f.a}: 1})
			},
			"SecretUses":    func() error { _, err := f.store.SecretUses(ctx); return err },
			"NoteAction":    func() error { return f.store.NoteAction(ctx, b3scale.AuditEntry{}) },
			"Audit":         func() error { return f.store.Audit(ctx, b3scale.AuditQuery{}, func(b3scale.AuditEntry) {}) },
			"AddCommand":    func() error { _, err := f.store.AddCommand(ctx, "x", nil, 1, operator); return err },
			"Commands":      func() error { _, err := f.store.Commands(ctx); return err },
			"Command":       func() error { _, err := f.store.Command(ctx, "x"); return err },
			"TakeCommand":   func() error { _, _, err := f.store.TakeCommand(ctx, "one", 1); return err },
			"FinishCommand": func() error { _, err := f.store.FinishCommand(ctx, "x", "one", b3scale.CommandError, nil); return err },
			"PurgeCommands": func() error { return f.store.PurgeCommands(ctx, 1) },
			"Heartbeats":    func() error { _, err := f.store.Heartbeats(ctx); return err },
			"Backends":      func() error { _, err := f.store.Backends(ctx); return err },
			"AddBackend":    func() error { _, err := f.store.AddBackend(ctx, b3scale.Backend{Host: "x"}, operator); return err },
			"EditBackend": func() error {
				_, err := f.store.EditBackend(ctx, f.a, operator, func(*b3scale.Backend) error { return nil })
				return err
			},
			"DeleteBackend":      func() error { _, err := f.store.DeleteBackend(ctx, f.a, operator); return err },
			"DeleteEmptyBackend": func() error { _, err := f.store.DeleteEmptyBackend(ctx, f.a); return err },
			"LiveMeetings":       func() error { return f.store.LiveMeetings(ctx, func(b3scale.Meeting) {}) },
			"Meeting":            func() error { _, err := f.store.Meeting(ctx, key); return err },
			"ClaimMeeting":       func() error { _, _, err := f.store.ClaimMeeting(ctx, b3scale.Claim{Key: key}); return err },
			"ConfirmMeeting":     func() error { _, _, err := f.store.ConfirmMeeting(ctx, key, 1, room("r1")); return err },
			"EndMeeting":         func() error { _, err := f.store.EndMeeting(ctx, m); return err },
			"RequestEnd":         func() error { _, _, err := f.store.RequestEnd(ctx, key, 1, "r1"); return err },
			"AdoptMeeting":       func() error { _, _, err := f.store.AdoptMeeting(ctx, key, f.a, room("r1"), 1); return err },
			"ActivateMeeting":    func() error { _, _, err := f.store.ActivateMeeting(ctx, m, f.a, room("r1")); return err },
			"PurgeMeetings":      func() error { _, err := f.store.PurgeMeetings(ctx, 1); return err },
			"BookOrphan":         func() error { _, err := f.store.BookOrphan(ctx, key, f.b, "r1"); return err },
			"Orphans":            func() error { _, err := f.store.Orphans(ctx, f.b); return err },
			"LeaseOrphan":        func() error { _, err := f.store.LeaseOrphan(ctx, key, f.b, 1); return err },
			"SettleOrphan":       func() error { _, _, err := f.store.SettleOrphan(ctx, key, f.b, room("r1"), nil); return err },
			"DeleteOrphans":      func() error { return f.store.DeleteOrphans(ctx, f.b, []b3scale.MeetingKey{key}, 1, 1) },
			"MarkListed":         func() error { return f.store.MarkListed(ctx, f.a, 1) },
			"SaveSightings": func() error {
				_, err := f.store.SaveSightings(ctx, f.a, []b3scale.Sighting{sighting(m, "x")})
				return err
			},
			"Attendees":     func() error { return f.store.Attendees(ctx, func(b3scale.MeetingKey, b3scale.Attendee) {}) },
			"SaveProbes":    func() error { return f.store.SaveProbes(ctx, "one", nil) },
			"Probes":        func() error { _, err := f.store.Probes(ctx); return err },
			"DeclareLost":   func() error { _, err := f.store.DeclareLost(ctx, f.a, operator); return err },
			"PassVerdict":   func() error { _, err := f.store.PassVerdict(ctx, f.a, 1); return err },
			"ClearLost":     func() error { _, err := f.store.ClearLost(ctx, f.a); return err },
			"NoteBluntEnd":  func() error { return f.store.NoteBluntEnd(ctx, key, f.a) },
			"LiveVersions":  func() error { return f.store.LiveVersions(ctx, func(b3scale.MeetingKey, int64) {}) },
			"VersionsSince": func() error { return f.store.VersionsSince(ctx, 1, func(b3scale.MeetingKey, int64) {}) },
			"ReadMeetings": func() error {
				return f.store.ReadMeetings(ctx, []b3scale.MeetingKey{key}, func(b3scale.Meeting, []b3scale.Attendee) {})
			},
			"ConfigVersion": func() error { _, err := f.store.ConfigVersion(ctx); return err },
			"SaveReport":    func() error { return f.store.SaveReport(ctx, f.a, nil) },
			"Reports":       func() error { return f.store.Reports(ctx, 0, func(string, int64, []byte) {}) },
			"SaveTurnouts": func() error {
				_, err := f.store.SaveTurnouts(ctx, f.a, []b3scale.Turnout{{Key: key, Generation: m.Generation, InternalID: m.InternalID}})
				return err
			},
			"SaveAgentReports": func() error { return f.store.SaveAgentReports(ctx, map[string][]byte{f.a: nil}) },
			"Agents":           func() error { _, err := f.store.Agents(ctx); return err },
			"Sessions":         func() error { return f.store.Sessions(ctx, 0, func(b3scale.Session) {}) },
			"SaveHeartbeats":   func() error { return f.store.SaveHeartbeats(ctx, []string{f.a}) },
			"Leases":           func() error { _, err := f.store.Leases(ctx); return err },
			"AcquireLeases":    func() error { _, err := f.store.AcquireLeases(ctx, []string{"job"}, "one", 1); return err },
			"ReleaseLeases":    func() error { return f.store.ReleaseLeases(ctx, []string{"job"}, "one") },
			"TakePlace":        func() error { _, _, err := f.store.TakePlace(ctx, b3scale.Place{Key: key}); return err },
			"PurgePlaces":      func() error { return f.store.PurgePlaces(ctx) },
			"FrontendDefaults": func() error { _, err := f.store.FrontendDefaults(ctx); return err },
			"EditFrontendDefaults": func() error {
				_, err := f.store.EditFrontendDefaults(ctx, operator, func(*b3scale.FrontendSettings) error { return nil })
				return err
			},
			"PurgeInstances": func() error { return f.store.PurgeInstances(ctx, 1) },
		}
		for name, call := range calls {
			f.code(name, call(), b3scale.Unavailable)
		}
	})
}
