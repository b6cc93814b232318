package discovery

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// watched is a file under the eyes of a FileSource.
type watched struct {
	t       *testing.T
	path    string
	source  *FileSource
	desired <-chan Desired

	mu       sync.Mutex // time passing is no order to the race detector
	log      strings.Builder
	accepted int
	veto     error
}

// Write implements io.Writer for the log.
func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *watched) accept(*Config) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.veto == nil {
		w.accepted++
	}
	return w.veto
}

func (w *watched) setVeto(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.veto = err
}

// logged returns, and forgets, what was logged.
func (w *watched) logged() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.log.Reset()
	return w.log.String()
}

func watchFile(t *testing.T, content string) (w *watched, stop func()) {
	w = &watched{t: t, path: filepath.Join(t.TempDir(), "config.json")}
	w.write(content)
	plain := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key != "err" {
			return slog.Attr{}
		}
		return slog.String("err", strings.ReplaceAll(a.Value.String(), w.path, "config.json"))
	}}
	w.source = NewFileSource(w.path, variables(), w.accept, slog.New(slog.NewTextHandler(w, plain)))
	w.desired, stop = watch(t, w.source)
	return w, stop
}

func (w *watched) write(content string) {
	w.t.Helper()
	if err := os.WriteFile(w.path+".new", []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(w.path+".new", w.path); err != nil {
		w.t.Fatal(err)
	}
}

// expect says what comes of the next look at the file: the servers, how many
// files were accepted so far, and the log.
func (w *watched) expect(what, servers string, accepted int, log string) {
	w.t.Helper()
	time.Sleep(checkEvery)
	check(w.t, what, newestOf(w.desired), servers)
	check(w.t, what+": log", w.logged(), log)
	check(w.t, what+": accepted", fmt.Sprint(w.accepted), fmt.Sprint(accepted))
	if (log != "") != (w.source.LastError() != nil) {
		w.t.Errorf("%s: the last error is %v", what, w.source.LastError())
	}
}

const oneServer = `{"servers": {"%s": {"url": "http://a"}}}`

func TestFileSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := watchFile(t, fmt.Sprintf(oneServer, "a"))
		defer stop()
		w.expect("start", "a@file map[] map[]", 1, "")
		w.expect("unchanged", "nothing", 1, "")
		w.write(fmt.Sprintf(oneServer, "b")) // as long as before
		w.expect("changed", "b@file map[] map[]", 2, "")

		w.write(`{"srvers": {}, "prt": 1}`)
		w.expect("invalid", "nothing", 2, `err="config.json: srvers: unknown key; did you mean \"servers\"?"
err="config.json: prt: unknown key; known are groups, hub, servers"`)
		time.Sleep(time.Minute)
		check(t, "an error is logged once", w.logged(), "")
		if w.source.LastError() == nil {
			t.Error("the error is forgotten while the file is invalid")
		}
		w.write(fmt.Sprintf(oneServer, "b"))
		w.expect("mended", "b@file map[] map[]", 3, "")
	})
}

func TestFileSourceLosesItsFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := watchFile(t, fmt.Sprintf(oneServer, "a"))
		defer stop()
		w.expect("start", "a@file map[] map[]", 1, "")
		os.Remove(w.path)
		w.expect("gone", "nothing", 1, `err="open config.json: no such file or directory"`)
		time.Sleep(time.Minute)
		check(t, "an error is logged once", w.logged(), "")
		w.write(fmt.Sprintf(oneServer, "a"))
		w.expect("back", "a@file map[] map[]", 2, "")
	})
}

func TestFileSourceReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := watchFile(t, fmt.Sprintf(oneServer, "a"))
		defer stop()
		w.expect("start", "a@file map[] map[]", 1, "")
		start := time.Now()
		w.source.Reload()
		w.source.Reload()
		check(t, "reload", newestOf(w.desired), "a@file map[] map[]")
		synctest.Wait()
		if waited := time.Since(start); waited != 0 || w.accepted < 2 {
			t.Errorf("after %v, %d files were accepted", waited, w.accepted)
		}
	})
}

func TestFileSourceVeto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := watchFile(t, fmt.Sprintf(oneServer, "a"))
		defer stop()
		w.expect("start", "a@file map[] map[]", 1, "")
		w.setVeto(errors.New("group dev: no server"))
		w.write(fmt.Sprintf(oneServer, "b"))
		w.expect("vetoed", "nothing", 1, `err="group dev: no server"`)
		w.setVeto(nil)
		w.source.Reload()
		w.expect("reloaded", "b@file map[] map[]", 2, "")
	})
}

// A file that has not changed for long is not read again.
func TestFileSourceTrustsOldFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	f := NewFileSource(path, variables(), func(*Config) error { return nil }, slog.New(slog.DiscardHandler))
	if f.check() == nil {
		t.Fatal("a valid file was not accepted")
	}
	f.sum[0]++ // reading it would now find it changed
	if f.check() != nil {
		t.Error("a file with an old time was read again")
	}
	if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if f.check() == nil {
		t.Error("a file with a new time was not read")
	}
	f.sum[0]++
	if f.check() == nil {
		t.Error("a file with the time of a moment ago was not read again")
	}
}
