package adminapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"b3scale"
)

var commandOrders = ordering[Command]{
	"id":         by(func(c Command) string { return c.ID }),
	"seq":        by(func(c Command) int64 { return c.Seq }),
	"state":      by(func(c Command) CommandState { return c.State }),
	"action":     by(func(c Command) string { return c.Action }),
	"deadline":   func(a, b Command) int { return a.Deadline.Compare(b.Deadline) },
	"created_at": func(a, b Command) int { return a.CreatedAt.Compare(b.CreatedAt) },
}

// CommandsList lists commands, the oldest first.
func (s *Server) CommandsList(w http.ResponseWriter, r *http.Request, params CommandsListParams) {
	stored, err := s.Mind.Commands(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	commands := make([]Command, len(stored))
	for i, c := range stored {
		commands[i] = commandOf(c)
	}
	commands, err = page(w, commands, paging{params.Limit, params.Offset, params.Order}, commandOrders)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, commands)
}

// CommandsCreate gives a command. What clients say of its deadline, its id and
// so on does not count.
func (s *Server) CommandsCreate(w http.ResponseWriter, r *http.Request) {
	var asked NewCommand
	if err := request(r, &asked); err != nil {
		s.fail(w, r, err)
		return
	}
	params, err := s.commandParams(r, asked)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	command, err := s.Mind.AddCommand(r.Context(), b3scale.CommandAction(asked.Action), params, s.actor(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.send(w, r, http.StatusAccepted, commandOf(command))
}

// commandParams checks a command and gives its parameters as they are stored.
func (s *Server) commandParams(r *http.Request, asked NewCommand) ([]byte, error) {
	wrong := fieldErrors{}
	switch {
	case asked.Action != string(b3scale.EndAllMeetings):
		wrong.add("action", notAllowed)
	case asked.Params == nil || asked.Params.BackendID == "":
		wrong.add("params.BackendID", isRequired)
	default:
		backends, err := s.Store.Backends(r.Context())
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(backends, func(b b3scale.Backend) bool { return b.ID == asked.Params.BackendID }) {
			wrong.add("params.BackendID", "no such backend")
		}
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return json.Marshal(asked.Params)
}

// CommandsRead shows one command.
func (s *Server) CommandsRead(w http.ResponseWriter, r *http.Request, id CommandID) {
	if !validID(id) {
		s.fail(w, r, unknown("command", id))
		return
	}
	command, err := s.Mind.Command(r.Context(), id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, commandOf(command))
}

func commandOf(c b3scale.Command) Command {
	return Command{
		ID:        c.ID,
		Seq:       c.Sequence,
		State:     CommandState(c.State),
		Action:    string(c.Action),
		Params:    c.Params,
		Result:    c.Result,
		Deadline:  moment(c.Deadline),
		StartedAt: unlessNever(c.StartedAt),
		StoppedAt: unlessNever(c.StoppedAt),
		CreatedAt: moment(c.CreatedAt),
	}
}

func unlessNever(at b3scale.Micros) *time.Time {
	if at == 0 {
		return nil
	}
	t := moment(at)
	return &t
}
