package discovery

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// declare makes a list out of "a b c; group=a,b".
func declare(origin Origin, text string) List {
	servers, groups, _ := strings.Cut(text, ";")
	list := List{Origin: origin, Groups: map[string][]string{}}
	for id := range strings.FieldsSeq(servers) {
		list.Servers = append(list.Servers, Server{ID: id, Origin: origin, Where: "the " + string(origin)})
	}
	for group := range strings.FieldsSeq(groups) {
		name, members, _ := strings.Cut(group, "=")
		list.Groups[name] = strings.FieldsFunc(members, func(c rune) bool { return c == ',' })
	}
	return list
}

func summary(d Desired) string {
	var out strings.Builder
	for _, s := range d.Servers {
		fmt.Fprintf(&out, "%s@%s ", s.ID, s.Origin)
	}
	fmt.Fprint(&out, d.Groups, d.Missing)
	for _, p := range d.Problems {
		fmt.Fprintf(&out, "\n%s %s %s: %s", p.ID, p.State, p.Where, p.Reason)
	}
	return out.String()
}

func TestMerge(t *testing.T) {
	for _, test := range []struct {
		name                     string
		label, file, environment string
		want                     string
	}{
		{"nothing", "", "", "", `map[] map[]`},
		{"sorted", "c", "b", "d a", `a@environment b@file c@label d@environment map[] map[]`},
		{"precedence", "x y", "x y", "x", `x@environment y@file map[] map[]
x conflict the file: the id "x" is taken by the environment; choose another
x conflict the label: the id "x" is taken by the environment; choose another
y conflict the label: the id "y" is taken by the file; choose another`},
		{"case", "Mail", "mail", "", `mail@file map[] map[]
Mail conflict the label: the id "Mail" differs from "mail" of the file by case alone; choose another`},
		{"groups are united", "c; dev=c", "b; dev=b,a,b", "a; dev=a", `a@environment b@file c@label map[dev:[a b c]] map[]`},
		{"an override stays in its group", "", "a; dev=a", "a", `a@environment map[dev:[a]] map[]
a conflict the file: the id "a" is taken by the environment; choose another`},
		{"missing", "", "a; dev=z,a,A,y none=", "", `a@file map[dev:[a] none:[]] map[dev:[A y z]]`},
		{"a group waits for labels", "z; ", "; dev=z", "", `z@label map[dev:[z]] map[]`},
		{"a label's group dies with its servers", "; dev=a", "", "", `map[] map[]`},
		{"a label speaks for its own alone", "a b; dev=a,b all=a", "a", "", `a@file b@label map[dev:[b]] map[]
a conflict the label: the id "a" is taken by the file; choose another`},
	} {
		lists := []List{declare(Label, test.label), declare(File, test.file), declare(Environment, test.environment)}
		got := Merge(lists...)
		check(t, test.name, summary(got), test.want)
		slices.Reverse(lists)
		if !reflect.DeepEqual(got, Merge(lists...)) {
			t.Errorf("%s: the order of the lists matters", test.name)
		}
	}
}

func TestMergeKeepsProblemsAndLists(t *testing.T) {
	list := declare(File, "b; dev=b,a")
	list.Problems = []Problem{{ID: "x", State: "invalid", Where: "a label", Reason: "no port"}}
	check(t, "problems", summary(Merge(list)), "b@file map[dev:[b]] map[dev:[a]]\nx invalid a label: no port")
	if got := list.Groups["dev"]; !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("Merge changed a list's group to %v", got)
	}
}

// A field that Equal forgot would keep connections that are not wanted any more.
func TestSpecEqual(t *testing.T) {
	if a, b := (Spec{}), (Spec{}); !a.Equal(b) {
		t.Error("a Spec does not equal itself")
	}
	for i := range reflect.TypeFor[Spec]().NumField() {
		var changed Spec
		name := reflect.TypeFor[Spec]().Field(i).Name
		switch field := reflect.ValueOf(&changed).Elem().Field(i); field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Int64:
			field.SetInt(1)
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Slice:
			field.Set(reflect.ValueOf([]string{"x"}))
		case reflect.Map:
			field.Set(reflect.ValueOf(map[string]string{"x": "y"}))
		default:
			t.Fatalf("%s: the test cannot change a %s", name, field.Kind())
		}
		if changed.Equal(Spec{}) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

func TestLive(t *testing.T) {
	far := Server{Spec: Spec{URL: "http://x/mcp"}}
	if got := far.Live(); len(got) != 1 || got[0].URL != "http://x/mcp" || got[0].Gone != nil {
		t.Errorf("a server with an address: %v", got)
	}
	near := Server{Spec: Spec{InContainer: true}}
	if got := near.Live(); len(got) != 0 {
		t.Errorf("a server in no container now: %v", got)
	}
	near.Instances = []Instance{{Container: "x", Run: 1, URL: "http://a"}, {Container: "x", Run: 2, URL: "http://a"}}
	if got := near.Live(); len(got) != 2 || got[0].Same(got[1]) || !got[0].Same(near.Instances[0]) {
		t.Errorf("a server in containers: %v", got)
	}
}
