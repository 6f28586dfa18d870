package storetest

import (
	"testing"

	"b3scale"
)

func testSecretUses(t *testing.T, open opener) {
	type uses = map[b3scale.SecretSlot]b3scale.Micros
	run(t, open, "only get later", func(f *fixture) {
		one, two, fe := b3scale.SecretSlot{OwnerID: f.a}, b3scale.SecretSlot{OwnerID: f.a, Secondary: true}, b3scale.SecretSlot{OwnerID: f.frontend}
		save := func(saved, want uses) {
			f.Helper()
			f.must(f.store.SaveSecretUses(f.Context(), saved))
			f.same("uses", f.secretUses(), want)
		}
		save(nil, uses{})
		save(uses{one: 10, two: 20}, uses{one: 10, two: 20})
		save(uses{one: 9, two: 21, fe: 5, {OwnerID: "unknown"}: 7}, uses{one: 10, two: 21, fe: 5})
		save(uses{one: 10}, uses{one: 10, two: 21, fe: 5})
	})

	run(t, open, "of many instances leave the latest", func(f *fixture) {
		one, two := b3scale.SecretSlot{OwnerID: f.a}, b3scale.SecretSlot{OwnerID: f.b, Secondary: true}
		parallel(16, func(i int) {
			if err := f.store.SaveSecretUses(f.Context(), uses{one: b3scale.Micros(i + 1), two: b3scale.Micros(16 - i)}); err != nil {
				f.Error(err)
			}
		})
		f.same("uses", f.secretUses(), uses{one: 16, two: 16})
	})
}

func (f *fixture) secretUses() map[b3scale.SecretSlot]b3scale.Micros {
	f.Helper()
	uses, err := f.store.SecretUses(f.Context())
	f.must(err)
	return uses
}
