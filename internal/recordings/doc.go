// Package recordings keeps the recordings of all frontends: rows in the store
// and files in two trees, one of what is published and one of what is not. A
// third directory, the inbox, is where nodes put new files.
//
// Rows and files cannot change in one transaction. So work on files is booked
// in the store first, which also keeps other instances away from the same
// recordings. Then files are moved, then the rows are written. Until then
// everything can be taken back, afterwards nothing needs to be: whoever finds
// booked work whose owner is gone moves the files to where the rows say. No
// file is ever overwritten, and none is removed before another complete copy of
// it is in its place or its row is gone.
package recordings
