package b3scale

// Actor is who changes something through a door of operators.
type Actor struct {
	Subject   string // of the token; empty: this program itself
	Address   string // of the client
	RequestID string
}

// AuditEntry is one change by an operator.
type AuditEntry struct {
	ID     int64 // grows
	At     Micros
	Actor  Actor
	Action string // object and verb: backend.update, meeting.end
	Object AuditObject
	Before []byte // JSON as the REST API has it, secrets masked; nil when there was nothing
	After  []byte // nil when there is nothing any more
}

// AuditObject is what was changed.
type AuditObject struct {
	Kind string // frontend, backend, meeting, command
	ID   string
	Name string // the key of a frontend, the host of a backend; for people
}

// AuditQuery selects entries. Zero values select all.
type AuditQuery struct {
	Kind     string
	ObjectID string
	Subject  string
	Since    Micros // inclusive
	Until    Micros // exclusive
	BeforeID int64  // older than this entry
	Limit    int    // at most so many; 0: 1000
}
