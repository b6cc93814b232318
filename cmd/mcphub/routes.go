package main

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"mcphub/health"
)

// routes is the address book.
func (a *app) routes() http.Handler {
	router := httprouter.New()
	router.RedirectTrailingSlash = false // the guard has taken it off
	router.RedirectFixedPath = false
	router.HandleOPTIONS = false
	a.hub.Routes(router)
	router.HandlerFunc(http.MethodGet, "/health", health.Handler(a.status, a.troubles, a.guard.Allowed))
	router.NotFound = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "nothing here; the endpoints are "+a.endpoints()+" and /health", http.StatusNotFound)
	})
	return router
}

func (a *app) endpoints() string {
	if a.settings.Bridge != "" {
		return "/mcp"
	}
	return "/mcp, /mcp/group/:id, /mcp/server/:id"
}

// troubles is what /health says of the sources.
func (a *app) troubles() (t health.Troubles) {
	if a.file != nil {
		t.File = a.file.LastError()
	}
	if a.docker != nil {
		t.Docker = a.docker.LastError()
	}
	return t
}
