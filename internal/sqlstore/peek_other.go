//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package sqlstore

import "net"

// somethingCame cannot look here: the connection must be asked.
func somethingCame(net.Conn) bool { return true }
