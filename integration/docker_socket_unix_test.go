//go:build unix

package integration

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// fileGroup returns the group that owns a file.
func fileGroup(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return "", fmt.Errorf("the group of %s is not known here", path)
	}
	return strconv.Itoa(int(stat.Gid)), nil
}
