package main

import (
	"bytes"
	"encoding/base64"
	"os"
	"regexp"
	"slices"
	"testing"
)

var (
	longKey  = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 32))
	shortKey = base64.StdEncoding.EncodeToString(make([]byte, 16))
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{"1": 1, "1000000": 1e6, "16MiB": 16 << 20, "16 mib": 16 << 20, "2GB": 2e9, "3kB": 3000, "4b": 4} {
		if got, err := parseByteSize(text); got != want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "1.5MiB", "MiB", "9999999999GiB", "1 M"} {
		if got, err := parseByteSize(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

func TestSessionKeys(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb}, 35) // has + and / in it, and padding behind it
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		keys, err := parseSessionKeys(longKey + ", " + encoding.EncodeToString(raw))
		if err != nil || len(keys) != 2 || !bytes.Equal(keys[1], raw) {
			t.Errorf("%s: got %x, %v", encoding.EncodeToString(raw), keys, err)
		}
	}
	if keys, err := parseSessionKeys(longKey + ","); err == nil {
		t.Errorf("an empty key was accepted: %x", keys)
	}
}

func TestUnsetSecrets(t *testing.T) {
	gone := []string{"MCPHUB_AUTH_TOKEN", "MCPHUB_AUTH", "MCPHUB_SESSION_KEY_FILE", "MCPHUB_SERVERS", "MCPHUB_SERVER_A_TOKEN",
		"MCPHUB_LABEL_SECRET_A", "MCPHUB_LABEL_SECRET_A_FILE", "MCPHUB_LABEL_SECRET_A_SERVERS"}
	for _, name := range append(gone, "MCPHUB_PORT") {
		t.Setenv(name, "x")
	}
	unsetSecrets()
	for _, name := range gone {
		if _, set := os.LookupEnv(name); set {
			t.Errorf("%s is still set", name)
		}
	}
	if os.Getenv("MCPHUB_PORT") != "x" {
		t.Error("MCPHUB_PORT is no secret, and gone")
	}
}

// The README's table and the struct say the same.
func TestReadmeTable(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	rows := regexp.MustCompile("(?m)^\\| *`(MCPHUB_[^`]*)`").FindAllStringSubmatch(string(readme), -1)
	if err != nil || len(rows) == 0 {
		t.Skip("README.md has no table of variables yet")
	}
	var listed []string
	for _, row := range rows {
		listed = append(listed, row[1])
		if !slices.Contains(knownNames(), row[1]) && !ofOne(row[1]) {
			t.Errorf("README.md lists %s, which is not read", row[1])
		}
	}
	for _, name := range append(variableNames(), "MCPHUB_SERVERS", "MCPHUB_GROUPS") {
		if !slices.Contains(listed, name) {
			t.Errorf("README.md does not list %s", name)
		}
	}
}
