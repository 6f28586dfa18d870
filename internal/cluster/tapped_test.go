package cluster

import (
	"context"
	"time"

	"b3scale"
)

// tapped is a store whose calls all pass through around, which may hold them
// up, refuse them, or lose their answers.
type tapped struct {
	store  b3scale.Store
	around func(ctx context.Context, method string, call func() error) error
}

var _ b3scale.Store = tapped{}

func tap0(ctx context.Context, s tapped, method string, call func() error) error {
	return s.around(ctx, method, call)
}

func tap1[A any](ctx context.Context, s tapped, method string, call func() (A, error)) (A, error) {
	var a, none A
	err := s.around(ctx, method, func() (err error) { a, err = call(); return err })
	if err != nil {
		return none, err
	}
	return a, nil
}

func tap2[A, B any](ctx context.Context, s tapped, method string, call func() (A, B, error)) (A, B, error) {
	var b, none B
	a, err := tap1(ctx, s, method, func() (a A, err error) { a, b, err = call(); return a, err })
	if err != nil {
		return a, none, err
	}
	return a, b, nil
}

func (s tapped) Frontends(ctx context.Context) ([]b3scale.Frontend, error) {
	return tap1(ctx, s, "Frontends", func() ([]b3scale.Frontend, error) { return s.store.Frontends(ctx) })
}

func (s tapped) AddFrontend(ctx context.Context, f b3scale.Frontend, by b3scale.Actor) (b3scale.Frontend, error) {
	return tap1(ctx, s, "AddFrontend", func() (b3scale.Frontend, error) { return s.store.AddFrontend(ctx, f, by) })
}

func (s tapped) EditFrontend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Frontend) error) (b3scale.Frontend, error) {
	return tap1(ctx, s, "EditFrontend", func() (b3scale.Frontend, error) { return s.store.EditFrontend(ctx, id, by, edit) })
}

func (s tapped) DeleteFrontend(ctx context.Context, id string, by b3scale.Actor) (b3scale.Frontend, error) {
	return tap1(ctx, s, "DeleteFrontend", func() (b3scale.Frontend, error) { return s.store.DeleteFrontend(ctx, id, by) })
}

func (s tapped) FrontendDefaults(ctx context.Context) (b3scale.FrontendSettings, error) {
	return tap1(ctx, s, "FrontendDefaults", func() (b3scale.FrontendSettings, error) { return s.store.FrontendDefaults(ctx) })
}

func (s tapped) EditFrontendDefaults(ctx context.Context, by b3scale.Actor, edit func(*b3scale.FrontendSettings) error) (b3scale.FrontendSettings, error) {
	return tap1(ctx, s, "EditFrontendDefaults", func() (b3scale.FrontendSettings, error) { return s.store.EditFrontendDefaults(ctx, by, edit) })
}

func (s tapped) TakePlace(ctx context.Context, p b3scale.Place) (int, bool, error) {
	return tap2(ctx, s, "TakePlace", func() (int, bool, error) { return s.store.TakePlace(ctx, p) })
}

func (s tapped) PurgePlaces(ctx context.Context) error {
	return tap0(ctx, s, "PurgePlaces", func() error { return s.store.PurgePlaces(ctx) })
}

func (s tapped) Backends(ctx context.Context) ([]b3scale.Backend, error) {
	return tap1(ctx, s, "Backends", func() ([]b3scale.Backend, error) { return s.store.Backends(ctx) })
}

func (s tapped) AddBackend(ctx context.Context, b b3scale.Backend, by b3scale.Actor) (b3scale.Backend, error) {
	return tap1(ctx, s, "AddBackend", func() (b3scale.Backend, error) { return s.store.AddBackend(ctx, b, by) })
}

func (s tapped) EditBackend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Backend) error) (b3scale.Backend, error) {
	return tap1(ctx, s, "EditBackend", func() (b3scale.Backend, error) { return s.store.EditBackend(ctx, id, by, edit) })
}

func (s tapped) DeleteBackend(ctx context.Context, id string, by b3scale.Actor) (b3scale.Backend, error) {
	return tap1(ctx, s, "DeleteBackend", func() (b3scale.Backend, error) { return s.store.DeleteBackend(ctx, id, by) })
}

func (s tapped) DeleteEmptyBackend(ctx context.Context, id string) (bool, error) {
	return tap1(ctx, s, "DeleteEmptyBackend", func() (bool, error) { return s.store.DeleteEmptyBackend(ctx, id) })
}

