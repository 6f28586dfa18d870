//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sqlstore

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
)

// somethingCame looks, without waiting, whether there is anything to read from
// a connection, its end included. If in doubt there is.
func somethingCame(conn net.Conn) bool {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	nothing := false
	// Not raw.Read: after a slow write the driver has a goroutine that waits in a
	// read, maybe long, and raw.Read would wait for it. The socket never blocks.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		nothing = errors.Is(err, syscall.EAGAIN)
	})
	return err != nil || !nothing
}
