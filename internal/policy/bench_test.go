package policy_test

import (
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/policy"
)

// BenchmarkJoin is what every join pays, with and without a policy.
func BenchmarkJoin(b *testing.B) {
	for name, p := range map[string]b3scale.FrontendSettings{
		"none": {},
		"some": {JoinDefaultParams: b3scale.Params{"avatarURL": "https://example.org/a.png"}, JoinOverrideParams: b3scale.Params{"guest": "true"}, JoinBlockedParams: []string{"logoutURL"}},
	} {
		b.Run(name, func(b *testing.B) {
			f := frontend(p)
			sent := bbb.ParseParams("fullName=Ada+Lovelace&meetingID=room-1234&role=VIEWER&userID=17&redirect=true&createTime=1700000000000")
			for b.Loop() {
				params := sent.Clone()
				policy.Join(f, &params)
			}
		})
	}
}
