//go:build unix

package docker

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/moby/client"
)

// One who may not use the socket is told the group that may.
func TestRealSocketPermission(t *testing.T) {
	const child = "MCPHUB_TEST_DOCKER_NOBODY"
	if os.Getenv(child) != "" {
		_, err := connect(t.Context(), "", "", nil)
		fmt.Println(mend(err, client.DefaultDockerHost))
		return
	}
	l := newLab(t)
	if os.Getuid() != 0 || l.client.DaemonHost() != client.DefaultDockerHost {
		t.Skip("only root can become somebody else, at the usual socket")
	}
	dir, err := os.MkdirTemp("/tmp", "nobody") // $TMPDIR may be closed to others
	l.must(err)
	defer os.RemoveAll(dir)
	l.must(os.Chmod(dir, 0o755))
	self, err := os.Executable()
	l.must(err)
	content, err := os.ReadFile(self)
	l.must(err)
	program := filepath.Join(dir, "test")
	l.must(os.WriteFile(program, content, 0o755))
	command := exec.Command(program, "-test.run", "^TestRealSocketPermission$")
	command.Dir, command.Env = dir, append(os.Environ(), child+"=1")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	out, err := command.CombinedOutput()
	l.must(err)
	if !strings.Contains(string(out), "permission denied on the socket /var/run/docker.sock: run the hub with --group-add ") {
		t.Errorf("got %s", out)
	}
}
