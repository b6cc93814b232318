package docker

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mcphub/discovery"
)

// SecretPrefix begins the names of the variables that labels may refer to.
const SecretPrefix = "MCPHUB_LABEL_SECRET_"

// Secret is a value that labels may refer to by {secret:name}, without anybody who
// can list containers seeing it.
type Secret struct {
	Value   string
	Servers []string // ids of the servers that may have it; empty: all
}

// Secrets are the secrets by name, in upper case with _ for -.
type Secrets map[string]Secret

// ParseSecrets reads what environ, name → value, says of secrets:
//
//	MCPHUB_LABEL_SECRET_<NAME>          the value
//	MCPHUB_LABEL_SECRET_<NAME>_FILE     or the file that holds it
//	MCPHUB_LABEL_SECRET_<NAME>_SERVERS  the ids of the servers that may have it, with commas
//
// It returns every error there is, joined, each beginning with the variable's name
// and showing no value.
func ParseSecrets(environ map[string]string) (Secrets, error) {
	secrets := Secrets{}
	var errs []error
	for variable := range environ {
		rest, ours := strings.CutPrefix(variable, SecretPrefix)
		if !ours {
			continue
		}
		name := strings.TrimSuffix(strings.TrimSuffix(rest, "_FILE"), "_SERVERS")
		if _, done := secrets[name]; done {
			continue
		}
		s, err := parseSecret(environ, name)
		errs = append(errs, err)
		secrets[name] = s
	}
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return secrets, nil
}

func parseSecret(environ map[string]string, name string) (s Secret, err error) {
	variable := SecretPrefix + name
	if !secretName.MatchString(name) {
		return s, fmt.Errorf("%s: %q is no name of a secret; take upper case letters, digits and _", variable, name)
	}
	if s.Value, _, err = discovery.ReadVariable(environ, variable); err != nil {
		return s, err
	}
	if s.Value == "" {
		return s, fmt.Errorf("%s: the secret is empty; give it a value, or remove all variables %[1]s*", variable)
	}
	for id := range strings.SplitSeq(environ[variable+"_SERVERS"], ",") {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		if err := discovery.CheckID(id); err != nil {
			return s, fmt.Errorf("%s_SERVERS: %w", variable, err)
		}
		s.Servers = append(s.Servers, id)
	}
	return s, nil
}

var (
	secretName = regexp.MustCompile(`^[A-Z0-9_]+$`)
	reference  = regexp.MustCompile(`\{secret:([^{}]*)\}`)
	// What looks like a secret that somebody has written down.
	looksSecret = regexp.MustCompile(`(?i)^(bearer|basic) [a-z0-9._~+/=-]{12,}$|^(gh[pousr]_|github_pat_|sk-|xox[abp]-|eyJ)`)
)

// expand puts secrets in the place of references to them. The error shows no value.
func (s Secrets) expand(text, server string) (string, error) {
	var errs []error
	expanded := reference.ReplaceAllStringFunc(text, func(found string) string {
		name := reference.FindStringSubmatch(found)[1]
		value, err := s.find(name, server)
		errs = append(errs, err)
		return value
	})
	return expanded, errors.Join(errs...)
}

func (s Secrets) find(name, server string) (string, error) {
	key := strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(name), "-", "_"))
	if !secretName.MatchString(key) {
		return "", fmt.Errorf("%q is no name of a secret; write e.g. {secret:files}", name)
	}
	secret, defined := s[key]
	bound := len(secret.Servers) > 0
	allowed := slices.ContainsFunc(secret.Servers, func(id string) bool { return strings.EqualFold(id, server) })
	switch {
	case !defined:
		return "", fmt.Errorf("the secret %q is not defined; set %s%s or %[2]s%[3]s_FILE on the hub", name, SecretPrefix, key)
	case bound && !allowed:
		return "", fmt.Errorf("the secret %q is for other servers; %s%s_SERVERS says which", name, SecretPrefix, key)
	}
	return secret.Value, nil
}
