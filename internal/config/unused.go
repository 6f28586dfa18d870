package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// unusedVariable is known but has no effect in this version.
type unusedVariable struct {
	name   string
	why    string
	secret bool
}

// later are settings of features that are still to come. Somebody who sets one
// expects something of it and must hear that it does not happen.
var later = []unusedVariable{
	{"B3SCALE_CMD_WORKER_POOL_SIZE", "does not use it: it has no worker pool", false},
}

// elsewhere are settings of other programs that often share an env file.
var elsewhere = []string{
	"B3SCALE_ACCESS_TOKEN", "B3SCALE_ACCESS_TOKEN_FILE",
	"B3SCALE_API_ACCESS_TOKEN", "B3SCALE_API_ACCESS_TOKEN_FILE",
	"B3SCALE_LOAD_FACTOR",
	"B3SCALE_TEST_DB_URL", "B3SCALE_TEST_LOG_DIR",
}

// serviceLink matches what Kubernetes and Docker put into every container when
// a service is called b3scale: B3SCALE_SERVICE_HOST, B3SCALE_PORT_80_TCP_ADDR
// and B3SCALE_PORT=tcp://….
var serviceLink = regexp.MustCompile(`^B3SCALE_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?=|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?=|PORT=\w+://)`)

// warnOfUnused warns of every variable that is set in vain.
func (l *loader) warnOfUnused() {
	known := l.knownNames()
	for _, name := range slices.Sorted(maps.Keys(l.values)) {
		if slices.Contains(l.elsewhere, name) || serviceLink.MatchString(name+"="+l.values[name].text) || !variableName.MatchString(name) {
			continue
		}
		if i := slices.IndexFunc(l.later, func(u unusedVariable) bool {
			return u.name == name || u.secret && u.name+fileSuffix == name
		}); i >= 0 {
			l.warn("%s is set, but this version %s", name, l.later[i].why)
			continue
		}
		if slices.Contains(known, name) {
			continue
		}
		if near := nearest(name, known); near != "" {
			l.warn("%s is not a setting; did you mean %s?", name, near)
		} else {
			l.warn("%s is not a setting; %s --help lists all of them", name, l.command)
		}
	}
}

// nearest finds the known name that was probably meant, or "".
func nearest(name string, known []string) string {
	name = strings.TrimPrefix(name, prefix)
	best, fewest := "", 4 // more than three slips are another word
	for _, candidate := range known {
		short := strings.TrimPrefix(candidate, prefix)
		slips := distance(name, short)
		if strings.HasPrefix(short, name+"_") || strings.HasSuffix(short, "_"+name) {
			slips = min(slips, 2) // a word was left out
		}
		if slips < fewest && slips*2 < len(name) {
			best, fewest = candidate, slips
		}
	}
	return best
}

// distance is the Levenshtein distance: how many letters to insert, delete or
// replace to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
