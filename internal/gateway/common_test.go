package gateway_test

import (
	"slices"

	"b3scale/bbb/bbbtest"
	"b3scale/internal/gateway"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

func extraResources(names ...string) gateway.Options { return gateway.Options{ExtraResources: names} }

func guest() bbbtest.Attendee {
	return bbbtest.Attendee{UserID: "ada", FullName: person, Role: bbbtest.Moderator}
}
