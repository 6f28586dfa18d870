package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// rules rewrite the parameters of one call. Each member is stronger than those
// below it; what the client sent stands between caps and defaults.
type rules struct {
	blocked   []string
	overrides b3scale.Params
	caps      b3scale.Caps
	defaults  b3scale.Params
}

func (r rules) apply(params *bbb.Params) {
	params.DeleteFunc(isOurs)
	if len(r.blocked) > 0 {
		params.DeleteFunc(r.blocks)
	}
	for _, name := range settable(r, r.overrides) {
		set(params, name, r.overrides[name])
	}
	for _, name := range settable(r, r.defaults) {
		sent, found := find(params, name)
		switch {
		case name == disabledFeatures:
			if all := merged(sent, r.defaults[name]); all != "" || found {
				set(params, name, all)
			}
		case !found:
			params.Add(name, r.defaults[name])
		}
	}
	r.keepDisabled(params)
	for _, name := range settable(r, r.caps) {
		if most := r.caps[name]; most > 0 && r.overrides[name] == "" {
			limit(params, name, most)
		}
	}
}

// isOurs tells metadata that only we may set.
func isOurs(name string) bool { return strings.HasPrefix(bbb.CanonicalName(name), "meta_b3s-") }

// isFixed tells what no rule may touch.
func isFixed(name string) bool {
	return name == "" || name == "meetingID" || name == "checksum" || isOurs(name)
}

func (r rules) blocks(name string) bool {
	return !isFixed(name) && slices.ContainsFunc(r.blocked, func(blocked string) bool { return same(blocked, name) })
}

// settable are the names in one of the maps that it may set, always in the
// same order.
func settable[V comparable](r rules, values map[string]V) []string {
	var names []string
	var unset V
	for name, value := range values {
		if value != unset && !isFixed(name) && !r.blocks(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func same(a, b string) bool { return bbb.CanonicalName(a) == bbb.CanonicalName(b) }

// find returns the first value of a parameter in any spelling.
func find(params *bbb.Params, name string) (string, bool) {
	for found, value := range params.All() {
		if same(found, name) {
			return value, true
		}
	}
	return "", false
}

// set gives a parameter one value, and no other spelling remains.
func set(params *bbb.Params, name, value string) {
	params.DeleteFunc(func(found string) bool { return found != name && same(found, name) })
	params.Set(name, value)
}

// limit brings a parameter down to most where it is above, and never up: where
// nodes have a default of their own, that counts when nobody sent a number.
// Nodes do not all trim numbers, so those are written plainly.
func limit(params *bbb.Params, name string, most int) {
	sent, found := find(params, name)
	n, err := strconv.ParseInt(bbb.Clean(sent), 10, 32)
	switch {
	case err == nil && n >= 1 && n <= int64(most), err == nil && n == 0 && !bbb.UnlimitedWhenZero(name):
		set(params, name, strconv.FormatInt(n, 10))
	case bbb.UnlimitedWhenAbsent(name), err == nil && n >= 0, errors.Is(err, strconv.ErrRange) && n > 0:
		set(params, name, strconv.Itoa(most))
	case found: // what is no amount
		params.DeleteFunc(func(found string) bool { return same(found, name) })
	}
}

// disabledFeatures is a list to which its default is added, disabledFeaturesExclude
// one of what nodes take out of it again.
const (
	disabledFeatures        = "disabledFeatures"
	disabledFeaturesExclude = "disabledFeaturesExclude"
)

// keepDisabled takes out of disabledFeaturesExclude what an override or default
// disables, or everybody could enable it again. An override of that list itself
// is an operator's own decision.
func (r rules) keepDisabled(params *bbb.Params) {
	sent, found := params.Lookup(disabledFeaturesExclude)
	if !found || r.overrides[disabledFeaturesExclude] != "" || r.blocks(disabledFeatures) {
		return
	}
	disabled := items(r.overrides[disabledFeatures], r.defaults[disabledFeatures])
	excluded := slices.DeleteFunc(items(sent), func(item string) bool { return slices.Contains(disabled, item) })
	switch {
	case len(disabled) == 0:
	case len(excluded) == 0:
		params.Delete(disabledFeaturesExclude)
	case len(excluded) < len(items(sent)) || params.Count(disabledFeaturesExclude) > 1:
		params.Set(disabledFeaturesExclude, strings.Join(excluded, ","))
	}
}

// merged joins lists.
func merged(lists ...string) string { return strings.Join(items(lists...), ",") }

// items are those of lists, without what is empty or there already.
func items(lists ...string) []string {
	var all []string
	known := map[string]bool{"": true}
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if item = strings.TrimSpace(bbb.Clean(item)); !known[item] {
				known[item] = true
				all = append(all, item)
			}
		}
	}
	return all
}
