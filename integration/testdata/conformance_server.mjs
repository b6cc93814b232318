// A server with the features that the official conformance suite asks for by name, on the TypeScript SDK, at /mcp of a port of
// 127.0.0.1. The arguments are the directory that has the SDK among its node_modules, and the port. What a tool, prompt or
// resource has to do is said in the description of the suite's scenario of nearly the same name.

import { createRequire } from "node:module";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

const [peers, port] = process.argv.slice(2);
const require = createRequire(peers + "/package.json");
const { Server } = require("@modelcontextprotocol/sdk/server/index.js");
const { StreamableHTTPServerTransport } = require("@modelcontextprotocol/sdk/server/streamableHttp.js");
const { createMcpExpressApp } = require("@modelcontextprotocol/sdk/server/express.js");
const { InMemoryEventStore } = require("@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js");
const types = require("@modelcontextprotocol/sdk/types.js");

// How long a client is to wait before it comes back for the rest of a stream. The suite comes back at once and then listens for
// 5 s, which must be enough for those between it and this server that do wait.
const retryInterval = 500;

const png = Buffer.from("89504e470d0a1a0a", "hex").toString("base64"); // how every PNG begins
const wav = Buffer.from("RIFF\x04\0\0\0WAVE", "latin1").toString("base64"); // as short as a WAV can be

const text = (value) => ({ type: "text", text: value });
const image = { type: "image", data: png, mimeType: "image/png" };
const audio = { type: "audio", data: wav, mimeType: "audio/wav" };
const embedded = (uri, mimeType, value) => ({ type: "resource", resource: { uri, mimeType, text: value } });

const object = (properties, required = []) => ({ type: "object", properties, required });
const string = { type: "string" };
const tool = (call, inputSchema = object({})) => ({ call, inputSchema });

async function log(_, { sendNotification }) {
  for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
    await sendNotification({ method: "notifications/message", params: { level: "info", data } });
    await pause(50);
  }
  return [text("logged three times")];
}

async function report(_, { sendNotification, _meta }) {
  const progressToken = _meta?.progressToken;
  for (const progress of [0, 50, 100]) {
    if (progressToken !== undefined) {
      await sendNotification({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
    }
    await pause(50);
  }
  return [text("done")];
}

async function sample({ prompt }, { sendRequest }) {
  const params = { messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 };
  const answer = await sendRequest({ method: "sampling/createMessage", params }, types.CreateMessageResultSchema);
  return [text(`LLM response: ${answer.content.text}`)];
}

const elicit = (requestedSchema) => async ({ message = "Fill in the form" }, { sendRequest }) => {
  const request = { method: "elicitation/create", params: { message, requestedSchema } };
  const { action, content } = await sendRequest(request, types.ElicitResultSchema);
  return [text(`User response: action=${action}, content=${JSON.stringify(content ?? {})}`)];
};

async function part(_, { closeSSEStream }) {
  closeSSEStream();
  await pause(100);
  return [text("the client came back")];
}

const defaults = object({
  name: { type: "string", default: "John Doe" },
  age: { type: "integer", default: 30 },
  score: { type: "number", default: 95.5 },
  status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
  verified: { type: "boolean", default: true },
});

const plain = ["option1", "option2", "option3"];
const titled = ["One", "Two", "Three"].map((title, i) => ({ const: `value${i + 1}`, title }));
const enums = object({
  untitledSingle: { type: "string", enum: plain },
  titledSingle: { type: "string", oneOf: titled },
  legacyEnum: { type: "string", enum: plain, enumNames: ["One", "Two", "Three"] },
  untitledMulti: { type: "array", items: { type: "string", enum: plain } },
  titledMulti: { type: "array", items: { anyOf: titled } },
});

const fullSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  $defs: { address: { $anchor: "addressDef", ...object({ street: string, city: string }) } },
  ...object({ name: string, address: { $ref: "#/$defs/address" }, phone: string, email: string }),
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { required: ["name"] },
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
};

const mixed = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}');
const tools = {
  test_simple_text: tool(() => [text("This is a simple text response for testing.")]),
  test_image_content: tool(() => [image]),
  test_audio_content: tool(() => [audio]),
  test_embedded_resource: tool(() => [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]),
  test_multiple_content_types: tool(() => [text("Multiple content types test:"), image, mixed]),
  test_tool_with_logging: tool(log),
  test_tool_with_progress: tool(report),
  test_error_handling: tool(() => Promise.reject(new Error("This tool intentionally returns an error for testing"))),
  test_sampling: tool(sample, object({ prompt: string }, ["prompt"])),
  test_elicitation: tool(elicit(object({ response: string }, ["response"])), object({ message: string }, ["message"])),
  test_elicitation_sep1034_defaults: tool(elicit(defaults)),
  test_elicitation_sep1330_enums: tool(elicit(enums)),
  test_reconnection: tool(part),
  json_schema_2020_12_tool: tool((args) => [text(JSON.stringify(args))], fullSchema),
};

