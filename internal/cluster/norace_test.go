//go:build !race

package cluster

const explainedStates = 1000
