// Package config reads the settings of b3scaled and of b3scaleagent once, at
// start: environment variables, the env files that packages install, and
// secrets from files.
//
// Every setting is a field of Config or Agent. Its tags hold the variable's name, its
// default, its bounds and what it means, so the parser, the complaints and
// b3scaled --help cannot disagree. All problems are reported at once, one line
// each, and no line shows a secret.
package config
