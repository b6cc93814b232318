package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Stdio reaches a server that is a process of the hub's own, by its standard
// input and output.
type Stdio struct {
	Command []string // the program, looked up in the PATH of Env, and its arguments
	Env     []string // the whole environment; see ChildEnv
	Dir     string   // where it runs; empty: where the hub does

	// Deadline is when the process is killed, should it be ending then; may be nil.
	// Otherwise it ends in its own time: when its input is closed, 5 s later at
	// SIGTERM, 3 s later by SIGKILL.
	Deadline *Deadline
}

func (t Stdio) open(_ context.Context, s *Session) (wire, error) {
	p, err := startProcess(t, s.options.Log)
	if err != nil {
		return nil, err
	}
	return newStdio(s, p), nil
}

// process is a child in a process group of its own. It implements Streams.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File // ours, as are the next two
	stdout *os.File
	stderr *os.File
	log    *slog.Logger

	deadline *Deadline

	exited chan struct{} // closed when the child has been waited for
	err    error         // what Wait returned; set before exited is closed
}

// startProcess starts the child and a goroutine that waits for it.
func startProcess(t Stdio, log *slog.Logger) (*process, error) {
	if len(t.Command) == 0 || t.Command[0] == "" {
		return nil, errors.New("start the server: no command is given")
	}
	path, err := findProgram(t.Command[0], t.Env)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(t.Dir); t.Dir != "" && (err != nil || !info.IsDir()) {
		return nil, fmt.Errorf("start %q: the directory %q does not exist", t.Command[0], t.Dir)
	}
	cmd := exec.Command(path, t.Command[1:]...)
	cmd.Args[0] = t.Command[0]
	cmd.Env, cmd.Dir = t.Env, t.Dir
	if cmd.Env == nil {
		cmd.Env = []string{} // nil would be the hub's own
	}
	setGroup(cmd)
	p := &process{cmd: cmd, log: log, deadline: t.Deadline, exited: make(chan struct{})}
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("start %q: %w", t.Command[0], err)
	}
	return p, nil
}

// start connects the pipes and forks. The pipes are ours and not of os/exec, which
// would close them as soon as the child has exited, with its last words unread.
func (p *process) start() (err error) {
	var ours, theirs [3]*os.File
	for i := range ours {
		r, w, pipeErr := os.Pipe()
		if pipeErr != nil {
			err = pipeErr
			break
		}
		ours[i], theirs[i] = r, w
		if i == 0 {
			ours[i], theirs[i] = w, r
		}
	}
	if err == nil {
		p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirs[0], theirs[1], theirs[2]
		err = fork(p.cmd)
	}
	closeAll(theirs[:])
	if err != nil {
		closeAll(ours[:])
		return err
	}
	p.stdin, p.stdout, p.stderr = ours[0], ours[1], ours[2]
	go func() { // end waits for exited
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// findProgram returns the path of a program, which the child's own PATH decides.
func findProgram(name string, env []string) (string, error) {
	if strings.ContainsRune(name, '/') || strings.ContainsRune(name, filepath.Separator) {
		return name, nil
	}
	var path string
	for _, pair := range env {
		if key, value, _ := strings.Cut(pair, "="); strings.EqualFold(key, "PATH") {
			path = value
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // would depend on where the hub was started
		}
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("start the server: %q was not found in PATH (%s): install it, or give its full path", name, path)
}

// Stdin implements Streams.
func (p *process) Stdin() io.Writer { return p.stdin }

// Stdout implements Streams.
func (p *process) Stdout() io.Reader { return p.stdout }

// Stderr implements Streams.
func (p *process) Stderr() io.Reader { return p.stderr }

// Over implements Streams.
func (p *process) Over() <-chan struct{} { return p.exited }

// Fate implements Streams.
func (p *process) Fate() string {
	switch {
	case !p.leaderGone():
		return "the process is running"
	case p.cmd.ProcessState == nil:
		return "the process ended"
	default:
		return "the process ended: " + p.cmd.ProcessState.String()
	}
}