func (s tapped) SaveSecretUses(ctx context.Context, uses map[b3scale.SecretSlot]b3scale.Micros) error {
	return tap0(ctx, s, "SaveSecretUses", func() error { return s.store.SaveSecretUses(ctx, uses) })
}

func (s tapped) SecretUses(ctx context.Context) (map[b3scale.SecretSlot]b3scale.Micros, error) {
	return tap1(ctx, s, "SecretUses", func() (map[b3scale.SecretSlot]b3scale.Micros, error) { return s.store.SecretUses(ctx) })
}

func (s tapped) NoteAction(ctx context.Context, e b3scale.AuditEntry) error {
	return tap0(ctx, s, "NoteAction", func() error { return s.store.NoteAction(ctx, e) })
}

func (s tapped) Audit(ctx context.Context, q b3scale.AuditQuery, yield func(b3scale.AuditEntry)) error {
	return tap0(ctx, s, "Audit", func() error { return s.store.Audit(ctx, q, yield) })
}

func (s tapped) AddCommand(ctx context.Context, action b3scale.CommandAction, params []byte, d time.Duration, by b3scale.Actor) (b3scale.Command, error) {
	return tap1(ctx, s, "AddCommand", func() (b3scale.Command, error) { return s.store.AddCommand(ctx, action, params, d, by) })
}

func (s tapped) Commands(ctx context.Context) ([]b3scale.Command, error) {
	return tap1(ctx, s, "Commands", func() ([]b3scale.Command, error) { return s.store.Commands(ctx) })
}

func (s tapped) Command(ctx context.Context, id string) (b3scale.Command, error) {
	return tap1(ctx, s, "Command", func() (b3scale.Command, error) { return s.store.Command(ctx, id) })
}

func (s tapped) TakeCommand(ctx context.Context, holder string, lease time.Duration) (b3scale.Command, bool, error) {
	return tap2(ctx, s, "TakeCommand", func() (b3scale.Command, bool, error) { return s.store.TakeCommand(ctx, holder, lease) })
}

func (s tapped) FinishCommand(ctx context.Context, id, holder string, state b3scale.CommandState, result []byte) (bool, error) {
	return tap1(ctx, s, "FinishCommand", func() (bool, error) { return s.store.FinishCommand(ctx, id, holder, state, result) })
}

func (s tapped) PurgeCommands(ctx context.Context, gone time.Duration) error {
	return tap0(ctx, s, "PurgeCommands", func() error { return s.store.PurgeCommands(ctx, gone) })
}

func (s tapped) LiveMeetings(ctx context.Context, yield func(b3scale.Meeting)) error {
	return tap0(ctx, s, "LiveMeetings", func() error { return s.store.LiveMeetings(ctx, yield) })
}

func (s tapped) Meeting(ctx context.Context, key b3scale.MeetingKey) (b3scale.Meeting, error) {
	return tap1(ctx, s, "Meeting", func() (b3scale.Meeting, error) { return s.store.Meeting(ctx, key) })
}

func (s tapped) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	return tap2(ctx, s, "ClaimMeeting", func() (b3scale.Meeting, bool, error) { return s.store.ClaimMeeting(ctx, c) })
}

func (s tapped) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	return tap2(ctx, s, "ConfirmMeeting", func() (b3scale.Meeting, bool, error) {
		return s.store.ConfirmMeeting(ctx, key, generation, room)
	})
}

func (s tapped) EndMeeting(ctx context.Context, seen b3scale.Meeting) (bool, error) {
	return tap1(ctx, s, "EndMeeting", func() (bool, error) { return s.store.EndMeeting(ctx, seen) })
}

func (s tapped) RequestEnd(ctx context.Context, key b3scale.MeetingKey, generation int64, internalID string) (b3scale.Meeting, bool, error) {
	return tap2(ctx, s, "RequestEnd", func() (b3scale.Meeting, bool, error) {
		return s.store.RequestEnd(ctx, key, generation, internalID)
	})
}

func (s tapped) AdoptMeeting(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, size int) (b3scale.Meeting, bool, error) {
	return tap2(ctx, s, "AdoptMeeting", func() (b3scale.Meeting, bool, error) {
		return s.store.AdoptMeeting(ctx, key, backendID, room, size)
	})
}

func (s tapped) ActivateMeeting(ctx context.Context, seen b3scale.Meeting, backendID string, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	return tap2(ctx, s, "ActivateMeeting", func() (b3scale.Meeting, bool, error) {
		return s.store.ActivateMeeting(ctx, seen, backendID, room)
	})
}

