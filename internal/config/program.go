package config

import (
	"slices"
	"strings"
)

// program is what differs between the programs that read settings.
type program struct {
	command   string
	vars      []Variable
	sentinel  string   // while it is empty, the env files are read
	envFiles  []string // in this order
	later     []unusedVariable
	elsewhere []string // names that others use
}

// daemon is b3scaled.
func daemon() program {
	return program{
		command:   "b3scaled",
		vars:      Variables(),
		sentinel:  nameDBURL,
		envFiles:  envFiles,
		later:     later,
		elsewhere: elsewhere,
	}
}

// variable finds a setting; the zero Variable when there is none.
func (p program) variable(name string) Variable {
	if i := slices.IndexFunc(p.vars, func(v Variable) bool { return v.Name == name }); i >= 0 {
		return p.vars[i]
	}
	return Variable{}
}

// knownNames lists every name that means something here or will.
func (p program) knownNames() []string {
	var names []string
	for _, v := range p.vars {
		names = append(names, v.Name)
	}
	for _, u := range p.later {
		names = append(names, u.name)
	}
	for _, name := range p.secretNames() {
		names = append(names, name+fileSuffix)
	}
	return names
}

// secretNames lists the variables whose value is never shown.
func (p program) secretNames() []string {
	var names []string
	for _, v := range p.vars {
		if v.Secret {
			names = append(names, v.Name)
		}
	}
	for _, u := range p.later {
		if u.secret {
			names = append(names, u.name)
		}
	}
	return names
}

func (p program) isSecret(name string) bool { return slices.Contains(p.secretNames(), name) }

func (p program) isSecretFile(name string) bool {
	secret, found := strings.CutSuffix(name, fileSuffix)
	return found && p.isSecret(secret)
}
