// Package doctest tests the documentation. Its tests run the commands that the
// pages show, follow the links, and look up the names of settings, commands and
// paths that they mention.
//
// Every block of code names its language. Those in sh and console are run, page
// by page and in their order, as one person would: what a block sets, the next
// one has. After the $ of a console stands a command, and then what it prints; …
// stands for anything. What cannot be run here says why:
//
//	```sh no-test needs systemd
package doctest
