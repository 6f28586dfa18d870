// Package markdown reads the documentation: its blocks of code, links and
// headings, and its HTML. The site and the tests of the documentation see the
// same pages through it.
package markdown
