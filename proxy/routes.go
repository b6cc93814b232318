package proxy

import (
	"fmt"
	"net/http"

	"github.com/julienschmidt/httprouter"
)

// Routes adds the hub's endpoints to a router.
func (h *Hub) Routes(router *httprouter.Router) {
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		router.Handle(method, "/mcp", h.serve)
		if h.options.Alone != "" {
			continue
		}
		router.Handle(method, "/mcp/group/:id", h.serve)
		router.Handle(method, "/mcp/server/:id", h.serve)
	}
}

// serve answers at the endpoint that the path names, if there is one.
func (h *Hub) serve(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	endpoint := r.URL.Path
	if h.options.Alone != "" {
		endpoint = serverPath + h.options.Alone
	}
	if v := h.view(); v.catalogs[endpoint] == nil && v.desiredKnown {
		http.Error(w, fmt.Sprintf("no such server or group: %.200s", endpoint), http.StatusNotFound)
		return
	}
	h.clients.Serve(w, r, endpoint)
}
