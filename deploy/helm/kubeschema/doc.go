// Command kubeschema writes a JSON schema of the Kubernetes objects that our
// chart makes, from the Go types that Kubernetes itself decodes them with.
//
//	kubeschema file
//
// It is a module of its own, with helm as a tool beside it: compiling either
// takes longer than all of our checks may. What it writes is committed, and
// `make helm` tells when that is stale.
package main
