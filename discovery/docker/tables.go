package docker

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"mcphub/discovery"
)

func (d *declared) readHeaders(r *reading, o *Options) {
	if r.spec.Transport == discovery.Stdio {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(d.headers)) {
		v := d.headers[name]
		text, err := o.Secrets.expand(v.text, r.id)
		if err == nil {
			err = checkHeader(name, text)
		}
		if err != nil {
			d.fail(v.label, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
			continue
		}
		if looksSecret.MatchString(v.text) && text == v.text {
			d.warn(v.label, "holds what looks like a secret, which everybody sees who can list containers; write {secret:%s} and set %s%s on the hub",
				strings.ToLower(r.id), SecretPrefix, strings.ToUpper(strings.ReplaceAll(r.id, "-", "_")))
		}
		if r.spec.Headers == nil {
			r.spec.Headers = map[string]string{}
		}
		r.spec.Headers[name] = text
	}
}

// reserved are the headers that are the hub's own to set.
var reserved = []string{"Host", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

func checkHeader(name, text string) error {
	switch {
	case slices.Contains(reserved, name), strings.HasPrefix(name, "Content-"), strings.HasPrefix(name, "Mcp-"), strings.HasPrefix(name, "Proxy-"):
		return fmt.Errorf("the header %s is the hub's own to set; remove the label", name)
	case text == "":
		return errors.New("the value is empty; give it one or remove the label")
	}
	return discovery.CheckHeader(http.CanonicalHeaderKey(name), text)
}

func (d *declared) readEnv(r *reading, o *Options) {
	if r.spec.Command == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(d.env)) {
		v := d.env[name]
		text, err := o.Secrets.expand(v.text, r.id)
		if err == nil {
			err = discovery.CheckVariable(name, text)
		}
		if err != nil {
			d.fail(v.label, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
			continue
		}
		if r.spec.Env == nil {
			r.spec.Env = map[string]string{}
		}
		r.spec.Env[name] = text
	}
}
