package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// parseSettings reads what --opts says.
func parseSettings(opts string) (json.RawMessage, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(opts), &object); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("--opts is no JSON, at character %d: %w", syntax.Offset, err)
		}
		return nil, errors.New(`--opts: want a JSON object such as {"tags":["large"]}`)
	}
	if object == nil {
		return nil, errors.New(`--opts: want a JSON object such as {"tags":["large"]}`)
	}
	return json.RawMessage(opts), nil
}

// wouldChange guesses whether the server, when it merges opts into settings,
// would have something to do. It is true where we cannot know.
func wouldChange(settings, opts json.RawMessage) bool {
	return differs(decoded(settings), decoded(opts))
}

func differs(current, wanted any) bool {
	object, isObject := wanted.(map[string]any)
	if !isObject {
		return (!isUnset(current) || !isUnset(wanted)) && !reflect.DeepEqual(current, wanted)
	}
	members, _ := current.(map[string]any)
	if members == nil {
		return true // an object in the place of nothing is one with all its zeros
	}
	for name, value := range object {
		if differs(members[name], value) {
			return true
		}
	}
	return false
}

// isUnset reports whether a value is stored as if it were not there. An empty
// list is not: it stands in the way of the default of the installation.
func isUnset(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func decoded(text json.RawMessage) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	_ = decoder.Decode(&value) // both are JSON already; nothing differs from all else
	return value
}

// same reports whether two JSON texts say the same.
func same(a, b json.RawMessage) bool { return reflect.DeepEqual(decoded(a), decoded(b)) }

// unknownSettings names the members of opts that the server has no setting for.
func unknownSettings(settings, opts json.RawMessage) []string {
	known, _ := decoded(settings).(map[string]any)
	wanted, _ := decoded(opts).(map[string]any)
	var unknown []string
	for name := range wanted {
		found := false
		for is := range known {
			found = found || strings.EqualFold(is, name)
		}
		if !found {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}
