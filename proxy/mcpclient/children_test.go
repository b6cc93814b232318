package mcpclient

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"mcphub/proxy/jsonrpc"
)

// children are servers that the test binary can be, most of them bad ones.
var children = map[string]func(){
	"sdk":           sdkChild,
	"noisy":         noisyChild,
	"pretty":        prettyChild,
	"dies":          dyingChild,
	"mute":          func() { fmt.Println("Usage: server [options]"); time.Sleep(time.Hour) },
	"refuses":       func() { fmt.Println("no config found"); fmt.Fprint(os.Stderr, "set FOO=1\nthen retry"); os.Exit(3) },
	"deaf":          deafChild,
	"floods stderr": floodingChild,
	"long":          longChild,
	"stubborn":      stubbornChild,
	"grandchild":    func() { signal.Ignore(syscall.SIGTERM, syscall.SIGHUP); time.Sleep(time.Hour) },
	"leaves child":  leavingChild,
	"asks":          askingChild,
	"environment":   environmentChild,
	"chatty":        chattyChild,
	"closes input":  closingChild,
}

func child(name string) Stdio {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	env := ChildEnv(os.Environ(), map[string]string{childVariable: name, "GOCOVERDIR": os.TempDir()})
	return Stdio{Command: []string{exe}, Env: env}
}

type echoInput struct {
	Text string `json:"text"`
}

// sdkServer is a well-behaved server.
func sdkServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "sdk", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "echo"}, func(_ context.Context, _ *mcp.CallToolRequest, in echoInput) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Text}}}, nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "progress"}, func(ctx context.Context, req *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		for i := range 3 {
			err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: req.Params.GetProgressToken(), Progress: float64(i)})
			if err != nil {
				return nil, nil, err
			}
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "roots"}, func(ctx context.Context, req *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		//lint:ignore SA1019 what legacy servers ask is what is tested here
		roots, err := req.Session.ListRoots(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: roots.Roots[0].URI}}}, nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "wait"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		<-ctx.Done()
		mcp.AddTool(server, &mcp.Tool{Name: "cancelled"}, func(context.Context, *mcp.CallToolRequest, any) (*mcp.CallToolResult, any, error) {
			return nil, nil, nil
		})
		return nil, nil, ctx.Err()
	})
	return server
}

func sdkChild() {
	_ = sdkServer().Run(context.Background(), &mcp.StdioTransport{})
}

// eachRequest answers what comes on standard input: initialize by itself, the
// rest by answer, which gets the message and writes to standard output.
func eachRequest(answer func(*jsonrpc.Message)) {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		m, err := jsonrpc.Parse(in.Bytes())
		switch {
		case err != nil:
			fmt.Fprintln(os.Stderr, "not one line:", err)
		case m.Method == "initialize":
			fmt.Printf("%s\n", jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(initializeResult)))
		case m.Kind() != jsonrpc.Notification:
			answer(m)
		}
	}
}

func noisyChild() {
	fmt.Println("*** Welcome ***\n{ banner: true }\n{\"half\":")
	eachRequest(func(m *jsonrpc.Message) {
		fmt.Printf("DEBUG got %s\n{\n%s\n\n\x00\xff\n", m.Method, jsonrpc.AppendResult(nil, m.ID, m.Params))
	})
}

func prettyChild() {
	eachRequest(func(m *jsonrpc.Message) {
		fmt.Printf("{\n  \"jsonrpc\": \"2.0\",\n  \"id\": %s,\r\n  \"result\": {\n    \"n\": 9007199254740993\n  }\n}\n", m.ID)
	})
}

func dyingChild() {
	eachRequest(func(*jsonrpc.Message) {
		fmt.Fprintln(os.Stderr, "panic: out of cheese")
		os.Exit(7)
	})
}

// deafChild answers initialize and never reads again.
func deafChild() {
	line, err := bufio.NewReaderSize(os.Stdin, 16).ReadBytes('\n')
	m, parseErr := jsonrpc.Parse(line)
	if err != nil || parseErr != nil {
		os.Exit(1)
	}
	fmt.Printf("%s\n", jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(initializeResult)))
	time.Sleep(time.Hour)
}

func floodingChild() {
	for range 20_000 {
		fmt.Fprintln(os.Stderr, strings.Repeat("e", 100))
	}
	fmt.Fprintln(os.Stderr, strings.Repeat("long ", 100_000))
	eachRequest(func(m *jsonrpc.Message) {
		fmt.Printf("%s\n", jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(`{"alive":1}`)))
	})
}

