// A server made with the TypeScript SDK, with what featureSteps and moreSteps of realclients_features_test.go ask for, on
// 127.0.0.1 at /mcp. Its arguments are the port and the directory that has the SDK among its node_modules. It numbers its
// events.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [port, modules] = process.argv.slice(2);
const require = createRequire(modules + "/package.json");
const { Server } = require("@modelcontextprotocol/sdk/server/index.js");
const { StreamableHTTPServerTransport } = require("@modelcontextprotocol/sdk/server/streamableHttp.js");
const types = require("@modelcontextprotocol/sdk/types.js");

const icons = [{ src: "https://example.com/icon.png", mimeType: "image/png", sizes: ["48x48"] }];
const _meta = { "example.com/kept": { number: 9007199254740991 } };
const annotations = { audience: ["user"], priority: 0.5, lastModified: "2025-01-12T15:00:58Z" };
const common = { title: "Described", icons, _meta };

const text = (text) => ({ content: [{ type: "text", text }] });
const pause = (seconds = 0) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const object = (properties = {}) => ({ type: "object", properties });

const form = {
  ...object({
    name: { type: "string", title: "Name", minLength: 2, default: "Grace" },
    mail: { type: "string", format: "email" },
    age: { type: "integer", minimum: 0, default: 30 },
    happy: { type: "boolean", default: true },
    colour: { type: "string", enum: ["red", "green"], default: "green" },
    size: { type: "string", oneOf: [{ const: "s", title: "Small" }, { const: "l", title: "Large" }] }, // prettier-ignore
    fruits: { type: "array", items: { type: "string", enum: ["apple", "plum"] }, default: ["apple"] },
  }),
  required: ["name"],
};