const user = (content) => ({ role: "user", content });
const prompts = {
  test_simple_prompt: { get: () => [user(text("This is a simple prompt for testing."))] },
  test_prompt_with_arguments: {
    arguments: ["arg1", "arg2"],
    get: ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  },
  test_prompt_with_embedded_resource: {
    arguments: ["resourceUri"],
    get: ({ resourceUri }) => [
      user(embedded(resourceUri, "text/plain", "Embedded resource content for testing.")),
      user(text("Please process the embedded resource above.")),
    ],
  },
  test_prompt_with_image: { get: () => [user(image), user(text("Please analyze the image above."))] },
};

const resources = {
  "test://static-text": { mimeType: "text/plain", text: "This is the content of the static text resource." },
  "test://static-binary": { mimeType: "image/png", blob: png },
  "test://watched-resource": { mimeType: "text/plain", text: "It never changes." },
};
const template = "test://template/{id}/data";

function read(uri) {
  const id = uri.match(/^test:\/\/template\/([^/]+)\/data$/)?.[1];
  if (id !== undefined) {
    return { mimeType: "application/json", text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) };
  }
  return resources[uri] ?? refuse(`there is no resource ${uri}`);
}

function refuse(why) {
  throw new types.McpError(types.ErrorCode.InvalidParams, why);
}

async function callTool({ params: { name, arguments: args = {} } }, extra) {
  const { call } = tools[name] ?? refuse(`there is no tool ${name}`);
  try {
    return { content: await call(args, extra) };
  } catch (err) {
    return { isError: true, content: [text(err.message)] };
  }
}

const listed = (features, list) => Object.entries(features).map(([name, feature]) => ({ name, description: name, ...list(feature) }));
const answers = [
  [types.ListToolsRequestSchema, () => ({ tools: listed(tools, ({ inputSchema }) => ({ inputSchema })) })],
  [types.CallToolRequestSchema, callTool],
  [types.ListPromptsRequestSchema, () => ({ prompts: listed(prompts, (p) => ({ arguments: p.arguments?.map((name) => ({ name, required: true })) })) })],
  [types.GetPromptRequestSchema, ({ params: { name, arguments: args } }) => ({ messages: (prompts[name] ?? refuse(`there is no prompt ${name}`)).get(args) })],
  [types.ListResourcesRequestSchema, () => ({ resources: Object.entries(resources).map(([uri, { mimeType }]) => ({ uri, name: uri, description: uri, mimeType })) })],
  [types.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [{ uriTemplate: template, name: "template", description: "Any id will do" }] })],
  [types.ReadResourceRequestSchema, ({ params: { uri } }) => ({ contents: [{ uri, ...read(uri) }] })],
  [types.SubscribeRequestSchema, () => ({})],
  [types.UnsubscribeRequestSchema, () => ({})],
  [types.CompleteRequestSchema, () => ({ completion: { values: ["paris", "park"], total: 2, hasMore: false } })],
];

const sessions = new Map(); // by id: the transport

async function open() {
  const capabilities = { tools: {}, prompts: {}, resources: { subscribe: true }, logging: {}, completions: {} };
  const server = new Server({ name: "conformance", version: "1" }, { capabilities });
  for (const [schema, answer] of answers) server.setRequestHandler(schema, answer);
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new InMemoryEventStore(),
    retryInterval,
    onsessioninitialized: (id) => sessions.set(id, transport),
    onsessionclosed: (id) => sessions.delete(id),
  });
  await server.connect(transport);
  return transport;
}

const app = createMcpExpressApp(); // refuses foreign hosts
app.all("/mcp", async (req, res) => {
  const id = req.headers["mcp-session-id"];
  const opens = id === undefined && types.isInitializeRequest(req.body);
  const transport = opens ? await open() : sessions.get(id);
  if (transport) return transport.handleRequest(req, res, req.body);
  const error = { code: -32600, message: id === undefined ? "a session id is missing" : "there is no such session" };
  res.status(id === undefined ? 400 : 404).json({ jsonrpc: "2.0", id: null, error });
});
app.listen(Number(port), "127.0.0.1");
