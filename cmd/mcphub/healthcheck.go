package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const healthLimit = 5 * time.Second

// healthcheck is the subcommand of that name, for a container's HEALTHCHECK: it asks the hub on this machine whether it
// works. Where the hub listens, it takes from the places that the hub takes it from, its flags among them: those in args,
// or, without any, those of the hub that is the container's own program.
func healthcheck(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = hubArguments()
	}
	address, err := healthAddress(args, os.Environ(), os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err == nil {
		err = askHealth(ctx, "http://"+address+"/health")
	}
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	return nil
}

// healthAddress returns the address at which a hub with these flags and this environment is reached on this machine. Other
// mistakes than the address's are the hub's to tell.
func healthAddress(args, environ []string, stderr io.Writer) (string, error) {
	in, err := listeningInputs(args, environ, stderr)
	if err != nil {
		return "", err
	}
	host, err := parseHost(cmp.Or(in.flags["MCPHUB_HOST"], in.environ["MCPHUB_HOST"], "127.0.0.1"))
	if err != nil {
		return "", fmt.Errorf("MCPHUB_HOST: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	port, err := parseCount(strings.TrimSpace(cmp.Or(in.flags["MCPHUB_PORT"], in.environ["MCPHUB_PORT"], filePort(in.path()), "7070")))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", in.where("MCPHUB_PORT"), err)
	case port == 0:
		return "", errors.New("the hub takes any free port; give it one by --port or MCPHUB_PORT")
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// listeningInputs are the inputs that say where a hub, or a bridge, listens.
func listeningInputs(args, environ []string, stderr io.Writer) (in inputs, err error) {
	in = inputs{environ: toMap(environ)}
	if isBridge(args) {
		in.flags, _, err = parseBridge(args[1:], stderr)
		in.listenAt(bridgeListen)
		return in, err
	}
	in.flags, _, err = parseFlags(args, stderr)
	return in, err
}

// filePort returns the port that the configuration file names, if any. The file may have mistakes, with which a hub that
// runs goes on as before.
func filePort(path string) string {
	var file struct {
		Hub struct{ Port json.Number }
	}
	if data, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(data, &file) // what could be read of it counts
	}
	return string(file.Hub.Port)
}

// askHealth asks the hub itself: no proxy, and by a name that an endpoint without a token answers to.
func askHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Host = "localhost"
	response, err := new(http.Transport).RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}

// hubArguments returns the arguments of the hub that runs as PID 1 of this container, perhaps by way of Docker's init.
func hubArguments() []string {
	line, err := os.ReadFile("/proc/1/cmdline")
	if err != nil {
		return nil // not on Linux
	}
	return afterProgram(strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00"), os.Args[0])
}

// afterProgram returns the arguments of a program in a command line, none if they are not there or ask for no hub.
func afterProgram(line []string, program string) []string {
	named := func(word string) bool { return filepath.Base(word) == filepath.Base(program) }
	at := slices.IndexFunc(line, named)
	if at < 0 || at+1 == len(line) || !strings.HasPrefix(line[at+1], "-") && !isBridge(line[at+1:]) {
		return nil
	}
	return line[at+1:]
}
