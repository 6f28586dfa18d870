// Package bbbtest is a BigBlueButton node without media: the whole HTTP API of
// 2.4 to 3.0 with the checksums, errors and XML bytes of the real one, and a
// switchboard of faults.
//
// A test with sockets starts one with Start. A test inside a synctest bubble,
// where sockets do not work, makes nodes with New and reaches them through
// Transport; clocks, deadlines and faults behave the same there. Such a node
// must be made inside the bubble, and needs Options.Callbacks if its rooms have
// callbacks.
//
// Over sockets net/http sends a GET again on its own when a connection that was
// used before breaks without an answer: HangUp and AnswerLost then hit both
// attempts, unless Times says otherwise. Transport never repeats a request.
//
// Options.Events gets what a real node of that version publishes on its Redis:
// who enters and leaves, voices, cameras, the end of meetings. Nobody uses the
// node's client, so Voice, Camera, Screenshare, Recording, Eject, Disconnect and
// Change do what people would do there. What applies the events sees the people
// that getMeetings shows. A node that is Down still publishes.
//
// With Options.RecordingsDir a room that was recorded leaves what a real node
// publishes: a directory with a metadata.xml and small files for each format.
// That directory stands for the place where a balancer finds recordings, not for
// one that the node reads: its own recording calls always answer that there are
// none, and it serves none of the files.
//
// The node has no media and no Redis of its own. Joining puts a person into the
// room at once; in a real node the client does that a moment later.
package bbbtest
