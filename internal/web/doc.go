// Package web holds what every HTTP door shares: request ids, recovery from
// panics, the client's address, the access log and a server that drains.
package web
