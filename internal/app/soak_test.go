//go:build soak

package app_test

import (
	"testing"
	"time"
)

// The same as in every run of the tests, for as long as operators see it.

func TestSoakKill9OfInstances(t *testing.T) { killInstances(t, time.Minute, 3*time.Second) }

func TestSoakDatabaseGoesAway(t *testing.T) { databaseGoesAway(t, 20*time.Second) }

func TestSoakNodeRestarts(t *testing.T) { nodeRestarts(t, 40*time.Second) }

func TestSoakRollingRestart(t *testing.T) { rollingRestart(t, 9) }

func TestSoakAgentsCountPeople(t *testing.T) {
	agentsCountPeople(t, 30*time.Second, 2*time.Second, 0.01)
}
