package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"mcphub/discovery"
	"mcphub/discovery/docker"
)

// inputs are the places that settings come from, beside the file. A setting is
// the flag's, else the environment's if set, else the file's, else the default.
type inputs struct {
	flags   map[string]string // by the name of the variable that the flag overrides
	demo    bool              // --demo
	environ map[string]string // as it was at start
	secrets map[string]string // the values of secrets, be they from files

	labelSecrets docker.Secrets
	engine       bool // it looked at start as if there were a Docker engine
}

// loadSettings reads the flags in args, the environment and the file. The error
// is flag.ErrHelp when help was asked for, and written to stderr; else it names
// every mistake in all three, one in a line (see report).
func loadSettings(args, environ []string, stderr io.Writer) (*settings, error) {
	flags, s, err := parseFlags(args, stderr)
	if err != nil || s.Version {
		return s, err
	}
	in := inputs{flags: flags, demo: s.Demo, environ: toMap(environ), secrets: map[string]string{}}
	errs := append(in.checkNames(), in.readSecrets()...)
	in.engine = docker.Present(in.environ["MCPHUB_DOCKER_HOST"])
	labelSecrets, err := docker.ParseSecrets(in.environ)
	in.labelSecrets = labelSecrets
	errs = append(errs, err)
	servers, err := discovery.ParseEnvironment(in.environ)
	errs = append(errs, err)
	file, err := in.readFile()
	errs = append(errs, err)
	return in.settings(servers, file, errors.Join(errs...))
}

// readSecrets reads the settings that may come from files.
func (in inputs) readSecrets() (errs []error) {
	for _, name := range secretNames() {
		value, from, err := discovery.ReadVariable(in.environ, name)
		if _, set := in.environ[name]; err == nil && value == "" && set {
			err = fmt.Errorf("%s: %w", from, errEmpty)
		}
		errs = append(errs, err)
		in.secrets[name] = value
	}
	return errs
}

func parseFlags(args []string, stderr io.Writer) (map[string]string, *settings, error) {
	s, flags := &settings{}, map[string]string{}
	set := flag.NewFlagSet("mcphub", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	overrides := func(name string) func(string) error {
		return func(value string) error { flags[name] = value; return nil }
	}
	set.Func("config", "read the configuration `file`", overrides("MCPHUB_CONFIG"))
	set.Func("port", "listen on `port` (default 7070)", overrides("MCPHUB_PORT"))
	set.BoolVar(&s.Demo, "demo", false, "add a demonstration server")
	set.BoolVar(&s.Version, "version", false, "print the version and exit")
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		set.SetOutput(stderr)
		set.Usage()
	case err == nil && set.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; see mcphub --help", set.Arg(0))
	}
	return flags, s, err
}

func toMap(environ []string) map[string]string {
	vars := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && !serviceLink(name, value) {
			vars[name] = value
		}
	}
	return vars
}

// Lookup finds a variable as it was at start, for ${NAME} in the file.
func (s *settings) Lookup(name string) (string, bool) { return s.inputs.lookup(name) }

func (in inputs) lookup(name string) (string, bool) {
	value, set := in.environ[name]
	return value, set
}

// readFile reads the configuration file, if one is named.
func (in inputs) readFile() (*discovery.Config, error) {
	path := in.path()
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in.where("MCPHUB_CONFIG"), err)
	}
	return discovery.ParseConfig(path, data, in.lookup)
}

func (in inputs) path() string {
	if path, set := in.flags["MCPHUB_CONFIG"]; set {
		return path
	}
	return in.environ["MCPHUB_CONFIG"]
}

// settings unites the inputs with what was read of them, and known mistakes in
// that with its own.
func (in inputs) settings(servers discovery.List, file *discovery.Config, known error) (*settings, error) {
	s := &settings{Demo: in.demo, Servers: servers, File: file, inputs: in}
	layers := fromFile(file)
	for _, name := range variableNames() {
		if value := in.environ[name]; value != "" {
			layers[name] = value
		}
	}
	maps.Copy(layers, in.secrets)
	maps.Copy(layers, in.flags)
	errs := []error{known}
	err := env.ParseWithOptions(s, env.Options{Environment: layers, FuncMap: parsers})
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		for _, err := range all.Errors {
			errs = append(errs, in.named(err))
		}
	}
	errs = append(errs, s.check()...)
	if known == nil { // else servers are missing that may be meant
		errs = append(errs, s.checkGroups()...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// reload returns the settings with a new content of the file. A changed port is
// there to be compared; it takes a restart.
func (s *settings) reload(file *discovery.Config) (*settings, error) {
	return s.inputs.settings(s.Servers, file, nil)
}

// named puts the place of a setting before an error, of which the library knows
// the field.
func (in inputs) named(err error) error {
	bad, ok := errors.AsType[env.ParseError](err)
	if !ok {
		return err
	}
	field, _ := reflect.TypeFor[settings]().FieldByName(bad.Name)
	return fmt.Errorf("%s: %w", in.where(field.Tag.Get("env")), bad.Err)
}

// where is the place that the setting of a variable came from.
func (in inputs) where(name string) string {
	if _, set := in.flags[name]; set {
		return "--" + strings.ToLower(strings.TrimPrefix(name, "MCPHUB_"))
	}
	if key := fileKeys[name]; key != "" && in.environ[name] == "" {
		return in.path() + ": " + key
	}
	if in.environ[name] == "" && in.secrets[name] != "" {
		return name + "_FILE"
	}
	return name
}

// report is what a user sees of a configuration error.
func report(err error) string {
	lines := strings.Split(err.Error(), "\n")
	count := fmt.Sprintf("%d configuration errors", len(lines))
	if len(lines) == 1 {
		count = "1 configuration error"
	}
	return "mcphub: " + count + ":\n  " + strings.Join(lines, "\n  ") + "\n"
}

// unsetSecrets removes what may be secret from the process's environment, so
// that no process started later inherits it.
func unsetSecrets() {
	names := slices.Concat(secretNames(), discovery.Variables)
	for name := range toMap(os.Environ()) {
		plain := strings.TrimSuffix(name, "_FILE")
		if slices.Contains(names, plain) || ofOne(name) {
			os.Unsetenv(name)
		}
	}
}
