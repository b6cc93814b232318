package docker

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
)

// streams are the standard streams of a process in a container, on a connection of their
// own to the engine. A goroutine takes apart what comes on it.
//
// That the process has ended shows in the end of what can be read, never in a failing
// write: the engine takes what is written as long as the connection lasts.
type streams struct {
	conn           *upgraded
	stdout, stderr *io.PipeReader
	over           chan struct{}
	fate           atomic.Pointer[string] // nil while the connection lasts
}

// newStreams begins to read. When nothing more comes, inquire finds out what has become
// of the process; it should not take long.
func newStreams(conn *upgraded, inquire func() string) *streams {
	stdout, out := io.Pipe()
	stderr, complaints := io.Pipe()
	s := &streams{conn: conn, stdout: stdout, stderr: stderr, over: make(chan struct{})}
	go func() { // end waits for over
		defer close(s.over)
		_, _ = stdcopy.StdCopy(out, complaints, conn.reader) // however it ends, inquire says more
		s.fate.Store(new(inquire()))
		_ = out.Close() // never fails
		_ = complaints.Close()
	}()
	return s
}

// Stdin returns the process's standard input.
func (s *streams) Stdin() io.Writer { return s.conn }

// Stdout returns its standard output, which ends with Over.
func (s *streams) Stdout() io.Reader { return s.stdout }

// Stderr returns its standard error, which ends with Over.
func (s *streams) Stderr() io.Reader { return s.stderr }

// Over is closed when the process has ended, or the connection to it.
func (s *streams) Over() <-chan struct{} { return s.over }

// Fate says what has become of the process, for people.
func (s *streams) Fate() string {
	if fate := s.fate.Load(); fate != nil {
		return *fate
	}
	return "the process is running"
}

// end closes the input, gives the process so long to end, and then closes the connection.
// It reports whether all that time has passed.
func (s *streams) end(patience time.Duration) (passed bool) {
	_ = s.conn.CloseWrite() // fails where it is closed already
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-s.over:
	case <-late.C:
		passed = true
	}
	_ = s.conn.Close()
	_ = s.stdout.Close() // else what nobody reads would be waited for
	_ = s.stderr.Close()
	<-s.over
	return passed
}