// longChild answers a tool named long with 20 MiB.
func longChild() {
	eachRequest(func(m *jsonrpc.Message) {
		result := `{"alive":1}`
		if name, _ := m.Text(jsonrpc.Name); name == "long" {
			result = `{"x":"` + strings.Repeat("x", 20<<20) + `"}`
		}
		fmt.Printf("{\"result\":%s,\"jsonrpc\":\"2.0\",\"id\":%s}\n", result, m.ID)
	})
}

// startGrandchild starts a process that ignores SIGTERM, and tells its number.
func startGrandchild() *exec.Cmd {
	exe, _ := os.Executable()
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childVariable+"=grandchild")
	cmd.Stdout = os.Stdout // holds our output open
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	return cmd
}

// stubbornChild ignores the end of its input and SIGTERM, as does its child,
// whose number it tells.
func stubbornChild() {
	signal.Ignore(syscall.SIGTERM)
	cmd := startGrandchild()
	eachRequest(func(m *jsonrpc.Message) {
		fmt.Printf("%s\n", jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(fmt.Sprintf(`{"pid":%d}`, cmd.Process.Pid))))
	})
	time.Sleep(time.Hour)
}

// leavingChild exits and leaves a child behind that holds its output open.
func leavingChild() {
	cmd := startGrandchild()
	eachRequest(func(m *jsonrpc.Message) {
		fmt.Printf("%s\n", jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(fmt.Sprintf(`{"pid":%d}`, cmd.Process.Pid))))
		os.Exit(0)
	})
}

// askingChild asks and logs before it answers the tool ask, and answers the tool
// hold only when it is given the tool release.
func askingChild() {
	var asked, held jsonrpc.Raw
	eachRequest(func(m *jsonrpc.Message) {
		id := append(jsonrpc.Raw(nil), m.ID...)
		name, _ := m.Text(jsonrpc.Name)
		switch {
		case m.Kind() == jsonrpc.Response && string(m.ID) == `"q"`:
			fmt.Printf("%s\n", jsonrpc.AppendResult(nil, asked, jsonrpc.Raw(`{"answer":`+string(m.Result)+string(m.Error)+`}`)))
		case m.Kind() == jsonrpc.Response:
		case name == "hold":
			held = id
		case name == "release":
			fmt.Printf("%s\n%s\n", jsonrpc.AppendResult(nil, held, jsonrpc.Raw(`{"held":1}`)), jsonrpc.AppendResult(nil, id, jsonrpc.Raw(`{}`)))
		default:
			asked = id
			fmt.Println(`{"jsonrpc":"2.0","id":"p","method":"ping"}`)
			fmt.Println(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"log"}}`)
			fmt.Println(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
			fmt.Println(`{"jsonrpc":"2.0","id":4711,"result":{}}`)
			fmt.Println(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":4711,"progress":1}}`)
			fmt.Println(`{"jsonrpc":"2.0","id":"q","method":"roots/list"}`)
		}
	})
}

func environmentChild() {
	eachRequest(func(m *jsonrpc.Message) {
		text := strings.Join(os.Environ(), "\n")
		dir, _ := os.Getwd()
		fmt.Printf("%s\n", jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(fmt.Sprintf(`{"env":%s,"dir":%s}`, jsonrpc.Quote(text), jsonrpc.Quote(dir)))))
	})
}

// chattyChild sends more progress than anybody takes, then a question, then its
// answer.
func chattyChild() {
	eachRequest(func(m *jsonrpc.Message) {
		for i := range 1000 {
			fmt.Printf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d}}`+"\n", m.ID, i)
		}
		if name, _ := m.Text(jsonrpc.Name); name == "question" {
			fmt.Println(`{"jsonrpc":"2.0","id":"q","method":"roots/list"}`)
			return
		}
		if m.Method != "" {
			fmt.Printf("%s\n", jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(`{"done":1}`)))
		}
	})
}

// closingChild closes its input and lives on.
func closingChild() {
	eachRequest(func(m *jsonrpc.Message) {
		os.Stdin.Close()
		fmt.Printf("%s\n", jsonrpc.AppendResult(nil, m.ID, jsonrpc.Raw(`{"last":1}`)))
		time.Sleep(time.Hour)
	})
}
