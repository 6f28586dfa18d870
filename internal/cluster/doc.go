// Package cluster is the mind of b3scale: what is decided about meetings, and
// in which order.
//
// A create claims its place in the store before any node is asked, confirms
// what the node answered, and only then answers. A join is answered from
// memory. Every late fact is fenced by generation and internal id. Nothing, no
// connection, transaction or lock, is held while a node is called.
package cluster
