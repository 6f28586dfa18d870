// Package logtest keeps what tests log, so that all of it can be searched for
// what must never be logged: scripts/check-logs does that after a run of all
// tests.
package logtest
