// Server is what the containers of the tests run: it says its name to whoever asks.
package main

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	switch strings.Join(os.Args[1:], " ") {
	case "health":
		return
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	default:
		signal.Notify(stop, syscall.SIGTERM)
	}
	go func() {
		<-stop
		os.Exit(0)
	}()
	if mode := strings.Join(os.Args[1:], " "); mode == "lines" || mode == "deaf" {
		lines(mode == "deaf")
		return
	}
	err := http.ListenAndServe(cmp.Or(os.Getenv("ADDR"), ":8080"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, os.Getenv("NAME"))
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
