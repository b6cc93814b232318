package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"mcphub/discovery"
)

// The types of settings that are more than a word. Each has a parser below; the
// parser of a secret does not repeat the value in its errors.
type (
	sessionKeys [][]byte
	hostNames   []string
	origins     []string
	byteSize    int64
	logLevel    string
)

// Level implements slog.Leveler.
func (l logLevel) Level() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l)) // the parser took nothing else
	return level
}

var parsers = map[reflect.Type]env.ParserFunc{
	reflect.TypeFor[int]():           parser(parseCount),
	reflect.TypeFor[bool]():          parser(discovery.ParseBool),
	reflect.TypeFor[time.Duration](): parser(discovery.ParseDuration),
	reflect.TypeFor[sessionKeys]():   parser(parseSessionKeys),
	reflect.TypeFor[hostNames]():     parser(parseHostNames),
	reflect.TypeFor[origins]():       parser(parseOrigins),
	reflect.TypeFor[byteSize]():      parser(parseByteSize),
	reflect.TypeFor[logLevel]():      parser(choice[logLevel]("debug", "info", "warn", "error")),
	reflect.TypeFor[logFormat]():     parser(choice[logFormat]("auto", "text", "json")),
	reflect.TypeFor[dockerMode]():    parser(choice[dockerMode]("auto", "on", "off")),
}

func parser[T any](parse func(string) (T, error)) env.ParserFunc {
	return func(s string) (any, error) { return parse(strings.TrimSpace(s)) }
}

func choice[T ~string](choices ...string) func(string) (T, error) {
	return func(s string) (T, error) {
		if slices.Contains(choices, s) {
			return T(s), nil
		}
		return "", fmt.Errorf("%q is none of %s", s, strings.Join(choices, ", "))
	}
}

func parseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%q is no whole number from 0", s)
	}
	return n, nil
}

// parseByteSize reads 1000000, 16MiB, 16 MB and the like.
func parseByteSize(s string) (byteSize, error) {
	digits := strings.TrimRight(s, " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	units := map[string]int64{"": 1, "b": 1,
		"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
	unit, known := units[strings.ToLower(strings.TrimSpace(s[len(digits):]))]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || n <= 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no size; write e.g. 16MiB or 1000000", s)
	}
	return byteSize(n * unit), nil
}

// parseSessionKeys reads keys in either alphabet of base64, padded or not.
func parseSessionKeys(s string) (keys sessionKeys, err error) {
	const least = 32
	plain := strings.NewReplacer("-", "+", "_", "/", "=", "")
	for i, part := range strings.Split(s, ",") {
		key, err := base64.RawStdEncoding.DecodeString(plain.Replace(strings.TrimSpace(part)))
		switch {
		case err != nil:
			return nil, fmt.Errorf("key %d is not base64; make one by: openssl rand -base64 32", i+1)
		case len(key) < least:
			return nil, fmt.Errorf("key %d has %d bytes; it takes %d, as from: openssl rand -base64 32", i+1, len(key), least)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func commaSeparated(s string) (items []string) {
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.ToLower(strings.TrimSpace(item)); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func parseHostNames(s string) (hostNames, error) {
	hosts := commaSeparated(s)
	for _, host := range hosts {
		if strings.ContainsAny(host, "/:*@ ") {
			return nil, fmt.Errorf("%q is no host name; write it without scheme, port and path", host)
		}
	}
	return hosts, nil
}

func parseOrigins(s string) (origins, error) {
	list := commaSeparated(s)
	for _, origin := range list {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return nil, fmt.Errorf("%q is no origin; write e.g. https://app.example.com", origin)
		}
	}
	return list, nil
}

// parseHost takes [::1] and ::1 alike.
func parseHost(s string) (string, error) {
	host := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	switch {
	case strings.ContainsAny(host, "/ []"):
		return "", fmt.Errorf("%q is no host; write e.g. 0.0.0.0", s)
	case strings.Count(host, ":") == 1:
		return "", fmt.Errorf("%q has a port; set it by MCPHUB_PORT", s)
	}
	return host, nil
}

var errEmpty = errors.New("is empty; give it a value or unset it")
