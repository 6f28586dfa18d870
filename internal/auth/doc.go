// Package auth tells who calls the doors of operators and node agents: bearer
// tokens in the form that the field's tools have, the scopes in them, and what
// happens to those who bring no good one.
package auth
