package discovery

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Desired is which servers there should be, from all sources together.
type Desired struct {
	Servers  []Server            // by id, no two of which differ by case alone
	Groups   map[string][]string // group id → ids of declared servers, sorted
	Missing  map[string][]string // group id → members that nobody declares, sorted
	Problems []Problem           // by id
}

// precedence is the order in which origins are asked.
var precedence = []Origin{Environment, File, Label}

// Merge unites the newest lists of all sources. Where several declare one id,
// the first origin has it; the others' declarations become Problems.
func Merge(lists ...List) Desired {
	lists = slices.Clone(lists)
	slices.SortStableFunc(lists, func(a, b List) int {
		return slices.Index(precedence, a.Origin) - slices.Index(precedence, b.Origin)
	})
	servers, problems := mergeServers(lists)
	groups, missing := mergeGroups(lists, servers)
	d := Desired{Groups: groups, Missing: missing, Problems: problems}
	for _, s := range servers {
		d.Servers = append(d.Servers, s)
	}
	slices.SortFunc(d.Servers, func(a, b Server) int { return strings.Compare(a.ID, b.ID) })
	slices.SortStableFunc(d.Problems, func(a, b Problem) int { return strings.Compare(a.ID, b.ID) })
	return d
}

// mergeServers returns the declarations that hold, by id in lower case.
func mergeServers(lists []List) (map[string]Server, []Problem) {
	servers := map[string]Server{}
	var problems []Problem
	for _, list := range lists {
		problems = append(problems, list.Problems...)
		for _, s := range list.Servers {
			holder, taken := servers[strings.ToLower(s.ID)]
			if !taken {
				servers[strings.ToLower(s.ID)] = s
				continue
			}
			reason := fmt.Sprintf("the id %q is taken by %s; choose another", s.ID, holder.Where)
			if s.ID != holder.ID {
				reason = fmt.Sprintf("the id %q differs from %q of %s by case alone; choose another", s.ID, holder.ID, holder.Where)
			}
			problems = append(problems, Problem{ID: s.ID, State: "conflict", Origin: s.Origin, Where: s.Where, Reason: reason, Container: s.Container})
		}
	}
	return servers, problems
}

// mergeGroups unites the groups of all lists. Groups that differ by case alone
// are one, under the name that came first: nobody means two.
func mergeGroups(lists []List, servers map[string]Server) (groups, missing map[string][]string) {
	groups, missing = map[string][]string{}, map[string][]string{}
	names := map[string]string{}
	for _, list := range lists {
		for _, group := range slices.Sorted(maps.Keys(list.Groups)) {
			present, absent := members(list, group, servers)
			name, known := names[strings.ToLower(group)]
			switch {
			case !known && list.Origin == Label && len(present) == 0:
				continue // a group by label lives while a declared server names it
			case !known:
				name = group
				names[strings.ToLower(group)] = name
			}
			groups[name] = union(groups[name], present)
			if absent = union(missing[name], absent); len(absent) > 0 {
				missing[name] = absent
			}
		}
	}
	return groups, missing
}

// members splits the members of a list's group into declared servers and others.
// A label speaks for its own container alone: if that lost its id to another
// declaration, the label does not put the winner into a group.
func members(list List, group string, servers map[string]Server) (present, absent []string) {
	for _, id := range list.Groups[group] {
		s, declared := servers[strings.ToLower(id)]
		declared = declared && s.ID == id
		switch {
		case list.Origin == Label && (!declared || s.Origin != Label):
		case declared:
			present = append(present, id)
		default:
			absent = append(absent, id)
		}
	}
	return present, absent
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
