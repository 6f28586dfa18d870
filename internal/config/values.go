package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"b3scale"
)

// LogLevel is a slog.Leveler with the names and numbers that operators of the
// field know.
type LogLevel slog.Level

// logLevels have the numbers from -1 on, and slog's distances.
var logLevels = [...]string{"trace", "debug", "info", "warn", "error", "fatal", "panic"}

const levelDistance = slog.LevelInfo - slog.LevelDebug

// String is the name of the level, for logs and operators.
func (l LogLevel) String() string {
	if i := (slog.Level(l) - LevelTrace) / levelDistance; i >= 0 && int(i) < len(logLevels) {
		return logLevels[i]
	}
	return slog.Level(l).String()
}

// Level gives it to slog.
func (l LogLevel) Level() slog.Level { return slog.Level(l) }

// The levels that slog has no name for.
const (
	LevelTrace = slog.LevelDebug - 4
	LevelFatal = slog.LevelError + 4
	LevelPanic = slog.LevelError + 8
)

// LogFormat is how log lines look.
type LogFormat string

// The log formats.
const (
	LogJSON LogFormat = "json"
	LogText LogFormat = "text"
)

// AccessLog says which requests have a line in the log.
type AccessLog string

// The access logs.
const (
	AccessOff    AccessLog = "off"
	AccessErrors AccessLog = "errors"
	AccessAll    AccessLog = "all"
)

// Unsupported switches what there is not: it only warns.
type Unsupported bool

// Bytes is a size.
type Bytes int64

// errValue says that a value is not what accepts promises; there is nothing
// more to tell.
var errValue = errors.New("")

// parsers gives the parser of each field type. Types that are missing here
// (string) are taken as they are.
func parsers() map[reflect.Type]env.ParserFunc {
	m := make(map[reflect.Type]env.ParserFunc)
	register(m, parseStoreURL)
	register(m, parseListenURL)
	register(m, parseBool)
	register(m, parseInt)
	register(m, parseDuration)
	register(m, parseBytes)
	register(m, parseLoadFactor)
	register(m, ParseLogLevel)
	register(m, parseLogFormat)
	register(m, parseUnsupported)
	register(m, parseAccessLog)
	register(m, parseNetworks)
	register(m, parseResources)
	register(m, parseInboxVisibility)
	register(m, parseCookieOpens)
	register(m, parsePlayerPaths)
	register(m, b3scale.ParseCallbackAllow)
	return m
}

func register[T any](m map[reflect.Type]env.ParserFunc, parse func(string) (T, error)) {
	m[reflect.TypeFor[T]()] = func(text string) (any, error) { return parse(text) }
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "true", "1":
		return true, nil
	case "no", "false", "0":
		return false, nil
	}
	return false, errValue
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, errValue
	}
	return n, nil
}

// parseDuration takes Go's notation and, as ever, whole seconds.
func parseDuration(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		if seconds < 0 || seconds > math.MaxInt64/int64(time.Second) {
			return 0, errValue
		}
		return time.Duration(seconds) * time.Second, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errValue
	}
	return d, nil
}

func parseBytes(text string) (Bytes, error) {
	unit := int64(1)
	digits := strings.TrimRight(text, "kKmM")
	switch strings.ToUpper(text[len(digits):]) {
	case "":
	case "K":
		unit = 1 << 10
	case "M":
		unit = 1 << 20
	default:
		return 0, errValue
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, errValue
	}
	return Bytes(n * unit), nil
}

// ParseLogLevel takes the name of a level in any case, or its number.
func ParseLogLevel(text string) (LogLevel, error) {
	for i, name := range logLevels {
		if strings.EqualFold(text, name) || text == strconv.Itoa(i-1) {
			return LogLevel(LevelTrace + slog.Level(i)*levelDistance), nil
		}
	}
	return 0, errValue
}

var logFormats = map[string]LogFormat{"structured": LogJSON, "json": LogJSON, "text": LogText, "plain": LogText, "console": LogText}

// parseLogFormat refuses no value: there are installations whose settings say
// anything but structured and mean text. They are warned.
func parseLogFormat(text string) (LogFormat, error) {
	if format, known := logFormats[strings.ToLower(text)]; known {
		return format, nil
	}
	return LogText, nil
}

// parseUnsupported takes anything that is not true for false, as ever.
func parseUnsupported(text string) (Unsupported, error) {
	on, err := parseBool(text)
	return Unsupported(on && err == nil), nil
}

func parseAccessLog(text string) (AccessLog, error) {
	switch access := AccessLog(strings.ToLower(text)); access {
	case AccessOff, AccessErrors, AccessAll:
		return access, nil
	}
	return "", errValue
}

// parseNetworks takes networks and single addresses.
func parseNetworks(text string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for one := range list(text) {
		network, err := netip.ParsePrefix(one)
		if err != nil {
			addr, err := netip.ParseAddr(one)
			if err != nil || addr.Zone() != "" {
				return nil, fmt.Errorf("%q is neither a network nor an address", one)
			}
			addr = addr.Unmap()
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		if network.Addr().Is4In6() {
			return nil, fmt.Errorf("%q: write it as an IPv4 network", one)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

// resources are the calls that the gateway answers or passes on by itself. An
// extra resource of that name would get round what it does for them.
var resources = []string{
	"create", "join", "end", "isMeetingRunning", "getMeetingInfo", "getMeetings",
	"insertDocument", "sendChatMessage", "getDefaultConfigXML", "setConfigXML",
	"getRecordings", "publishRecordings", "deleteRecordings", "updateRecordings",
	"getRecordingTextTracks", "putRecordingTextTrack",
}

var resourceName = regexp.MustCompile(`^[A-Za-z]+$`)

func parseResources(text string) ([]string, error) {
	var names []string
	for name := range list(text) {
		if !resourceName.MatchString(name) {
			return nil, fmt.Errorf("%q is not such a name", name)
		}
		if slices.ContainsFunc(resources, func(known string) bool { return strings.EqualFold(known, name) }) {
			return nil, fmt.Errorf("%q is served anyway", name)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// list yields the entries of a comma list. Empty ones are left out.
func list(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for one := range strings.SplitSeq(text, ",") {
			if one = strings.TrimSpace(one); one != "" && !yield(one) {
				return
			}
		}
	}
}
