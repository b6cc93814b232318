// The TypeScript SDK's client, doing the steps of a script: the only argument is the directory that has the SDK among its
// node_modules, standard input is {"url", "steps"}, standard output one line of JSON for each step. realclients_test.go
// has the words of the script.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.argv[2] + "/package.json");
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const types = require("@modelcontextprotocol/sdk/types.js");

const { url, version, steps } = JSON.parse(readFileSync(0, "utf8"));
const patience = 30_000;

const heard = new Map(); // what came by itself, by method, until a step awaits it
const waiting = new Set(); // called at everything that comes
let current; // the step
let cancel = new AbortController();

function hear(method, params = {}) {
  heard.set(method, [...(heard.get(method) ?? []), params]);
  for (const check of waiting) check();
  if (current?.cancel === method) cancel.abort();
}

const capabilities = {
  sampling: { tools: {}, context: {} },
  elicitation: { form: { applyDefaults: true }, url: {} },
  roots: { listChanged: true },
};
const client = new Client({ name: "typescript", version: "1" }, { capabilities });
let transport = new StreamableHTTPClientTransport(new URL(url));
const send = transport.send.bind(transport);
transport.send = (message, options) => {
  if (message.method === "initialize") message.params.protocolVersion = version; // the client has no option for it
  return send(message, options);
};
const roots = [{ uri: "file:///first", name: "first" }];

client.fallbackNotificationHandler = async ({ method, params }) => hear(method, params);
client.setRequestHandler(types.ListRootsRequestSchema, () => ({ roots }));
client.setRequestHandler(types.CreateMessageRequestSchema, async ({ params }) => {
  hear("sampling/createMessage", params);
  await meet();
  const answer = { role: "assistant", model: "test-model" };
  let content = [params.messages.at(-1).content].flat()[0];
  if (content.type === "tool_result") {
    content = content.content[0];
  } else if (params.tools) {
    const use = { type: "tool_use", id: "use-1", name: params.tools[0].name, input: { city: "Graz" } };
    return { ...answer, stopReason: "toolUse", content: [{ type: "text", text: "let me see" }, use] };
  }
  return { ...answer, content: { type: "text", text: `sampled: ${content.text}` } };
});
client.setRequestHandler(types.ElicitRequestSchema, async ({ params }, { signal }) => {
  hear("elicitation/create", params);
  await meet();
  if (params.mode === "url") return { action: "accept" };
  if (!current.cancel) return { action: "accept", content: current.answer };
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(hear("withdrawn")))); // the user reads on
});

async function meet() {
  if (current.meet) await fetch(current.meet);
}

const lists = {
  tools: (params) => client.listTools(params).then((r) => [r, r.tools, "name"]),
  prompts: (params) => client.listPrompts(params).then((r) => [r, r.prompts, "name"]),
  resources: (params) => client.listResources(params).then((r) => [r, r.resources, "uri"]),
  templates: (params) => client.listResourceTemplates(params).then((r) => [r, r.resourceTemplates, "uriTemplate"]),
};

async function list(kind) {
  const features = new Map();
  let pages = 0;
  let cursor;
  do {
    const [page, more, name] = await lists[kind](cursor === undefined ? {} : { cursor });
    for (const feature of more) features.set(feature[name], feature);
    pages++;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return { pages, features };
}

async function call({ name, arguments: args }) {
  cancel = new AbortController();
  const onprogress = ({ progress, total, message }) => hear("notifications/progress", { progress, total, message });
  try {
    return await client.callTool({ name, arguments: args }, undefined, { onprogress, signal: cancel.signal });
  } catch (err) {
    if (cancel.signal.aborted) return { cancelled: true };
    throw err;
  }
}

// resume drops the connection in the middle of a call, and takes the call up on another one of the same session.
async function resume({ name, arguments: args }) {
  const { sessionId } = transport;
  const all = []; // progress of both clients
  let token;
  const params = { name, arguments: args, _meta: { progressToken: "resumed" } };
  const lost = new Promise((resolve) => {
    client.setNotificationHandler(types.ProgressNotificationSchema, ({ params }) => {
      all.push(params);
      resolve();
    });
  });
  const onresumptiontoken = (latest) => (token = latest);
  const call = client.request({ method: "tools/call", params }, types.CallToolResultSchema, { onresumptiontoken });
  call.catch(() => {}); // it ends with the client
  await lost;
  await client.close();

  transport = new StreamableHTTPClientTransport(new URL(url), { sessionId });
  transport.setProtocolVersion(version);
  client.setNotificationHandler(types.ProgressNotificationSchema, ({ params }) => void all.push(params));
  await client.connect(transport);
  const result = await client.request({ method: "tools/call", params }, types.CallToolResultSchema, { resumptionToken: token });
  return { result, all };
}

function awaitMessage({ name, until }) {
  return new Promise((resolve, reject) => {
    const check = () => {
      const messages = heard.get(name) ?? [];
      if (!messages.some((message) => JSON.stringify(message).includes(until ?? ""))) return;
      clearTimeout(limit);
      waiting.delete(check);
      heard.delete(name);
      resolve({ heard: messages });
    };
    const limit = setTimeout(() => {
      waiting.delete(check);
      reject(new Error(`waited for ${name}; heard ${JSON.stringify(Object.fromEntries(heard))}`));
    }, patience);
    waiting.add(check);
    check();
  });
}

const verbs = {
  initialize: async () => {
    await client.connect(transport);
    return {
      serverInfo: client.getServerVersion(),
      instructions: client.getInstructions(),
      capabilities: client.getServerCapabilities(),
      protocolVersion: transport.protocolVersion,
    };
  },
  ping: () => client.ping(),
  list: async ({ name }) => {
    const { pages, features } = await list(name);
    return { pages, names: [...features.keys()] };
  },
  show: async ({ name, of }) => (await list(name)).features.get(of),
  call,
  resume,
  read: ({ uri }) => client.readResource({ uri }),
  prompt: ({ name, arguments: args }) => client.getPrompt({ name, arguments: args }),
  complete: ({ name, uri, arguments: argument, context }) => {
    const ref = uri ? { type: "ref/resource", uri } : { type: "ref/prompt", name };
    return client.complete({ ref, argument, context: context && { arguments: context } });
  },
  level: ({ name }) => client.setLoggingLevel(name),
  subscribe: ({ uri }) => client.subscribeResource({ uri }),
  unsubscribe: ({ uri }) => client.unsubscribeResource({ uri }),
  root: async ({ name, uri }) => {
    roots.push({ uri, name });
    await client.sendRootsListChanged();
    return {};
  },
  await: awaitMessage,
  end: async () => {
    await transport.terminateSession();
    await client.close();
    return {};
  },
};

for (current of steps) {
  let outcome;
  try {
    outcome = await verbs[current.do](current);
  } catch (err) {
    outcome = { error: { code: err.code, message: err.message, data: err.data } };
  }
  process.stdout.write(JSON.stringify(outcome) + "\n");
}
process.exitCode = 0;
