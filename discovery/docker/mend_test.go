package docker

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What keeps the hub from the socket is said with its mend.
func TestMend(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no sockets with groups here")
	}
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	_ = listener.Close()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for socket, want := range map[string]string{
		filepath.Join(dir, "absent"): "there is no socket at ",
		dir:                          " is a directory: Docker has made it because the path to mount did not exist on the host",
		plain:                        " is no socket; ",
		stale:                        "nobody listens at the socket ",
	} {
		_, err := connect(t.Context(), "unix://"+socket, "", nil)
		if err = mend(err, "unix://"+socket); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), socket) {
			t.Errorf("%s: got %v, want %s", socket, err, want)
		}
	}
	for gid, want := range map[int]string{
		105: `run the hub with --group-add 105, which is $(stat -c %g /run/d.sock) (in Compose: group_add: ["105"])`,
		0:   `it belongs to the group 0: run the hub with --user 0 (user: "0" in Compose), or put a socket proxy before it`,
	} {
		if os.Getuid() != 0 {
			t.Skip("only root can give files to groups")
		}
		if err := os.Chown(plain, -1, gid); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(plain)
		if err != nil {
			t.Fatal(err)
		}
		if got := admission("/run/d.sock", info); got != want {
			t.Errorf("group %d: got %s, want %s", gid, got, want)
		}
	}
	if want := errors.New("x"); mend(want, "unix:///x") != want {
		t.Error("an error that is no matter of the socket was replaced")
	}
}