func (s tapped) PurgeMeetings(ctx context.Context, before b3scale.Micros) (int, error) {
	return tap1(ctx, s, "PurgeMeetings", func() (int, error) { return s.store.PurgeMeetings(ctx, before) })
}

func (s tapped) NoteBluntEnd(ctx context.Context, key b3scale.MeetingKey, backendID string) error {
	return tap0(ctx, s, "NoteBluntEnd", func() error { return s.store.NoteBluntEnd(ctx, key, backendID) })
}

func (s tapped) LiveVersions(ctx context.Context, yield func(b3scale.MeetingKey, int64)) error {
	return tap0(ctx, s, "LiveVersions", func() error { return s.store.LiveVersions(ctx, yield) })
}

func (s tapped) VersionsSince(ctx context.Context, since int64, yield func(b3scale.MeetingKey, int64)) error {
	return tap0(ctx, s, "VersionsSince", func() error { return s.store.VersionsSince(ctx, since, yield) })
}

func (s tapped) ReadMeetings(ctx context.Context, keys []b3scale.MeetingKey, yield func(b3scale.Meeting, []b3scale.Attendee)) error {
	return tap0(ctx, s, "ReadMeetings", func() error { return s.store.ReadMeetings(ctx, keys, yield) })
}

func (s tapped) ConfigVersion(ctx context.Context) (string, error) {
	return tap1(ctx, s, "ConfigVersion", func() (string, error) { return s.store.ConfigVersion(ctx) })
}

func (s tapped) Reports(ctx context.Context, since int64, yield func(backendID string, version int64, report []byte)) error {
	return tap0(ctx, s, "Reports", func() error { return s.store.Reports(ctx, since, yield) })
}

func (s tapped) BookOrphan(ctx context.Context, key b3scale.MeetingKey, backendID, internalID string) (bool, error) {
	return tap1(ctx, s, "BookOrphan", func() (bool, error) { return s.store.BookOrphan(ctx, key, backendID, internalID) })
}

func (s tapped) Orphans(ctx context.Context, backendID string) ([]b3scale.Orphan, error) {
	return tap1(ctx, s, "Orphans", func() ([]b3scale.Orphan, error) { return s.store.Orphans(ctx, backendID) })
}

func (s tapped) LeaseOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, d time.Duration) (bool, error) {
	return tap1(ctx, s, "LeaseOrphan", func() (bool, error) { return s.store.LeaseOrphan(ctx, key, backendID, d) })
}

func (s tapped) SettleOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, elsewhere *b3scale.Alive) (b3scale.Settlement, b3scale.Meeting, error) {
	return tap2(ctx, s, "SettleOrphan", func() (b3scale.Settlement, b3scale.Meeting, error) {
		return s.store.SettleOrphan(ctx, key, backendID, room, elsewhere)
	})
}

func (s tapped) DeleteOrphans(ctx context.Context, backendID string, keys []b3scale.MeetingKey, before b3scale.Micros, patience time.Duration) error {
	return tap0(ctx, s, "DeleteOrphans", func() error { return s.store.DeleteOrphans(ctx, backendID, keys, before, patience) })
}

func (s tapped) MarkListed(ctx context.Context, backendID string, t0 b3scale.Micros) error {
	return tap0(ctx, s, "MarkListed", func() error { return s.store.MarkListed(ctx, backendID, t0) })
}

func (s tapped) SaveSightings(ctx context.Context, backendID string, seen []b3scale.Sighting) ([]int64, error) {
	return tap1(ctx, s, "SaveSightings", func() ([]int64, error) { return s.store.SaveSightings(ctx, backendID, seen) })
}

func (s tapped) SaveReport(ctx context.Context, backendID string, report []byte) error {
	return tap0(ctx, s, "SaveReport", func() error { return s.store.SaveReport(ctx, backendID, report) })
}

func (s tapped) Attendees(ctx context.Context, yield func(b3scale.MeetingKey, b3scale.Attendee)) error {
	return tap0(ctx, s, "Attendees", func() error { return s.store.Attendees(ctx, yield) })
}

func (s tapped) SaveProbes(ctx context.Context, instance string, reached []string) error {
	return tap0(ctx, s, "SaveProbes", func() error { return s.store.SaveProbes(ctx, instance, reached) })
}

func (s tapped) Probes(ctx context.Context) (map[string]b3scale.Micros, error) {
	return tap1(ctx, s, "Probes", func() (map[string]b3scale.Micros, error) { return s.store.Probes(ctx) })
}

