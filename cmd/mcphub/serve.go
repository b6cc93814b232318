package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"

	"mcphub/discovery"
	"mcphub/discovery/docker"
	"mcphub/proxy"
	"mcphub/proxy/mcpserver"
)

// gcPercent is how much the heap grows between two collections. What a call needs
// lives no longer than the call and little else changes, so that with Go's default
// of 100 a hub that carries large messages would spend much of its time collecting.
const gcPercent = 250

// serve is the process: it wires the rooms together, serves until asked to end,
// and then ends everything it started; at once when hurried.
func serve(asked, hurried context.Context, s *settings) error {
	log := newLogger(s)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	for _, warning := range s.Warnings {
		log.Warn(warning)
	}
	keys, err := mcpserver.NewKeys(s.SessionKeys...)
	if err != nil {
		return err
	}
	listener, err := mcpserver.Listen(asked, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return fmt.Errorf("listen: %w; --port (of the bridge: --listen) or MCPHUB_PORT sets another port", err)
	}
	a := &app{log: log, settings: s, guard: mcpserver.NewGuard(keys, access(s))}
	if err := a.makeSources(); err != nil {
		return err
	}
	options := proxy.Options{
		Version: programVersion(), Environ: os.Environ(), Reconnect: reconnect(s),
		Keys: keys, MaxBody: int64(s.MaxBody), Log: log, OpenStreams: a.openStreams,
	}
	if s.Bridge != "" {
		options.Alone, options.Children = s.Bridge, bridgeChildren
	}
	a.hub = proxy.New(options)
	return a.run(asked, hurried, listener)
}

// app holds what the parts of the process share.
type app struct {
	log      *slog.Logger
	hub      *proxy.Hub
	guard    *mcpserver.Guard
	settings *settings             // as they were at start
	file     *discovery.FileSource // nil: there is no configuration file
	docker   *docker.Source        // nil: containers are not looked at
	opener   *docker.Opener        // of the streams of containers; nil likewise
}

// makeSources makes the sources that are more than a value.
func (a *app) makeSources() (err error) {
	if a.settings.Config != "" {
		a.file = discovery.NewFileSource(a.settings.Config, a.settings.Lookup, a.apply, a.log)
	}
	if a.settings.followsDocker() {
		options := a.settings.dockerOptions()
		options.Log = a.log
		a.docker, err = docker.New(options)
		a.opener = docker.NewOpener(options)
	}
	return err
}

// run serves on listener until asked to end, or serving fails.
func (a *app) run(asked, hurried context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancelCause(asked)
	defer cancel(nil)
	hubCtx, stopHub := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHub()
	var work sync.WaitGroup

	desired := make(chan discovery.Desired)
	work.Go(func() { a.discover(ctx, desired) })
	work.Go(func() {
		a.hub.Run(hubCtx, desired)
		if a.opener != nil {
			a.opener.Close()
		}
	})
	server := mcpserver.NewHTTPServer(a.guard.Wrap(a.routes(), "/health"), a.log)
	work.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			cancel(fmt.Errorf("serve: %w", err))
		}
	})
	a.announce(listener.Addr())
	<-ctx.Done()
	a.log.Info("shutting down", "cause", context.Cause(ctx))
	a.shutDown(hurried, server, stopHub, &work)
	if asked.Err() == nil {
		return context.Cause(ctx)
	}
	return context.Cause(hurried) // nil unless it came to that
}

// discover runs the sources until ctx ends.
func (a *app) discover(ctx context.Context, desired chan<- discovery.Desired) {
	sources := []discovery.Source{discovery.EnvironmentSource{List: a.environment()}}
	var reloading sync.WaitGroup
	defer reloading.Wait()
	if a.file != nil {
		sources = append(sources, a.file)
		reloading.Go(func() { reloadOnHangup(ctx, a.file) })
	}
	if a.docker != nil {
		sources = append(sources, a.docker)
	}
	if err := discovery.Watch(ctx, sources, desired, a.log); err != nil {
		a.log.Error("discovery ended", "err", err)
	}
}

// reloadOnHangup has the file read again whenever the process gets SIGHUP.
func reloadOnHangup(ctx context.Context, file *discovery.FileSource) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-hangups:
			file.Reload()
		case <-ctx.Done():
			return
		}
	}
}

const demoID = "demo"

// environment is what the environment declares, and the demonstration server if
// it was asked for: this program again, over stdio.
func (a *app) environment() discovery.List {
	list := a.settings.Servers
	list.Origin = discovery.Environment
	if !a.settings.Demo {
		return list
	}
	self, err := os.Executable()
	if err != nil {
		a.log.Error("demonstration server not started", "err", err)
		return list
	}
	list.Servers = append(list.Servers, discovery.Server{
		ID: demoID, Origin: discovery.Environment, Where: "--demo",
		Spec: discovery.Spec{
			Transport: discovery.Stdio, Command: []string{self, "demo-server"}, Isolation: discovery.IsolationSession,
		},
	})
	return list
}

// apply takes a new content of the configuration file; an error refuses it.
func (a *app) apply(c *discovery.Config) error {
	next, err := a.settings.reload(c)
	if err != nil {
		return err
	}
	if next.Port != a.settings.Port {
		a.log.Warn("the port has changed in the configuration file; it takes effect after a restart", "port", next.Port)
	}
	a.guard.Set(access(next))
	a.hub.SetReconnect(reconnect(next))
	a.hub.Revoke(a.guard.Admits)
	a.log.Info("configuration file read", "file", a.settings.Config)
	return nil
}

// access is what the settings say of who may use what.
func access(s *settings) mcpserver.Access {
	rules := make(map[string]mcpserver.Rule, len(s.Auth.Endpoints))
	for path, r := range s.Auth.Endpoints {
		rules[path] = mcpserver.Rule(r)
	}
	return mcpserver.Access{
		Default: mcpserver.Rule(s.Auth.Default), Endpoints: rules,
		Hosts: s.AllowedHosts, Origins: s.AllowedOrigins,
	}
}

func reconnect(s *settings) proxy.Reconnect {
	return proxy.Reconnect{MaxAttempts: s.MaxAttempts, InitialDelay: s.InitialDelay, MaxDelay: s.MaxDelay}
}

// newLogger writes to standard error: text for people at a terminal, JSON for
// machines.
func newLogger(s *settings) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == "json" || s.LogFormat == "auto" && !isTerminal(os.Stderr) {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
