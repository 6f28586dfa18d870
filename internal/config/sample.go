package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Sample is an env file that explains every one of vars and sets none of them
// but those in set. Removing the # before a line changes nothing: it then says
// what counts anyway, or is empty, which counts as unset.
func Sample(vars []Variable, set map[string]string) string {
	var b strings.Builder
	left := maps.Clone(set)
	for _, v := range vars {
		for _, text := range []string{sentence(v.Meaning), sentence(facts(v)), secretFile(v)} {
			for _, line := range wrap(text, helpWidth-2) {
				if line != "" {
					fmt.Fprintf(&b, "# %s\n", line)
				}
			}
		}
		value, used := set[v.Name]
		if used {
			fmt.Fprintf(&b, "%s=%s\n\n", v.Name, value)
		} else {
			fmt.Fprintf(&b, "#%s=%s\n\n", v.Name, v.Default)
		}
		delete(left, v.Name)
	}
	if len(left) > 0 { // a slip of the caller, who would miss them
		panic(fmt.Sprintf("config: a sample sets what is no setting: %v", slices.Sorted(maps.Keys(left))))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func secretFile(v Variable) string {
	if !v.Secret {
		return ""
	}
	return v.Name + fileSuffix + " may name a file that holds it instead."
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
