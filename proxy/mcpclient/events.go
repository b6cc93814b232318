package mcpclient

import (
	"bytes"
	"io"
	"strconv"
	"sync"
	"time"
)

// event is one event of a stream. Its data are valid until the next is read.
type event struct {
	name string // "message" if the stream names none
	data []byte // never empty, unless long
	long bool   // the event was longer than MaxMessage and has been skipped
}

// eventReader reads server-sent events as
// https://html.spec.whatwg.org/multipage/server-sent-events.html has them. What an
// event that the stream's end cuts off has said counts for nothing, its id
// included.
type eventReader struct {
	lines   window
	lastID  string        // of the last complete event that had one or after one that had
	retry   time.Duration // what the server asks to wait before reconnecting; 0 if it does not
	retried bool          // the server has asked
	skipped excerpt       // of the last event that was long
	heard   bool          // a message has come; set by who reads the events
	primed  func()        // called after an event without data that gave an id or a time to wait; may be nil

	begun bool // the first line has been read
	event      // being read
	id    string
	hasID bool
	asked bool // the event has a time to wait
	parts int  // how many data lines it has
}

// maxRetry bounds what a server can ask to wait.
const maxRetry = time.Hour

var eventReaders = sync.Pool{New: func() any { return new(eventReader) }}

// newEventReader returns a reader of r. release gives it back.
func newEventReader(r io.Reader) *eventReader {
	e := eventReaders.Get().(*eventReader)
	*e = eventReader{lines: window{r: r, buf: e.lines.buf, limit: MaxMessage + len("data: "), cr: true}}
	return e
}

// release ends the use of the reader and of all events read by it.
func (e *eventReader) release() {
	e.lines.r = nil
	if len(e.lines.buf) <= largeBuffer {
		eventReaders.Put(e)
	}
}

// next returns the next event that has data.
func (e *eventReader) next() (event, error) {
	e.start()
	for {
		line, err := e.lines.line()
		if err == errLong {
			e.tooLong()
			err = e.lines.skip(e.skipped.add)
			e.begun = true
			if err == nil {
				continue
			}
		}
		if err != nil {
			return event{}, err
		}
		if !e.begun {
			e.begun = true
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) > 0 {
			e.field(line)
		} else if e.complete() {
			return e.event, nil
		} else {
			e.start()
		}
	}
}

// start begins a new event.
func (e *eventReader) start() {
	e.lines.release()
	e.event = event{name: "message"}
	e.hasID, e.asked, e.parts = false, false, 0
}

// complete ends an event at its blank line and reports whether there is
// something to return.
func (e *eventReader) complete() bool {
	if e.hasID {
		e.lastID = e.id
	}
	if e.long {
		return true
	}
	e.data = nil
	if e.parts > 0 {
		e.data = e.lines.held()
	}
	if len(e.data) == 0 && (e.hasID || e.asked) && e.primed != nil {
		e.primed()
	}
	return len(e.data) > 0
}

// tooLong gives up an event for its length.
func (e *eventReader) tooLong() {
	e.long = true
	e.skipped.reset()
	e.lines.release()
}

// field reads one line of an event.
func (e *eventReader) field(line []byte) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		value = line[len(line):] // not nil: hold wants to know where it lies
	}
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(name) {
	case "data":
		e.addData(value)
	case "event":
		e.name = eventName(value)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			e.id, e.hasID = string(value), true
		}
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			e.retry, e.retried = min(time.Duration(ms)*time.Millisecond, maxRetry), true
			e.asked = true
		}
	}
}

// eventName returns the name without a copy where it is one that the hub knows.
func eventName(value []byte) string {
	switch string(value) {
	case "", "message":
		return "message"
	case "endpoint":
		return "endpoint"
	default:
		return string(value)
	}
}

func (e *eventReader) addData(value []byte) {
	if e.long {
		return
	}
	if e.parts > 0 && len(e.lines.held())+1+len(value) > MaxMessage || len(value) > MaxMessage {
		e.tooLong()
		e.skipped.add(value)
		return
	}
	e.lines.hold(value, e.parts == 0)
	e.parts++
}
