package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// lines answers each line of the input with one, until it ends. With deaf it stays when
// it has.
func lines(deaf bool) {
	fmt.Fprintln(os.Stderr, "ready")
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		word, rest, _ := strings.Cut(input.Text(), " ")
		switch word {
		case "exit":
			status, _ := strconv.Atoi(rest)
			os.Exit(status)
		case "complain":
			fmt.Fprintln(os.Stderr, rest)
		case "env":
			fmt.Println(os.Getenv(rest))
		case "where":
			dir, _ := os.Getwd()
			fmt.Println(dir, os.Getuid())
		default:
			fmt.Println("heard", word)
		}
	}
	fmt.Println("bye")
	if deaf {
		select {}
	}
}
