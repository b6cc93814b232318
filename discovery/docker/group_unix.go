//go:build unix

package docker

import (
	"os"
	"syscall"
)

// group returns the group that owns a file.
func group(info os.FileInfo) (gid uint32, known bool) {
	if info == nil {
		return 0, false
	}
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, false
	}
	return stat.Gid, true
}
