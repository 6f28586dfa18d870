// Package nginxtest gives tests an nginx of their own, from the binary that
// Debian's package nginx installs.
//
// It runs as the user of the test, keeps everything in a directory of the test,
// listens with TLS on a port of 127.0.0.1 and ends with the test, or with its
// process, whatever ends that: a shell keeps it and sees its standard input
// close.
package nginxtest
