//go:build !unix

package docker

import "os"

// group returns false: there are no groups here.
func group(os.FileInfo) (gid uint32, known bool) { return 0, false }
