package recordings

import (
	"cmp"
	"slices"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// What a recording may bring along. Every list that it is in carries all of it,
// and much of it is what somebody has told the frontend.
const (
	maxName      = 1000 // characters
	maxEntryName = 255  // bytes of a name in the metadata; the store takes no longer ones
	maxAddress   = 2 << 10
	maxAlt       = 500 // characters
	maxRooms     = 1000
)

// bound leaves out what is too much. A recording is not refused for what is said
// about it: nobody could ever play it then.
func bound(r *b3scale.Recording) {
	r.Name = cut(r.Name, maxName)
	if name, there := r.Metadata["meetingName"]; there {
		r.Metadata["meetingName"] = cut(name, maxName)
	}
	boundMetadata(r.Metadata)
}

// boundMetadata leaves out whole entries, the largest first: half an address or
// half a JSON document is worse than none. What we need to know goes last.
func boundMetadata(metadata map[string]string) {
	type entry struct {
		name   string
		others int // 0: we need it
		size   int
	}
	entries := make([]entry, 0, len(metadata))
	for name, value := range metadata {
		e := entry{name: name, size: len("<></>") + 2*len(name) + len(bbb.EscapeXML(value))}
		if !isNeeded(name) {
			e.others = 1
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.others, b.others), cmp.Compare(a.size, b.size), strings.Compare(a.name, b.name))
	})
	kept, left := 0, b3scale.MaxMetadataBytes
	for _, e := range entries {
		if kept == b3scale.MaxMetadataEntries || e.size > left || len(e.name) > maxEntryName {
			delete(metadata, e.name)
			continue
		}
		kept, left = kept+1, left-e.size
	}
}

// isNeeded knows entries that say whose recording it is, and who may see it.
func isNeeded(name string) bool {
	return nodeAdds(name) || strings.EqualFold(name, metaFrontend) || name == b3scale.MetaProtect || name == b3scale.MetaListed
}

// cut leaves the first characters.
func cut(s string, most int) string {
	for at := range s {
		if most--; most < 0 {
			return s[:at]
		}
	}
	return s
}
