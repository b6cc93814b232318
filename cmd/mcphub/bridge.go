package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mcphub/discovery"
)

const (
	bridgeListen   = "0.0.0.0:8931"
	bridgeChildren = 7 // for clients; the bridge's own session makes them eight
)

// isBridge reports whether args ask for the subcommand bridge: the hub with one server,
// which is a command, at /mcp. It is for containers whose program speaks over stdio.
func isBridge(args []string) bool { return len(args) > 0 && args[0] == "bridge" }

// loadBridge reads the settings of the bridge: the flags and the command in args, and of
// the environment what concerns neither other servers nor Docker. The error is like that
// of loadSettings.
func loadBridge(args, environ []string, stderr io.Writer) (*settings, error) {
	flags, command, err := parseBridge(args, stderr)
	if err != nil {
		return nil, err
	}
	if path := flags[installFlag]; path != "" {
		return &settings{Install: path}, nil
	}
	in := inputs{flags: flags, environ: toMap(environ), secrets: map[string]string{}}
	errs := append(in.checkNames(), in.readSecrets()...)
	ignored := in.dropOthers()
	in.listenAt(bridgeListen)
	server := bridged(command, environ)
	s, err := in.settings(discovery.List{Servers: []discovery.Server{server}}, nil, errors.Join(errs...))
	if err != nil {
		return nil, err
	}
	s.Bridge = server.ID
	for _, name := range ignored {
		s.Warnings = append(s.Warnings, name+" is not for mcphub bridge, which serves its own command, and ignored")
	}
	return s, nil
}

// installFlag is the flag by which the program puts itself where other containers find it.
const installFlag = "install"

func parseBridge(args []string, stderr io.Writer) (flags map[string]string, command []string, err error) {
	flags = map[string]string{}
	set := bridgeFlags(flags)
	err = set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stderr, "Usage: mcphub bridge [--listen :8931] -- COMMAND [ARGUMENT…]\n       mcphub bridge --install PATH")
		set.SetOutput(stderr)
		set.PrintDefaults()
	case err == nil && set.NArg() == 0 && flags[installFlag] == "":
		err = errors.New("bridge: no command is given; write mcphub bridge -- COMMAND")
	case err != nil:
		err = fmt.Errorf("bridge: %w", err)
	}
	return flags, set.Args(), err
}

// bridgeFlags returns the flags of the bridge, which write what they say into a map.
func bridgeFlags(into map[string]string) *flag.FlagSet {
	set := flag.NewFlagSet("mcphub bridge", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Func("listen", "listen at `address` (default :8931)", func(address string) error {
		host, port, err := net.SplitHostPort(address)
		if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
			return errors.New("write it as :8931 or 127.0.0.1:8931")
		}
		into["MCPHUB_HOST"], into["MCPHUB_PORT"] = cmp.Or(host, "0.0.0.0"), port
		return nil
	})
	set.Func(installFlag, "copy this program to `path`, for other containers, and end", func(path string) error {
		into[installFlag] = path
		return nil
	})
	return set
}

// listenAt sets the address to listen at where nothing else says it.
func (in inputs) listenAt(address string) {
	host, port, _ := net.SplitHostPort(address)
	for name, value := range map[string]string{"MCPHUB_HOST": host, "MCPHUB_PORT": port} {
		if _, set := in.flags[name]; !set && in.environ[name] == "" {
			in.flags[name] = value
		}
	}
}

// dropOthers removes the variables that are about other servers, and returns their names.
func (in inputs) dropOthers() (names []string) {
	for name := range in.environ {
		if name == "MCPHUB_CONFIG" || name == "MCPHUB_INSTANCE" || strings.HasPrefix(name, "MCPHUB_DOCKER") || slices.Contains(discovery.Variables, name) || ofOne(name) {
			names = append(names, name)
			delete(in.environ, name)
		}
	}
	slices.Sort(names)
	return names
}

// bridged is the server that the bridge serves. Its command has the environment that it
// would have without the bridge, but for what is the bridge's and Docker's.
func bridged(command, environ []string) discovery.Server {
	env := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if name != "" && !strings.HasPrefix(name, "MCPHUB_") && !strings.HasPrefix(name, "DOCKER_") {
			env[name] = value
		}
	}
	id := filepath.Base(command[0])
	if discovery.CheckID(id) != nil {
		id = "server"
	}
	return discovery.Server{
		ID: id, Origin: discovery.Environment, Where: "mcphub bridge",
		Spec: discovery.Spec{Transport: discovery.Stdio, Command: command, Env: env, Isolation: discovery.IsolationSession},
	}
}

// checkCommand finds out that a bridge's command is not there, as soon as it can: a
// container that cannot do its work had better end, with a word in its log.
func (s *settings) checkCommand() error {
	if s.Bridge == "" {
		return nil
	}
	command := s.Servers.Servers[0].Spec.Command[0]
	if _, err := exec.LookPath(command); err != nil {
		return missing{fmt.Errorf("bridge: the command cannot be run: %w; the image must have it", err)}
	}
	return nil
}

// missing is that a command is not there.
type missing struct{ error }

// status is the exit status that shells have for it.
func (missing) status() int { return 127 }

// install copies this program to a path, which is a directory that containers share.
// Whoever runs it there meanwhile goes on with the old one.
func install(path string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return fmt.Errorf("bridge: read this program: %w", err)
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, program, 0o755); err != nil {
		return fmt.Errorf("bridge: copy this program: %w; a new volume belongs to root: run it as user 0", err)
	}
	if err := errors.Join(os.Chmod(fresh, 0o755), os.Rename(fresh, path)); err != nil {
		return fmt.Errorf("bridge: copy this program: %w", err)
	}
	return nil
}
