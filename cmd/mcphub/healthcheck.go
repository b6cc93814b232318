package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

// healthcheck is the subcommand of that name, for a container's HEALTHCHECK: it
// asks the hub on this machine whether it works.
func healthcheck(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	url := "http://127.0.0.1:" + cmp.Or(os.Getenv("MCPHUB_PORT"), "7070") + "/health"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: %s answered %s", url, response.Status)
	}
	return nil
}
