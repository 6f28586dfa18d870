// Package gateway is the door for frontends: the BigBlueButton API below
// /bbb/<frontend key>/. It verifies checksums, rewrites ids, asks the cluster,
// and answers in BBB's own words, or with a page where a person is waiting.
package gateway