const described = {
  name: "described",
  description: "Has all that a tool may have.",
  inputSchema: object({ city: { type: "string" } }),
  outputSchema: object({ city: { type: "string" }, degrees: { type: "number" } }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  ...common,
};

const contents = [
  { type: "audio", data: "UklGRg==", mimeType: "audio/wav" },
  { type: "image", data: "iVBORw0KGgo=", mimeType: "image/png", annotations: { audience: ["assistant"], priority: 0.25 } },
  { type: "resource", resource: { uri: "embedded://text", mimeType: "text/plain", text: "an embedded text" } },
  { type: "resource", resource: { uri: "embedded://bytes", blob: "AAEC" } },
  { type: "resource_link", uri: "linked://text", name: "linked", title: "A linked text", size: 11, icons },
];

// tools returns what each tool does in a session.
function tools(server) {
  let unlocked = false;
  const complete = (elicitationId) => setImmediate(server.createElicitationCompletionNotifier(elicitationId));
  return {
    described: ({ city }) => ({
      ...text(city),
      structuredContent: { city, degrees: 21.5 },
      _meta: { "example.com/result": "kept" },
    }),
    contents: () => ({ content: contents }),
    open: async (_, extra) => {
      const params = { mode: "url", elicitationId: "open-1", url: "https://example.com/open?a=b&c=d", message: "Please open this." }; // prettier-ignore
      const { action } = await server.elicitInput(params, { relatedRequestId: extra.requestId });
      complete("open-1");
      return text(action);
    },
    locked: () => {
      if (unlocked) return text("unlocked");
      unlocked = true;
      complete("lock-1");
      const url = "https://example.com/unlock";
      throw new types.UrlElicitationRequiredError([{ mode: "url", elicitationId: "lock-1", url, message: "Please unlock." }]);
    },
    weather: async (_, extra) => {
      const options = { relatedRequestId: extra.requestId };
      const messages = [{ role: "user", content: { type: "text", text: "How warm is it in Graz?" } }];
      const params = {
        messages,
        maxTokens: 10,
        tools: [{ name: "thermometer", inputSchema: object({ city: { type: "string" } }) }],
        toolChoice: { mode: "required" },
      };
      const first = await server.createMessage(params, options);
      const use = first.content[1];
      const degrees = text(`21.5 degrees in ${use.input.city}`).content;
      const result = { type: "tool_result", toolUseId: use.id, content: degrees };
      messages.push({ role: "assistant", content: first.content }, { role: "user", content: [result] });
      const second = await server.createMessage(params, options);
      return text(`${second.model} says ${[second.content].flat()[0].text}`);
    },
    form: async (_, extra) => {
      const params = { mode: "form", message: "Fill in.", requestedSchema: form };
      return text(JSON.stringify(await server.elicitInput(params, { relatedRequestId: extra.requestId })));
    },
    ping: async () => {
      await server.ping(); // not on the stream of the call
      return text("pong");
    },
    poll: async (_, extra) => {
      await progress(extra, 1, 2, "before");
      extra.closeSSEStream?.();
      await progress(extra, 2, 2, "after");
      return text("polled");
    },
    count: async ({ steps, pause: seconds }, extra) => {
      for (let n = 1; n <= steps; n++) {
        await pause(seconds);
        await progress(extra, n, steps, `step ${n}`);
      }
      return text(`counted ${steps}`);
    },
  };
}

function progress({ _meta, sendNotification }, progress, total, message) {
  const params = { progressToken: _meta.progressToken, progress, total, message };
  return sendNotification({ method: "notifications/progress", params });
}

function newServer() {
  const server = new Server(
    { name: "features", title: "Features", version: "1", websiteUrl: "https://example.com", icons },
    { capabilities: { tools: {}, prompts: {}, resources: {}, logging: {}, completions: {} }, instructions: "Ask for any feature." },
  );
  const calls = tools(server);
  const inputSchema = object({ steps: { type: "integer" }, pause: { type: "number" } });
  const others = Object.keys(calls).filter((name) => name !== "described");
  server.setRequestHandler(types.ListToolsRequestSchema, () => ({ tools: [described, ...others.map((name) => ({ name, inputSchema }))] }));
  server.setRequestHandler(types.CallToolRequestSchema, ({ params }, extra) => calls[params.name](params.arguments ?? {}, extra));

  const mimeType = "text/plain";
  const resource = { uri: "described://text", name: "described", mimeType, size: 6, annotations, ...common };
  const template = { uriTemplate: "described://{name}/text", name: "described", mimeType, annotations, ...common };
  server.setRequestHandler(types.ListResourcesRequestSchema, () => ({ resources: [resource] }));
  server.setRequestHandler(types.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [template] }));
  server.setRequestHandler(types.ReadResourceRequestSchema, ({ params: { uri } }) => {
    const name = uri.match(/^described:\/\/(.*)\/text$/)?.[1];
    return { contents: [{ uri, mimeType, text: name ? `a text of ${name}` : "a text" }] };
  });

  const prompt = { name: "described", arguments: [{ name: "whom", description: "Whom to greet", required: true }], ...common };
  server.setRequestHandler(types.ListPromptsRequestSchema, () => ({ prompts: [prompt] }));
  server.setRequestHandler(types.GetPromptRequestSchema, ({ params }) => ({
    description: "A greeting",
    messages: [{ role: "user", content: { type: "text", text: `Greet ${params.arguments.whom}.` } }],
  }));
  server.setRequestHandler(types.CompleteRequestSchema, ({ params: { argument, context } }) => ({
    completion: { values: [`${argument.value} in ${context.arguments.language}`], total: 7, hasMore: true },
  }));
  server.setNotificationHandler(types.RootsListChangedNotificationSchema, async () => {
    const { roots } = await server.listRoots();
    await server.sendLoggingMessage({ level: "notice", data: roots.map((root) => root.name).join(", ") });
  });
  return server;
}

// EventStore keeps the events of one session.
class EventStore {
  events = [];
  async storeEvent(streamId, message) {
    this.events.push({ streamId, message });
    return String(this.events.length);
  }
  async getStreamIdForEventId(id) {
    return this.events[id - 1]?.streamId;
  }
  async replayEventsAfter(id, { send }) {
    const { streamId } = this.events[id - 1];
    for (const [n, event] of [...this.events.entries()].slice(Number(id))) {
      if (event.streamId === streamId && Object.keys(event.message).length > 0) await send(String(n + 1), event.message);
    }
    return streamId;
  }
}

const sessions = new Map();

createServer(async (request, response) => {
  let transport = sessions.get(request.headers["mcp-session-id"]);
  if (!transport) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new EventStore(),
      retryInterval: 50,
      onsessioninitialized: (id) => sessions.set(id, transport),
    });
    await newServer().connect(transport);
  }
  await transport.handleRequest(request, response);
}).listen(port, "127.0.0.1");
