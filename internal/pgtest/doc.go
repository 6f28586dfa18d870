// Package pgtest gives tests a PostgreSQL of their own, from the binaries that
// Debian's package postgresql installs.
//
// The cluster has no durability, listens on a socket in a private directory
// and ends with the process, whatever ends that: a small shell keeps it and
// sees its standard input close. B3SCALE_TEST_DB_URL names a server to use
// instead for what shares one; its user must be allowed to create databases.
package pgtest
