// Package routing is the memory of one instance: who the frontends and
// backends are, where each meeting lives, how loaded each backend is, and the
// choice of a backend for a new meeting.
//
// The store decides; this table answers. Facts are applied in any order and
// the higher version of a row wins.
package routing
