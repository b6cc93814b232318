// The TypeScript SDK's client, doing the steps of a script: the only argument is the directory that has the SDK among its
// node_modules, standard input is {"url", "steps"}, standard output one line of JSON for each step. realclients_test.go
// has the words of the script.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.argv[2] + "/package.json");
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const types = require("@modelcontextprotocol/sdk/types.js");

const { url, steps } = JSON.parse(readFileSync(0, "utf8"));
const patience = 15_000;

const heard = new Map(); // what came by itself, by method, until a step awaits it
const waiting = new Set(); // called at everything that comes
let current; // the step
let cancel = new AbortController();

function hear(method, params = {}) {
  heard.set(method, [...(heard.get(method) ?? []), params]);
  for (const check of waiting) check();
  if (current?.cancel === method) cancel.abort();
}

const client = new Client(
  { name: "typescript", version: "1" },
  { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } },
);
const transport = new StreamableHTTPClientTransport(new URL(url));
const roots = [{ uri: "file:///first", name: "first" }];

client.fallbackNotificationHandler = async ({ method, params }) => hear(method, params);
client.setRequestHandler(types.ListRootsRequestSchema, () => ({ roots }));
client.setRequestHandler(types.CreateMessageRequestSchema, ({ params }) => {
  hear("sampling/createMessage", params);
  const text = `sampled: ${params.messages[0].content.text}`;
  return { role: "assistant", model: "test-model", content: { type: "text", text } };
});
client.setRequestHandler(types.ElicitRequestSchema, ({ params }, { signal }) => {
  hear("elicitation/create", params);
  if (!current.cancel) return { action: "accept", content: current.answer };
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(hear("withdrawn")))); // the user reads on
});

const lists = {
  tools: (params) => client.listTools(params).then((r) => [r, r.tools.map((tool) => tool.name)]),
  prompts: (params) => client.listPrompts(params).then((r) => [r, r.prompts.map((prompt) => prompt.name)]),
  resources: (params) => client.listResources(params).then((r) => [r, r.resources.map((resource) => resource.uri)]),
  templates: (params) =>
    client.listResourceTemplates(params).then((r) => [r, r.resourceTemplates.map((template) => template.uriTemplate)]),
};

async function list(kind) {
  const names = [];
  let pages = 0;
  let cursor;
  do {
    const [page, more] = await lists[kind](cursor === undefined ? {} : { cursor });
    names.push(...more);
    pages++;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return { pages, names };
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
  list: ({ name }) => list(name),
  call,
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
    outcome = { error: { code: err.code, message: err.message } };
  }
  process.stdout.write(JSON.stringify(outcome) + "\n");
}
process.exitCode = 0;
