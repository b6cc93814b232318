package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"mcphub/discovery"
)

// announce says at start what is served where: a table for people at a terminal,
// a log line otherwise. With nothing to serve it says what to do next.
func (a *app) announce(addr net.Addr) {
	base := "http://" + visible(addr)
	desired := a.declared()
	if len(desired.Servers) == 0 {
		a.log.Info(a.nextStep(), "endpoint", base+"/mcp")
		return
	}
	if a.settings.Bridge != "" {
		a.log.Info("serving a command", "endpoint", base+"/mcp", "command", desired.Servers[0].Spec.Command[0])
		return
	}
	a.log.Info("serving", "endpoint", base+"/mcp", "servers", len(desired.Servers), "groups", len(desired.Groups))
	if isTerminal(os.Stderr) {
		printTable(os.Stderr, base, desired)
	}
}

// nextStep says what to do where the settings declare no servers.
func (a *app) nextStep() string {
	const otherwise = "set MCPHUB_SERVERS='name=https://…/mcp', or give --config FILE, or try --demo"
	switch s := a.settings; {
	case a.docker != nil:
		return fmt.Sprintf("serving the containers that have a label %s.enable=true, and %[1]s.port=PORT unless the image exposes one port; for others, %s", s.DockerLabelPrefix, otherwise)
	case s.Docker == dockerAuto:
		return "no servers are declared yet: " + otherwise + ", or give the hub Docker's socket or DOCKER_HOST, and containers labels"
	default:
		return "no servers are declared yet: " + otherwise
	}
}

// declared is what the settings declare. The sources may find more.
func (a *app) declared() discovery.Desired {
	lists := []discovery.List{a.environment()}
	if a.settings.File != nil {
		lists = append(lists, a.settings.File.List())
	}
	return discovery.Merge(lists...)
}

// visible is an address as somebody on this machine would type it.
func visible(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func printTable(w io.Writer, base string, d discovery.Desired) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\n  %s/mcp\tevery server\n", base)
	for _, group := range slices.Sorted(maps.Keys(d.Groups)) {
		fmt.Fprintf(t, "  %s/mcp/group/%s\t%s\n", base, group, strings.Join(d.Groups[group], ", "))
	}
	for _, s := range d.Servers {
		fmt.Fprintf(t, "  %s/mcp/server/%s\t%s: %s\n", base, s.ID, s.Spec.Transport, place(s.Spec))
	}
	fmt.Fprintf(t, "  %s/health\tthe hub and each server\n\n", base)
	_ = t.Flush() // a terminal that is gone needs no table
}

// place says where a server is, without what may be secret: the arguments of a
// command, the query and user of a URL.
func place(s discovery.Spec) string {
	if len(s.Command) > 0 {
		return s.Command[0]
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + u.Path
}
