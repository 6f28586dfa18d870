package config

import (
	"net/url"
	"reflect"
	"strconv"

	"b3scale"
)

const (
	nameAPIURL     = "B3SCALE_API_URL"
	nameToken      = "B3SCALE_API_ACCESS_TOKEN" //nolint:gosec // the name of a variable
	nameTokenAlias = "B3SCALE_ACCESS_TOKEN"     //nolint:gosec // the name of a variable
)

// Agent is everything that operators set for b3scaleagent. The tags are those
// of Config.
type Agent struct {
	APIURL     string         `env:"B3SCALE_API_URL" accepts:"http://… or https://… with a host and nothing behind the path" help:"where the API of b3scaled is, without /api/v1; required"`
	Token      b3scale.Secret `env:"B3SCALE_API_ACCESS_TOKEN" secret:"true" accepts:"a token with the scope b3scale:node" help:"who this node is; required"`
	TokenAlias b3scale.Secret `env:"B3SCALE_ACCESS_TOKEN" secret:"true" accepts:"the same as B3SCALE_API_ACCESS_TOKEN" help:"another name of B3SCALE_API_ACCESS_TOKEN"`
	LoadFactor LoadFactor     `env:"B3SCALE_LOAD_FACTOR" accepts:"a number above 0, such as 0.5 or 2" help:"multiplies the load of this node, a higher one brings fewer meetings; unset: what the server knows stays, at first 1"`

	LogLevel  LogLevel  `env:"B3SCALE_LOG_LEVEL" envDefault:"info" accepts:"trace, debug, info, warn, error, fatal, panic or a number from -1 (trace) to 5 (panic)" help:"the least important messages that are logged"`
	LogFormat LogFormat `env:"B3SCALE_LOG_FORMAT" envDefault:"structured" accepts:"structured, json, text, plain, console" help:"how messages look on standard error: structured and json are JSON, the others text"`

	BBBConfig   string `env:"BBB_CONFIG" envDefault:"/etc/bigbluebutton/bbb-web.properties" accepts:"a file of properties" help:"what the operator of this node set for BigBlueButton"`
	BBBDefaults string `env:"BBB_CONFIG_DEFAULTS" envDefault:"/usr/share/bbb-web/WEB-INF/classes/bigbluebutton.properties" accepts:"a file of properties" help:"what BigBlueButton uses where BBB_CONFIG sets nothing; it need not be there"`

	EnvFiles []string // files that were read because B3SCALE_API_URL was empty, for the start-up log
}

// LoadFactor multiplies the load of a node; 0 when it is not set.
type LoadFactor float64

func parseLoadFactor(text string) (LoadFactor, error) {
	factor, err := strconv.ParseFloat(text, 64)
	if err != nil || !(factor > 0) || factor > 1e6 {
		return 0, errValue
	}
	return LoadFactor(factor), nil
}

// agentFiles are read in this order. The third is where the unit of the
// existing product looks for the token.
var agentFiles = []string{
	"./.env", "/etc/default/b3scale", "/etc/sysconfig/b3scale",
	"/var/lib/b3scaleagent/jwt", "/etc/default/b3scaleagent", "/etc/sysconfig/b3scaleagent",
}

// AgentVariables lists the settings of b3scaleagent in the order of Agent's
// fields.
func AgentVariables() []Variable { return variables(reflect.TypeFor[Agent]()) }

// DescribeAgent is the part of b3scaleagent --help that explains every variable.
func DescribeAgent() string { return agent().describe() }

// agent is b3scaleagent. The daemon's settings may stand in the same files.
func agent() program {
	others := daemon()
	return program{
		command:   "b3scaleagent",
		vars:      AgentVariables(),
		sentinel:  nameAPIURL,
		envFiles:  agentFiles,
		elsewhere: append(others.knownNames(), others.elsewhere...),
	}
}

// LoadAgent is Load for b3scaleagent.
func LoadAgent(environ []string, opts Options) (Agent, []string, error) {
	l := load(agent(), environ, opts)
	var cfg Agent
	l.parse(&cfg)
	l.checkAgent(&cfg)
	if len(l.problems) > 0 {
		return Agent{EnvFiles: l.files}, l.warnings, &Error{lines: l.problems}
	}
	cfg.EnvFiles = l.files
	return cfg, l.warnings, nil
}

func (l *loader) checkAgent(cfg *Agent) {
	if !isAPIURL(cfg.APIURL) {
		l.problem(nameAPIURL, "accepted: %s", l.variable(nameAPIURL).Accepts)
	}
	switch {
	case l.refused[nameToken] || l.refused[nameTokenAlias]:
	case cfg.Token == "" && cfg.TokenAlias == "":
		l.problem(nameToken, "it is not set; accepted: %s", l.variable(nameToken).Accepts)
	case cfg.Token == "":
		cfg.Token = cfg.TokenAlias
	case cfg.TokenAlias != "" && cfg.TokenAlias != cfg.Token:
		l.problem(nameTokenAlias, "it differs from %s; accepted: one of the two", nameToken)
	}
}

func isAPIURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}
