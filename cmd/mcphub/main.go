// Command mcphub serves many MCP servers as one. See the README.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
)

// version is set by the linker in releases.
var version = ""

func main() {
	if hasChildren(os.Args[1:]) {
		if status, was := asInit(); was {
			os.Exit(status)
		}
	}
	keepFiles()
	asked, hurried := interrupts()
	os.Exit(run(asked, hurried, os.Args[1:]))
}

// hasChildren reports whether what args ask for starts processes.
func hasChildren(args []string) bool {
	return len(args) == 0 || args[0] != "demo-server" && args[0] != "healthcheck"
}

// run executes a subcommand, or serves, until asked to end; when hurried, at once.
// It returns the exit status: 2 for what the user can mend by a setting.
func run(asked, hurried context.Context, args []string) int {
	if !hasChildren(args) {
		context.AfterFunc(hurried, func() { os.Exit(status(context.Cause(hurried))) })
		if args[0] == "healthcheck" {
			return status(healthcheck(asked, args[1:]))
		}
		return status(demoServer(asked, args[1:], os.Stdin, os.Stdout))
	}
	load := loadSettings
	if isBridge(args) {
		load, args = loadBridge, args[1:]
	}
	s, err := load(args, os.Environ(), os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprint(os.Stderr, report(err))
		return 2
	case s.Version:
		fmt.Println("mcphub", programVersion())
		return 0
	case s.Install != "":
		return status(install(s.Install))
	}
	if err := s.checkCommand(); err != nil {
		return status(err)
	}
	unsetSecrets()
	return status(serve(asked, hurried, s))
}

// status returns the exit status that err comes to, and says why.
func status(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "mcphub:", err)
	if own, ok := errors.AsType[interface {
		error
		status() int
	}](err); ok {
		return own.status()
	}
	return 1
}

// programVersion is the release's version, or what the build knows of itself.
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
