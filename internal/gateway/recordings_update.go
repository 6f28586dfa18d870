package gateway

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"b3scale"
	"b3scale/bbb"
)

// recordingUpdate is what updateRecordings changes: new values by name in lower
// case. Empty ones remove the entry.
type recordingUpdate map[string]string

// maxMetadataName is how long names may be that are new.
const maxMetadataName = 128

// metadataNames are those that become elements in lists of any version.
var metadataNames = regexp.MustCompile(`^[a-z_][a-z0-9_.-]*$`)

// askedUpdate reads the new values. Of a name that comes again the first value
// counts, as for nodes.
func askedUpdate(req *request) (recordingUpdate, *bbb.Failure) {
	update := recordingUpdate{}
	for name, value := range req.Params.All() {
		key, isMeta := strings.CutPrefix(bbb.CanonicalName(name), "meta_")
		if !isMeta {
			if key = name; key != b3scale.MetaProtect {
				continue
			}
		}
		switch {
		case isReserved(key):
			continue // clients that send all that they have read mean no harm
		case !metadataNames.MatchString(key):
			return nil, invalidUpdate("The name of the parameter meta_%s is not possible: it must be a letter or _, followed by letters, digits and the characters _ . -", short(key))
		case len(key) > maxMetadataName:
			return nil, invalidUpdate("The name of the parameter meta_%s is longer than %d characters", short(key), maxMetadataName)
		case !utf8.ValidString(value):
			return nil, invalidUpdate("The value of %s is no text in UTF-8", key)
		}
		if _, again := update[key]; again {
			continue
		}
		value = bbb.DropControls(value)
		if key == b3scale.MetaProtect {
			switch value = strings.ToLower(bbb.Clean(value)); value {
			case "", "true", "false":
			default: // what does not protect must not look as if it did
				return nil, invalidUpdate("The value of protect must be true or false")
			}
		}
		update[key] = value
	}
	return update, nil
}

// isReserved tells of metadata that say whose recording it is and of which
// meeting. They stay as they are.
func isReserved(lower string) bool {
	switch lower {
	case "meetingid", "meetingname", "isbreakout":
		return true
	}
	return strings.HasPrefix(lower, "b3s-")
}

// apply changes one recording. An entry keeps the spelling that it has, so that
// there are never two of them.
func (u recordingUpdate) apply(r *b3scale.Recording) error {
	spelled := make(map[string]string, len(r.Metadata))
	for name := range r.Metadata {
		spelled[strings.ToLower(name)] = name
	}
	before := sizeOf(r.Metadata)
	if r.Metadata == nil {
		r.Metadata = make(map[string]string, len(u))
	}
	for lower, value := range u {
		name, there := spelled[lower]
		if !there {
			name = lower
		}
		if value == "" {
			delete(r.Metadata, name)
		} else {
			r.Metadata[name] = value
		}
	}
	after := sizeOf(r.Metadata)
	switch { // what is too large already may get smaller
	case len(r.Metadata) > max(b3scale.MaxMetadataEntries, len(spelled)):
		return invalidUpdate("A recording can have %d entries of metadata", b3scale.MaxMetadataEntries)
	case after > max(b3scale.MaxMetadataBytes, before):
		return invalidUpdate("The metadata of a recording can have %d bytes, as they are in lists", b3scale.MaxMetadataBytes)
	}
	return nil
}

// sizeOf is what metadata take up in lists.
func sizeOf(metadata map[string]string) (n int) {
	for name, value := range metadata {
		n += len("<></>") + 2*len(name) + len(escaped(value))
	}
	return n
}

func invalidUpdate(format string, args ...any) *bbb.Failure {
	return &bbb.Failure{Key: "validationError", Message: fmt.Sprintf(format, args...)}
}

func short(s string) string { return strings.ToValidUTF8(s[:min(len(s), 50)], "") }
