package sqlstore

import (
	"context"
	"strings"

	"b3scale"
)

// dialect is all that a database may do differently. A sixth member needs a
// decision record.
type dialect struct {
	// lock says how a SELECT holds its rows until the transaction ends.
	lock rowLock
	// now is the expression for the database's clock in microseconds. It must
	// move within a transaction, as clock_timestamp() does and now() does not.
	now string
	// notify hints to other instances that a row changed, after the commit. It
	// must not wait: nothing correct depends on a hint.
	notify func(b3scale.Hint)
	// batch runs one text for many rows of arguments, in as few round trips as
	// the database can. The text returns at most one row of one integer each
	// time, and batch what it was; 0 where there was none.
	batch func(ctx context.Context, tx session, text string, rows [][]any) ([]int64, error)
	// failureOf says what an error of the driver means.
	failureOf func(error) failure
}

// rowLock holds the suffixes of a locking SELECT.
type rowLock struct{ exclusive, shared string }

// failure is what an error of the database means to us.
type failure int

const (
	failureOther      failure = iota
	failureUnique             // a unique value is taken
	failureForeignKey         // it refers to a row that does not exist
	failureBusy               // try again: locked, deadlocked or not serialisable
)

// expand fills the placeholders of a text. Sessions keep the result, so each
// text is expanded once per connection.
func (d *dialect) expand(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return strings.NewReplacer("{now}", d.now, "{lock}", d.lock.exclusive, "{share}", d.lock.shared).Replace(text)
}

// nextVersion is max(version + 1, now) with the clock read once, so that a
// clock that steps back between two readings cannot lower it. It grows with
// every change of a row and nearly follows the clock over the table. Whoever
// polls by version must therefore look back, by the longest transaction plus
// the largest step of the database's clock; reading a row twice is harmless.
const nextVersion = `(SELECT max(v) FROM (SELECT version + 1 AS v UNION ALL SELECT {now}) AS versions)`
