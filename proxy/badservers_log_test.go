package proxy

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// logbook counts what is logged, and passes some of it on to the test's output.
type logbook struct {
	slog.Handler
	*logbookCounts
}

type logbookCounts struct {
	mu    sync.Mutex
	total int
	by    map[string]int // by message
}

// passedRecords is how many records a test shows.
const passedRecords = 300

func newLogbook(t testing.TB) logbook {
	return logbook{slog.NewTextHandler(t.Output(), nil), &logbookCounts{by: map[string]int{}}}
}

// Handle implements slog.Handler.
func (l logbook) Handle(ctx context.Context, r slog.Record) error {
	l.mu.Lock()
	l.total++
	l.by[r.Message]++
	show := l.total <= passedRecords
	l.mu.Unlock()
	if !show {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (l logbook) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logbook{l.Handler.WithAttrs(attrs), l.logbookCounts}
}

// count returns how many records there were whose message contains text.
func (l logbook) count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for message, times := range l.by {
		if strings.Contains(message, text) {
			n += times
		}
	}
	return n
}
