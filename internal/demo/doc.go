// Package demo runs b3scale with simulated nodes: for a newcomer to click
// through, and once through the real HTTP door as a check.
package demo
