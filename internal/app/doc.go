// Package app puts the rooms together: it is the only one that sees them all.
// The order in which New makes things is the order in which they depend on
// each other; Stop takes them down in reverse.
package app
