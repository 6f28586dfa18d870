// Package logtest keeps what tests log, so that all of it can be searched for
// what must never be logged, and the secrets and names that they use:
// scripts/check-logs searches the ones for the others after a run of all tests.
package logtest
