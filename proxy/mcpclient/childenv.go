package mcpclient

import (
	"maps"
	"runtime"
	"slices"
	"strings"
)

// inherited are the variables that a child gets from the hub's environment,
// beside LC_*. Everything else, secrets above all, it gets only when it is
// configured.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "LANG", "TZ"}

// inheritedWindows are those without which programs on Windows do not start.
var inheritedWindows = []string{"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP",
	"APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "USERPROFILE", "USERNAME", "HOMEDRIVE", "HOMEPATH"}

// ChildEnv returns the environment of a child: what children inherit of environ,
// the hub's own in the form of os.Environ, and extra, which wins.
func ChildEnv(environ []string, extra map[string]string) []string {
	var env []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if _, replaced := extra[name]; !replaced && inherits(name, runtime.GOOS) {
			env = append(env, pair)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		env = append(env, name+"="+extra[name])
	}
	return env
}

func inherits(name, goos string) bool {
	if goos == "windows" {
		name = strings.ToUpper(name)
		if slices.Contains(inheritedWindows, name) {
			return true
		}
	}
	return slices.Contains(inherited, name) || strings.HasPrefix(name, "LC_")
}
