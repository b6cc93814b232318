package mcpclient

import (
	"strings"
	"sync"
	"time"
)

const (
	errorLine    = 4 << 10 // a longer line is cut
	errorsPerSec = 50      // lines that go to the log
	errorBurst   = 200
	errorReport  = 10 * time.Second // how often it is said that lines were left out
	lastLines    = 5                // kept for errors
	lastLength   = 300
)

// lastWords are the last lines that a process wrote to its standard error.
type lastWords struct {
	mu    sync.Mutex // leaf
	lines []string
}

func (l *lastWords) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == lastLines {
		l.lines = append(l.lines[:0], l.lines[1:]...)
	}
	l.lines = append(l.lines, line)
}

// String returns the lines as one.
func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, " | ")
}

// readErrors logs what the process writes to its standard error until it is
// closed. Whatever the rate, it is read, so that the process is never held up;
// what is too much for the log is counted.
func (w *stdio) readErrors() {
	log := w.s.options.Log
	lines := errorLines{window{r: w.streams.Stderr(), limit: errorLine}}
	var rate allowance
	missed, reported := 0, time.Time{}
	for {
		line, err := lines.line()
		if err == errLong {
			line, err = lines.cut()
		}
		if err != nil {
			if line = lines.rest(); len(line) == 0 {
				break
			}
		}
		text := printable(line, errorLine)
		if text == "" {
			continue
		}
		w.said.add(printable(line, lastLength))
		now := time.Now()
		if rate.take(now) {
			log.Info("server wrote", "stderr", text)
		} else {
			missed++
		}
		if missed > 0 && now.Sub(reported) > errorReport {
			log.Warn("lines of stderr left out", "lines", missed)
			missed, reported = 0, now
		}
	}
	if missed > 0 {
		log.Warn("lines of stderr left out", "lines", missed)
	}
}

// errorLines are read like any, but a long one is cut and not skipped.
type errorLines struct{ window }

// cut returns the beginning of the long line that comes next.
func (l *errorLines) cut() (line []byte, err error) {
	err = l.skip(func(piece []byte) {
		line = append(line, piece[:min(len(piece), errorLine-len(line))]...)
	})
	return line, err
}

// allowance lets errorBurst lines pass and errorsPerSec from then on.
type allowance struct {
	left float64
	last time.Time // zero: nothing has been taken yet
}

func (a *allowance) take(now time.Time) bool {
	if a.last.IsZero() {
		a.left = errorBurst
	} else {
		a.left = min(errorBurst, a.left+now.Sub(a.last).Seconds()*errorsPerSec)
	}
	a.last = now
	if a.left < 1 {
		return false
	}
	a.left--
	return true
}