func (s tapped) SaveHeartbeats(ctx context.Context, heard []string) error {
	return tap0(ctx, s, "SaveHeartbeats", func() error { return s.store.SaveHeartbeats(ctx, heard) })
}

func (s tapped) Heartbeats(ctx context.Context) (map[string]b3scale.Micros, error) {
	return tap1(ctx, s, "Heartbeats", func() (map[string]b3scale.Micros, error) { return s.store.Heartbeats(ctx) })
}

func (s tapped) SaveTurnouts(ctx context.Context, backendID string, told []b3scale.Turnout) ([]b3scale.Stored, error) {
	return tap1(ctx, s, "SaveTurnouts", func() ([]b3scale.Stored, error) { return s.store.SaveTurnouts(ctx, backendID, told) })
}

func (s tapped) SaveAgentReports(ctx context.Context, reports map[string][]byte) error {
	return tap0(ctx, s, "SaveAgentReports", func() error { return s.store.SaveAgentReports(ctx, reports) })
}

func (s tapped) Agents(ctx context.Context) (map[string]b3scale.AgentSign, error) {
	return tap1(ctx, s, "Agents", func() (map[string]b3scale.AgentSign, error) { return s.store.Agents(ctx) })
}

func (s tapped) Sessions(ctx context.Context, since b3scale.Micros, yield func(b3scale.Session)) error {
	return tap0(ctx, s, "Sessions", func() error { return s.store.Sessions(ctx, since, yield) })
}

func (s tapped) DeclareLost(ctx context.Context, backendID string, by b3scale.Actor) (bool, error) {
	return tap1(ctx, s, "DeclareLost", func() (bool, error) { return s.store.DeclareLost(ctx, backendID, by) })
}

func (s tapped) PassVerdict(ctx context.Context, backendID string, silent time.Duration) (bool, error) {
	return tap1(ctx, s, "PassVerdict", func() (bool, error) { return s.store.PassVerdict(ctx, backendID, silent) })
}

func (s tapped) ClearLost(ctx context.Context, backendID string) (bool, error) {
	return tap1(ctx, s, "ClearLost", func() (bool, error) { return s.store.ClearLost(ctx, backendID) })
}

func (s tapped) Leases(ctx context.Context) (map[string]string, error) {
	return tap1(ctx, s, "Leases", func() (map[string]string, error) { return s.store.Leases(ctx) })
}

func (s tapped) AcquireLeases(ctx context.Context, names []string, holder string, d time.Duration) ([]string, error) {
	return tap1(ctx, s, "AcquireLeases", func() ([]string, error) { return s.store.AcquireLeases(ctx, names, holder, d) })
}

func (s tapped) ReleaseLeases(ctx context.Context, names []string, holder string) error {
	return tap0(ctx, s, "ReleaseLeases", func() error { return s.store.ReleaseLeases(ctx, names, holder) })
}

func (s tapped) PurgeInstances(ctx context.Context, gone time.Duration) error {
	return tap0(ctx, s, "PurgeInstances", func() error { return s.store.PurgeInstances(ctx, gone) })
}

func (s tapped) Schema(ctx context.Context) (b3scale.Schema, error) {
	return tap1(ctx, s, "Schema", func() (b3scale.Schema, error) { return s.store.Schema(ctx) })
}

func (s tapped) Migrate(ctx context.Context) error {
	return tap0(ctx, s, "Migrate", func() error { return s.store.Migrate(ctx) })
}

func (s tapped) Now(ctx context.Context) (b3scale.Micros, error) {
	return tap1(ctx, s, "Now", func() (b3scale.Micros, error) { return s.store.Now(ctx) })
}

func (s tapped) Close() error { return s.store.Close() }

func (s tapped) AddCallback(ctx context.Context, c b3scale.Callback, terms b3scale.CallbackTerms) (b3scale.Callback, bool, error) {
	return tap2(ctx, s, "AddCallback", func() (b3scale.Callback, bool, error) { return s.store.AddCallback(ctx, c, terms) })
}

func (s tapped) TakeCallbacks(ctx context.Context, holder string, lease time.Duration, n, perHost, perFrontend int) (
	[]b3scale.Callback, map[b3scale.CallbackKind]int, error,
) {
	return tap2(ctx, s, "TakeCallbacks", func() ([]b3scale.Callback, map[b3scale.CallbackKind]int, error) {
		return s.store.TakeCallbacks(ctx, holder, lease, n, perHost, perFrontend)
	})
}

