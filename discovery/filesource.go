package discovery

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// checkEvery is how often the file is looked at. It is not watched, because
// file events do not pass through the bind mounts of Docker.
const checkEvery = 2 * time.Second

// FileSource is the Source that reads a configuration file. A file that is
// unreadable or invalid changes nothing and is reported.
type FileSource struct {
	path   string
	lookup func(string) (string, bool)
	accept func(*Config) error
	log    *slog.Logger
	reload chan struct{} // holds one request
	err    atomic.Pointer[error]

	// Of the file as it was last read; owned by Run.
	seen os.FileInfo
	sum  [sha256.Size]byte
}

// NewFileSource returns a FileSource for the file at path. Before the List of
// a new Config is sent, accept is called with it on the goroutine of Run; if
// that returns an error the file counts as invalid.
func NewFileSource(path string, lookup func(string) (string, bool), accept func(*Config) error, log *slog.Logger) *FileSource {
	return &FileSource{path: path, lookup: lookup, accept: accept, log: log, reload: make(chan struct{}, 1)}
}

// Reload has the file read again soon, even if it looks unchanged. It does not
// block.
func (f *FileSource) Reload() {
	select {
	case f.reload <- struct{}{}:
	default:
	}
}

// LastError returns what is wrong with the file as it is now, or nil; then the
// last valid one is in force.
func (f *FileSource) LastError() error {
	if err := f.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Run implements Source.
func (f *FileSource) Run(ctx context.Context, lists chan<- List) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	f.seen, f.sum = nil, [sha256.Size]byte{}
	var out chan<- List // nil while there is nothing new to send
	var list List
	for {
		if config := f.check(); config != nil {
			list, out = config.List(), lists
		}
		select {
		case <-ctx.Done():
			return nil
		case out <- list:
			out = nil
		case <-tick.C:
		case <-f.reload:
			f.seen, f.sum = nil, [sha256.Size]byte{}
		}
	}
}

// check returns the file's Config if it is new and valid.
func (f *FileSource) check() *Config {
	info, err := os.Stat(f.path)
	if err == nil && f.unchanged(info) {
		return nil
	}
	f.seen = info
	data, err := os.ReadFile(f.path)
	if err != nil {
		f.sum = [sha256.Size]byte{}
		if last := f.LastError(); last == nil || last.Error() != err.Error() {
			f.refuse(err)
		}
		return nil
	}
	sum := sha256.Sum256(data)
	if sum == f.sum {
		return nil
	}
	f.sum = sum
	config, err := ParseConfig(f.path, data, f.lookup)
	if err == nil {
		err = f.accept(config)
	}
	if err != nil {
		f.refuse(err)
		return nil
	}
	f.err.Store(nil)
	return config
}

// unchanged trusts a modification time only once it is old: a file that is
// written twice within the clock's grain has the same one both times.
func (f *FileSource) unchanged(info os.FileInfo) bool {
	return f.seen != nil && os.SameFile(f.seen, info) && f.seen.Size() == info.Size() &&
		f.seen.ModTime().Equal(info.ModTime()) && time.Since(info.ModTime()) > checkEvery
}

func (f *FileSource) refuse(err error) {
	f.err.Store(&err)
	for line := range strings.SplitSeq(err.Error(), "\n") {
		f.log.Warn("configuration file refused, the last valid one stays in force", "err", line)
	}
}
