// Command mcphub serves many MCP servers as one. See the README.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set by the linker in releases.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:]))
}

// run executes a subcommand, or serves, and returns the exit status: 2 for what
// the user can mend by a setting.
func run(ctx context.Context, args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case "demo-server":
			return status(demoServer(ctx, args[1:], os.Stdin, os.Stdout))
		case "healthcheck":
			return status(healthcheck(ctx))
		}
	}
	s, err := loadSettings(args, os.Environ(), os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprint(os.Stderr, report(err))
		return 2
	case s.Version:
		fmt.Println("mcphub", programVersion())
		return 0
	}
	unsetSecrets()
	return status(serve(ctx, s))
}

func status(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "mcphub:", err)
		return 1
	}
	return 0
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