func (s tapped) FinishCallback(ctx context.Context, id, holder string, r b3scale.CallbackResult, again time.Duration) (bool, error) {
	return tap1(ctx, s, "FinishCallback", func() (bool, error) { return s.store.FinishCallback(ctx, id, holder, r, again) })
}

func (s tapped) Callbacks(ctx context.Context, q b3scale.CallbackQuery, yield func(b3scale.Callback)) (int, error) {
	return tap1(ctx, s, "Callbacks", func() (int, error) { return s.store.Callbacks(ctx, q, yield) })
}

func (s tapped) Callback(ctx context.Context, id string) (b3scale.Callback, error) {
	return tap1(ctx, s, "Callback", func() (b3scale.Callback, error) { return s.store.Callback(ctx, id) })
}

func (s tapped) ReplayCallback(ctx context.Context, id string, tried time.Duration, by b3scale.Actor) (b3scale.Callback, error) {
	return tap1(ctx, s, "ReplayCallback", func() (b3scale.Callback, error) { return s.store.ReplayCallback(ctx, id, tried, by) })
}

func (s tapped) DropCallback(ctx context.Context, id string, by b3scale.Actor) (b3scale.Callback, error) {
	return tap1(ctx, s, "DropCallback", func() (b3scale.Callback, error) { return s.store.DropCallback(ctx, id, by) })
}

func (s tapped) CallbackQueues(ctx context.Context) ([]b3scale.CallbackQueue, error) {
	return tap1(ctx, s, "CallbackQueues", func() ([]b3scale.CallbackQueue, error) { return s.store.CallbackQueues(ctx) })
}

func (s tapped) PurgeCallbacks(ctx context.Context, ended time.Duration) error {
	return tap0(ctx, s, "PurgeCallbacks", func() error { return s.store.PurgeCallbacks(ctx, ended) })
}

func (s tapped) Recordings(ctx context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (int, error) {
	return tap1(ctx, s, "Recordings", func() (int, error) { return s.store.Recordings(ctx, q, yield) })
}

func (s tapped) Recording(ctx context.Context, id string) (b3scale.Recording, error) {
	return tap1(ctx, s, "Recording", func() (b3scale.Recording, error) { return s.store.Recording(ctx, id) })
}

func (s tapped) CountRecordings(ctx context.Context) ([]b3scale.RecordingCount, error) {
	return tap1(ctx, s, "CountRecordings", func() ([]b3scale.RecordingCount, error) { return s.store.CountRecordings(ctx) })
}

func (s tapped) EditRecordings(ctx context.Context, frontendID string, ids []string, edit func(*b3scale.Recording) error) error {
	return tap0(ctx, s, "EditRecordings", func() error { return s.store.EditRecordings(ctx, frontendID, ids, edit) })
}

func (s tapped) BeginRecordingOp(ctx context.Context, op b3scale.RecordingOp, lease time.Duration) (b3scale.RecordingOp, error) {
	return tap1(ctx, s, "BeginRecordingOp", func() (b3scale.RecordingOp, error) { return s.store.BeginRecordingOp(ctx, op, lease) })
}

func (s tapped) RenewRecordingOp(ctx context.Context, op b3scale.RecordingOp, lease time.Duration) (bool, error) {
	return tap1(ctx, s, "RenewRecordingOp", func() (bool, error) { return s.store.RenewRecordingOp(ctx, op, lease) })
}

func (s tapped) CommitRecordingOp(ctx context.Context, op b3scale.RecordingOp,
	settle func(now []b3scale.Recording) (put []b3scale.Recording, gone []string, err error),
) (bool, error) {
	return tap1(ctx, s, "CommitRecordingOp", func() (bool, error) { return s.store.CommitRecordingOp(ctx, op, settle) })
}

func (s tapped) FinishRecordingOp(ctx context.Context, op b3scale.RecordingOp) (bool, error) {
	return tap1(ctx, s, "FinishRecordingOp", func() (bool, error) { return s.store.FinishRecordingOp(ctx, op) })
}

func (s tapped) TakeRecordingOps(ctx context.Context, ids []string, lease time.Duration, n int) ([]b3scale.RecordingOp, error) {
	return tap1(ctx, s, "TakeRecordingOps", func() ([]b3scale.RecordingOp, error) { return s.store.TakeRecordingOps(ctx, ids, lease, n) })
}

func (s tapped) RecordingOps(ctx context.Context) ([]b3scale.RecordingOp, error) {
	return tap1(ctx, s, "RecordingOps", func() ([]b3scale.RecordingOp, error) { return s.store.RecordingOps(ctx) })
}
