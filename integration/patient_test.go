package integration

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// newPatientServer returns a server whose tool until answers as soon as a file is there.
func newPatientServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "patient", Version: "1"}, nil)
	type wish struct {
		File  string `json:"file"`
		Begun string `json:"begun"` // is made when the call has come
	}
	mcp.AddTool(server, &mcp.Tool{Name: "until"}, func(ctx context.Context, _ *mcp.CallToolRequest, in wish) (*mcp.CallToolResult, any, error) {
		if err := os.WriteFile(in.Begun, nil, 0o600); err != nil {
			return nil, nil, err
		}
		for !exists(in.File) {
			select {
			case <-time.After(pollEvery):
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			}
		}
		return textResult("it is there"), nil, nil
	})
	return server
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// patientHub starts a hub with the patient server.
func patientHub(t *testing.T, env ...string) *process {
	t.Helper()
	return startHub(t, hubOptions{Env: append([]string{
		"MCPHUB_SERVER_PATIENT_COMMAND=" + gosdkCommand(t)[0],
		"MCPHUB_SERVER_PATIENT_ENV_" + serverVariable + "=patient",
	}, env...)})
}

// longCall is a call of the tool until.
type longCall struct {
	file   string // lets it end
	answer chan longAnswer
}

type longAnswer struct {
	text string
	err  error
}

// startLongCall makes a call, and returns when the server has it.
func startLongCall(t *testing.T, c *client) *longCall {
	t.Helper()
	dir := t.TempDir()
	call := &longCall{file: filepath.Join(dir, "end"), answer: make(chan longAnswer, 1)}
	begun := filepath.Join(dir, "begun")
	go func() { // ends with the hub at the latest
		text, err := c.call(context.Background(), "patient__until", map[string]any{"file": call.file, "begun": begun})
		call.answer <- longAnswer{text, err}
	}()
	eventually(t, requestLimit, "the call to reach the server", func() bool { return exists(begun) })
	return call
}

// end has the server answer.
func (l *longCall) end(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(l.file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// signal sends a signal to the hub alone.
func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// awaitExit returns the exit status, -1 if a signal ended the process.
func (p *process) awaitExit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(startLimit):
		t.Fatalf("%s does not end", p.cmd.Path)
	}
	return p.cmd.ProcessState.ExitCode()
}
