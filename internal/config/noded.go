package config

import "reflect"

// Noded is everything that operators set for b3scalenoded. The tags are those
// of Config.
type Noded struct {
	Store      StoreURL   `env:"B3SCALE_DB_URL" secret:"true" accepts:"for PostgreSQL a URL (postgres://USER:PASSWORD@HOST/NAME) or a DSN (host=HOST user=USER dbname=NAME)" help:"the database of b3scaled; required"`
	ListenURL  ListenURL  `env:"B3SCALE_DB_LISTEN_URL" secret:"true" accepts:"a PostgreSQL URL or DSN, or off" help:"the same database without a pooler between, as for b3scaled"`
	LoadFactor LoadFactor `env:"B3SCALE_LOAD_FACTOR" accepts:"a number above 0, such as 0.5 or 2" help:"multiplies the load of this node, a higher one brings fewer meetings; unset: what the database has stays, at first 1"`

	LogLevel  LogLevel  `env:"B3SCALE_LOG_LEVEL" envDefault:"info" accepts:"trace, debug, info, warn, error, fatal, panic or a number from -1 (trace) to 5 (panic)" help:"the least important messages that are logged"`
	LogFormat LogFormat `env:"B3SCALE_LOG_FORMAT" envDefault:"structured" accepts:"structured, json, text, plain, console" help:"how messages look on standard error: structured and json are JSON, the others text"`

	BBBConfig   string `env:"BBB_CONFIG" envDefault:"/etc/bigbluebutton/bbb-web.properties" accepts:"a file of properties" help:"what the operator of this node set for BigBlueButton"`
	BBBDefaults string `env:"BBB_CONFIG_DEFAULTS" envDefault:"/usr/share/bbb-web/WEB-INF/classes/bigbluebutton.properties" accepts:"a file of properties" help:"what BigBlueButton uses where BBB_CONFIG sets nothing; it need not be there"`

	EnvFiles []string // files that were read because B3SCALE_DB_URL was empty, for the start-up log
}

// nodedFiles are read in this order. The last is where the unit of the existing
// product looks.
var nodedFiles = []string{"./.env", "/etc/default/b3scale", "/etc/sysconfig/b3scale", "/etc/default/b3scalenoded", "/etc/sysconfig/b3scalenoded"}

// NodedVariables lists the settings of b3scalenoded in the order of Noded's
// fields.
func NodedVariables() []Variable { return variables(reflect.TypeFor[Noded]()) }

// DescribeNoded is the part of b3scalenoded --help that explains every variable.
func DescribeNoded() string { return noded().describe() }

// noded is b3scalenoded. The settings of the other programs may stand in the
// same files.
func noded() program {
	others := daemon()
	return program{
		command:   "b3scalenoded",
		vars:      NodedVariables(),
		sentinel:  nameDBURL,
		envFiles:  nodedFiles,
		elsewhere: append(append(others.knownNames(), others.elsewhere...), agent().knownNames()...),
	}
}

// LoadNoded is Load for b3scalenoded.
func LoadNoded(environ []string, opts Options) (Noded, []string, error) {
	l := load(noded(), environ, opts)
	var cfg Noded
	l.parse(&cfg)
	switch {
	case !l.isSet(nameDBURL) && !l.refused[nameDBURL]:
		l.problem(nameDBURL, "it is not set; accepted: %s", l.variable(nameDBURL).Accepts)
	case cfg.Store.Kind == SQLite:
		l.problem(nameDBURL, "an SQLite file belongs to one b3scaled alone: use b3scaleagent with it; accepted: %s", l.variable(nameDBURL).Accepts)
	}
	if len(l.problems) > 0 {
		return Noded{EnvFiles: l.files}, l.warnings, &Error{lines: l.problems}
	}
	cfg.EnvFiles = l.files
	return cfg, l.warnings, nil
}
