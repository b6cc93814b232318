package main

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcphub/discovery"
	"mcphub/discovery/docker"
)

// fileKeys says which settings the file has a word on too, and where.
var fileKeys = map[string]string{
	"MCPHUB_PORT":                    "hub.port",
	"MCPHUB_RECONNECT_MAX_ATTEMPTS":  "hub.reconnect.maxAttempts",
	"MCPHUB_RECONNECT_INITIAL_DELAY": "hub.reconnect.initialDelayMs",
	"MCPHUB_RECONNECT_MAX_DELAY":     "hub.reconnect.maxDelayMs",
}

// fromFile gives the file's settings in the words of the environment, so that
// one reader serves both.
func fromFile(file *discovery.Config) map[string]string {
	layer := map[string]string{}
	if file == nil {
		return layer
	}
	count := func(name string, n *int) {
		if n != nil {
			layer[name] = strconv.Itoa(*n)
		}
	}
	duration := func(name string, d *time.Duration) {
		if d != nil {
			layer[name] = d.String()
		}
	}
	count("MCPHUB_PORT", file.Hub.Port)
	count("MCPHUB_RECONNECT_MAX_ATTEMPTS", file.Hub.MaxAttempts)
	duration("MCPHUB_RECONNECT_INITIAL_DELAY", file.Hub.InitialDelay)
	duration("MCPHUB_RECONNECT_MAX_DELAY", file.Hub.MaxDelay)
	return layer
}

// variableNames lists the variables of the struct.
func variableNames() (names []string) {
	for field := range reflect.TypeFor[settings]().Fields() {
		if name := field.Tag.Get("env"); strings.HasPrefix(name, "MCPHUB_") {
			names = append(names, name)
		}
	}
	return names
}

func secretNames() (names []string) {
	for field := range reflect.TypeFor[settings]().Fields() {
		if field.Tag.Get("secret") != "" {
			names = append(names, field.Tag.Get("env"))
		}
	}
	return names
}

// ofOne reports whether a variable speaks of one server, or one secret, whose name is
// in its own. Who reads them knows which there are.
func ofOne(name string) bool {
	return strings.HasPrefix(name, discovery.ServerPrefix) || strings.HasPrefix(name, docker.SecretPrefix)
}

// knownNames lists all variables but those of one server or secret.
func knownNames() []string {
	names := append(variableNames(), discovery.Variables...)
	for _, name := range secretNames() {
		names = append(names, name+"_FILE")
	}
	return names
}

// checkNames finds the variables that nobody reads: each is a slip, and what it
// was meant to set is not set.
func (in inputs) checkNames() (errs []error) {
	known := knownNames()
	for name := range in.environ {
		rest, ours := strings.CutPrefix(name, "MCPHUB_")
		if !ours || slices.Contains(known, name) || ofOne(name) {
			continue
		}
		short := make([]string, len(known))
		for i, name := range known {
			short[i] = strings.TrimPrefix(name, "MCPHUB_")
		}
		if near := discovery.Nearest(rest, short); near != "" {
			errs = append(errs, fmt.Errorf("%s: unknown variable; did you mean MCPHUB_%s?", name, near))
		} else {
			errs = append(errs, fmt.Errorf("%s: unknown variable; unset it", name))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

var serviceName = regexp.MustCompile(`^MCPHUB_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// serviceLink reports whether the variable is one that Kubernetes sets in every
// pod beside a service that is called mcphub. It is not meant for the hub.
func serviceLink(name, value string) bool {
	return serviceName.MatchString(name) || name == "MCPHUB_PORT" && strings.Contains(value, "://")
}

// check finishes what concerns more than one setting.
func (s *settings) check() (errs []error) {
	host, err := parseHost(s.Host)
	if err != nil {
		errs = append(errs, fmt.Errorf("MCPHUB_HOST: %w", err))
	}
	s.Host = host
	if s.Port > 65535 {
		errs = append(errs, fmt.Errorf("%s: %d is no port; take 1 to 65535, or 0 for any free one", s.inputs.where("MCPHUB_PORT"), s.Port))
	}
	if s.InitialDelay > s.MaxDelay && s.MaxDelay > 0 {
		errs = append(errs, fmt.Errorf("%s: the initial delay %v is longer than the maximum %v",
			s.inputs.where("MCPHUB_RECONNECT_INITIAL_DELAY"), s.InitialDelay, s.MaxDelay))
	}
	errs = append(errs, s.checkDocker())
	errs = append(errs, s.uniteAuth()...)
	s.warn()
	return errs
}

// uniteAuth settles Auth: MCPHUB_AUTH replaces what the file says, and
// MCPHUB_AUTH_TOKEN the default rule of either.
func (s *settings) uniteAuth() (errs []error) {
	if s.File != nil && s.File.Hub.Auth != nil {
		s.Auth = *s.File.Hub.Auth
	}
	where := s.inputs.where
	if s.AuthJSON != "" {
		auth, err := discovery.ParseAuth(where("MCPHUB_AUTH"), []byte(s.AuthJSON), s.Lookup)
		if err != nil {
			return append(errs, err)
		}
		if s.Auth = *auth; auth.DefaultSet && s.AuthToken != "" {
			errs = append(errs, fmt.Errorf(`%s: set together with "default" in %s; keep one of them`, where("MCPHUB_AUTH_TOKEN"), where("MCPHUB_AUTH")))
		}
	}
	if s.AuthToken != "" {
		if err := discovery.CheckToken(s.AuthToken); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where("MCPHUB_AUTH_TOKEN"), err))
		}
		s.Auth.Default, s.Auth.DefaultSet = discovery.AuthRule{Enabled: true, Token: s.AuthToken}, true
	}
	return errs
}

// warn notes what is allowed and hardly meant.
func (s *settings) warn() {
	open := !s.Auth.Rule("/mcp").Enabled
	for path, rule := range s.Auth.Endpoints {
		if open && rule.Enabled && strings.HasPrefix(path, "/mcp/") {
			s.Warnings = append(s.Warnings, path+" wants a token, but /mcp shows the same servers to everybody; give /mcp a token too")
		}
	}
	slices.Sort(s.Warnings)
	s.warnOfContext()
	if ip, _ := netip.ParseAddr(s.Host); open && s.Host != "localhost" && !ip.IsLoopback() {
		s.Warnings = append(s.Warnings, "/mcp wants no token and is not on loopback alone: whoever reaches "+s.Host+" can use it; set MCPHUB_AUTH_TOKEN")
	}
}

// checkGroups finds groups that name servers nobody declares. With Docker that may
// change when a container starts, so it is the sources' to tell; without, it is a
// mistake.
func (s *settings) checkGroups() (errs []error) {
	if s.followsDocker() {
		return nil
	}
	lists := []discovery.List{s.Servers}
	if s.Demo {
		lists = append(lists, discovery.List{Origin: discovery.Environment, Servers: []discovery.Server{{ID: demoID}}})
	}
	if s.File != nil {
		lists = append(lists, s.File.List())
	}
	for _, gap := range discovery.Merge(lists...).Gaps() {
		errs = append(errs, errors.New(gap))
	}
	return errs
}
