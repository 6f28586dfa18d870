// Package pages renders what people see when they cannot be sent to their
// meeting at once: please wait, we gave up, no such meeting, no place left, too
// many at once, not now, broken link; and when they cannot see a recording.
//
// The pages run no script and load nothing. Their texts are in texts/, one
// file per language: to add a language, add a file.
package pages
