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
	mcp.AddTool(server, &mcp.Tool{Name: "until"}, func(ctx context.Context, req *mcp.CallToolRequest, in wish) (*mcp.CallToolResult, any, error) {
		if token := req.Params.GetProgressToken(); token != nil {
			if err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token}); err != nil {
				return nil, nil, err
			}
		}
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
	result string
	err    error
}

// startLongCall makes a call, and returns when the server has it.
func startLongCall(t *testing.T, c *client) *longCall { return startLongCallWith(t, c, nil) }

// startLongCallWith makes a call with a progress token, if there is one: then the answer is a stream.
func startLongCallWith(t *testing.T, c *client, token any) *longCall {
	t.Helper()
	dir := t.TempDir()
	call := &longCall{file: filepath.Join(dir, "end"), answer: make(chan longAnswer, 1)}
	begun := filepath.Join(dir, "begun")
	params := map[string]any{"name": "patient__until", "arguments": map[string]any{"file": call.file, "begun": begun}}
	if token != nil {
		params["_meta"] = map[string]any{"progressToken": token}
	}
	go func() { // ends with the hub at the latest
		result, err := c.request(context.Background(), "tools/call", params)
		call.answer <- longAnswer{string(result), err}
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
