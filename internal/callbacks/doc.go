// Package callbacks carries the messages of nodes to frontends. They are stored
// before the node hears that we have them, and tried until they arrive: later
// rather than never, and once in the normal case.
package callbacks
