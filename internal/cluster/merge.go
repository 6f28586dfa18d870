package cluster

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"b3scale"
)

// slack is how much older than a list an event may be and still count as newer:
// nodes hear their own events no sooner than agents do.
const slack = time.Second

// mergeList makes who is there of who was known and whom a list shows that was
// begun at the given time. What events told since then stays.
func mergeList(known []b3scale.Attendee, shown [][]byte, begun b3scale.Micros) []b3scale.Attendee {
	for i := range known {
		if known[i].Boot == "" && known[i].SeenAt > begun {
			return known // a later list was faster
		}
	}
	merged := make([]b3scale.Attendee, 0, len(shown))
	fresh := func(a *b3scale.Attendee) bool { return a.SeenAt > begun.Add(-slack) }
	told := slices.DeleteFunc(slices.Clone(known), func(a b3scale.Attendee) bool { return a.Boot == "" })
	taken := matches(told, shown, fresh)
	listed := make([]bool, len(told))
	n := 0
	for i, xml := range shown {
		k := taken[i]
		switch {
		case k < 0: // nobody told of this person
			merged = append(merged, b3scale.Attendee{InternalUserID: listedPrefix + strconv.Itoa(n), SeenAt: begun, XML: xml})
			n++
			continue
		case told[k].Gone(): // since the list was begun
		default:
			a := told[k]
			if !fresh(&a) {
				a.XML = xml
			}
			merged = append(merged, a)
		}
		listed[k] = !told[k].Gone()
	}
	for k, a := range told {
		if !listed[k] && (a.Gone() || fresh(&a)) {
			merged = append(merged, a)
		}
	}
	return merged
}

// matches finds who of the told is shown in which place; -1: nobody.
func matches(told []b3scale.Attendee, shown [][]byte, fresh func(*b3scale.Attendee) bool) []int {
	found := make([]int, len(shown))
	for i := range found {
		found[i] = -1
	}
	if len(told) == 0 {
		return found
	}
	names := make([]identity, len(shown))
	for i, xml := range shown {
		names[i], _ = readPerson(xml)
	}
	free := map[string][]int{} // told ones by a key, those who are there first
	add := func(key string, k int) { free[key] = append(free[key], k) }
	order := make([]int, len(told))
	for k := range order {
		order[k] = k
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(goneFirst(&told[a]), goneFirst(&told[b])) })
	for _, k := range order {
		a := &told[k]
		switch {
		case a.Gone() && !fresh(a):
		case a.Gone():
			add("id\x00"+a.InternalUserID, k)
			add("who\x00"+a.Who(), k)
		default:
			add("id\x00"+a.InternalUserID, k)
			i, _ := readPerson(a.XML)
			add("who\x00"+i.who(), k)
			add("user\x00"+i.userID, k)
		}
	}
	used := make([]bool, len(told))
	take := func(key string, i int) {
		if found[i] >= 0 {
			return
		}
		same := free[key]
		for len(same) > 0 && used[same[0]] {
			same = same[1:]
		}
		free[key] = same
		if len(same) > 0 {
			found[i], used[same[0]] = same[0], true
		}
	}
	for i, v := range names {
		if v.internalID != "" {
			take("id\x00"+v.internalID, i)
		}
		take("id\x00"+v.userID, i) // people who phone
	}
	for i, v := range names {
		take("who\x00"+v.who(), i)
	}
	for i, v := range names {
		if v.userID != "" {
			take("user\x00"+v.userID, i)
		}
	}
	return found
}

func goneFirst(a *b3scale.Attendee) int {
	if a.Gone() {
		return 1
	}
	return 0
}

// delay is how long after a list that shows somebody the store may still be told
// of the arrival.
const delay = 5 * time.Second

// mergeRows makes who is there of who was known here and what is stored, which
// others may have written. What was heard here and is not stored yet stays, and
// so does what is newer.
//
// dropped are ids of rows that a list has made for people of whom the store had
// not been told yet.
func mergeRows(known, stored []b3scale.Attendee, unsaved func(id string) bool) (merged []b3scale.Attendee, dropped []string) {
	here := make(map[string]*b3scale.Attendee, len(known))
	for i := range known {
		here[known[i].InternalUserID] = &known[i]
	}
	var listed []b3scale.Attendee
	merged = make([]b3scale.Attendee, 0, len(stored))
	for _, row := range stored {
		k := here[row.InternalUserID]
		delete(here, row.InternalUserID)
		switch {
		case row.Boot == "":
			listed = append(listed, row)
		case k != nil && newer(k, &row):
			merged = append(merged, *k)
		default:
			merged = append(merged, row)
		}
	}
	for _, k := range known { // in their order
		if here[k.InternalUserID] != nil && k.Boot != "" && unsaved(k.InternalUserID) {
			merged = append(merged, k)
		}
	}
	if len(merged) == 0 {
		return listed, dropped
	}
	late := map[string][]b3scale.Micros{} // until when a list may be mistaken about somebody
	if len(listed) > 0 {
		for i := range merged {
			if merged[i].Gone() {
				late[merged[i].Who()] = append(late[merged[i].Who()], merged[i].SeenAt.Add(slack))
			} else {
				who := traitsOf(merged[i].XML).Who
				late[who] = append(late[who], merged[i].SeenAt.Add(delay))
			}
		}
	}
	for _, row := range listed {
		who := traitsOf(row.XML).Who
		same := late[who]
		k := slices.IndexFunc(same, func(at b3scale.Micros) bool { return at > row.SeenAt })
		if k < 0 {
			merged = append(merged, row)
			continue
		}
		late[who] = slices.Delete(same, k, k+1)
		dropped = append(dropped, row.InternalUserID)
	}
	return merged, dropped
}

func newer(a, than *b3scale.Attendee) bool {
	if a.Boot == than.Boot {
		return a.Sequence > than.Sequence
	}
	return a.SeenAt > than.SeenAt
}
