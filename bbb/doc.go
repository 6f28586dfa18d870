// Package bbb speaks the BigBlueButton HTTP API (2.4 to 3.0): parameters and
// their checksums, answers and their errors, and a client for the nodes.
//
// It keeps what it does not understand. Parameters keep their order, their
// duplicates and their raw bytes; answers are edited in place and never
// re-modelled, so that elements of newer versions reach the other side
// unharmed.
package bbb
