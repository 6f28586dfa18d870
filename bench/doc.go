// Command bench measures a real b3scaled process beside the floor: a bare
// net/http server that verifies a checksum and answers at once. It prints
// ratios, because times of one machine say nothing about another. See
// docs/performance.md.
package main
