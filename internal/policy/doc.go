// Package policy applies what an operator has decided for a frontend to its
// calls: which parameters, presentation and marks of identity reach a node.
// Everything here is pure: the same call of the same frontend always gives the
// same result.
package policy
