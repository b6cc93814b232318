package proxy

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// maxName is how long a public name may be: several clients refuse longer ones.
const maxName = 64

// publicName returns the name of a tool or prompt at endpoints of many servers:
// serverId__name. Characters that clients refuse become "_"; a name that had some,
// or is too long, ends in a hash of its full text, so that it stays unique and is
// the same after every restart.
func publicName(server, own string) string {
	full := server + "__" + own
	clean := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("_.-", r):
			return r
		}
		return '_'
	}, full)
	if clean == full && len(full) <= maxName {
		return full
	}
	sum := sha256.Sum256([]byte(full))
	hash := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:8])
	return clean[:min(len(clean), maxName-9)] + "_" + hash
}
