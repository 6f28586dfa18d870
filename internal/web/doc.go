// Package web holds what every HTTP door shares: request ids, recovery from
// panics, the client's address and the host it asked for, the access log and a
// server that drains.
package web
