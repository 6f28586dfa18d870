package b3scale

// CommandAction is what a command does.
type CommandAction string

// EndAllMeetings ends all meetings on one backend.
const EndAllMeetings CommandAction = "end_all_meetings"

// CommandState is how far a command is.
type CommandState string

// The states of commands.
const (
	CommandRequested CommandState = "requested"
	CommandRunning   CommandState = "running"
	CommandSuccess   CommandState = "success"
	CommandError     CommandState = "error"
)

// Command is something to be done once, by whichever instance.
type Command struct {
	ID        string
	Sequence  int64
	State     CommandState
	Action    CommandAction
	Params    []byte // JSON
	Result    []byte // JSON, nil until it is over
	Deadline  Micros
	StartedAt Micros // 0: not yet
	StoppedAt Micros
	CreatedAt Micros
}
