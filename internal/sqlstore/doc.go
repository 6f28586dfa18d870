// Package sqlstore is the durable truth in SQL: it implements b3scale.Store.
//
// Each statement is one text for every database, with $1… as placeholders and
// only TEXT, BIGINT, DOUBLE PRECISION and BOOLEAN as types. Where databases
// differ, a text says {now}, {lock} or {share} and a dialect fills that in.
// Beside the dialect there are a writer and a reader: SQLite commits whatever is
// waiting as one transaction, so that many claims cost one fsync; PostgreSQL has
// a pool of connections with time limits.
//
// Public methods open the transaction, unexported functions take it. Jobs of a
// transaction may run more than once, so each begins by resetting what it
// returns. Locks are taken in one order: meetings row, backends row, orphans. To
// place a meeting locks its frontend and its backend last, as foreign keys do; so
// whoever deletes one of those locks the rows that refer to it first.
//
// The statements are those of docs/consistency.md; package storetest is the
// contract that they keep.
package sqlstore
