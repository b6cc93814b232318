"""The Python SDK's client, doing the steps of a script: standard input is {"url", "steps"}, standard output one line of
JSON for each step. realclients_test.go has the words of the script."""

import json
import sys
import urllib.request
import warnings

import anyio
import mcp.client.session
import mcp_types as types
from mcp import Client, MCPError

warnings.simplefilter("ignore")  # logging, sampling and roots are deprecated since 2026-07-28

PATIENCE = 30
script = json.load(sys.stdin)
mcp.client.session.LATEST_HANDSHAKE_VERSION = script["version"]  # the client has no option for it
step = {}  # the current one
heard = {}  # what came by itself, by method, until a step awaits it
news = anyio.Event()  # set, and replaced, at everything that comes
calling = None  # the scope of the call in progress
client_roots = [types.Root(uri="file:///first", name="first")]


def dump(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def hear(method, params):
    global news
    heard.setdefault(method, []).append(params)
    news.set()
    news = anyio.Event()
    if step.get("cancel") == method:
        calling.cancel()


async def on_message(message):
    if isinstance(message, types.ServerNotification) and not isinstance(message, types.ProgressNotification):
        hear(message.method, dump(message.params) if message.params else {})


async def on_progress(progress, total, message):
    whole = {key: int(value) for key, value in {"progress": progress, "total": total}.items() if value is not None}
    hear("notifications/progress", whole | ({"message": message} if message else {}))


async def meet():
    if "meet" in step:
        await anyio.to_thread.run_sync(urllib.request.urlopen, step["meet"])


async def on_sampling(context, params):
    hear("sampling/createMessage", dump(params))
    await meet()
    content = params.messages[-1].content
    if isinstance(content, list):
        content = content[0]
    if content.type == "tool_result":
        content = content.content[0]
    elif params.tools:
        use = types.ToolUseContent(id="use-1", name=params.tools[0].name, input={"city": "Graz"})
        blocks = [types.TextContent(text="let me see"), use]
        return types.CreateMessageResultWithTools(
            role="assistant", model="test-model", content=blocks, stop_reason="toolUse"
        )
    text = types.TextContent(text=f"sampled: {content.text}")
    return types.CreateMessageResult(role="assistant", model="test-model", content=text)


async def on_elicitation(context, params):
    hear("elicitation/create", dump(params))
    await meet()
    if step.get("cancel"):
        try:
            await anyio.sleep_forever()  # the user reads on
        finally:
            hear("withdrawn", {})
    if params.mode == "url":
        return types.ElicitResult(action="accept")
    return types.ElicitResult(action="accept", content=step.get("answer"))


async def on_roots(context):
    return types.ListRootsResult(roots=client_roots)


async def every(client, kind):
    method, items, name = {
        "tools": (client.list_tools, "tools", "name"),
        "prompts": (client.list_prompts, "prompts", "name"),
        "resources": (client.list_resources, "resources", "uri"),
        "templates": (client.list_resource_templates, "resource_templates", "uri_template"),
    }[kind]
    features, pages, cursor = {}, 0, None
    while True:
        page = await method(cursor=cursor)
        features |= {str(getattr(item, name)): dump(item) for item in getattr(page, items)}
        pages += 1
        cursor = page.next_cursor
        if cursor is None:
            return pages, features


async def call(client, name, arguments):
    global calling
    with anyio.CancelScope() as calling:
        return dump(await client.call_tool(name, arguments, progress_callback=on_progress))
    return {"cancelled": True}


async def await_message(name, until):
    with anyio.move_on_after(PATIENCE):
        while not any(until in compact(message) for message in heard.get(name, [])):
            await news.wait()
        return {"heard": heard.pop(name)}
    raise TimeoutError(f"waited for {name}; heard {compact(heard)}")


async def complete(client, step):
    if "uri" in step:
        ref = types.ResourceTemplateReference(type="ref/resource", uri=step["uri"])
    else:
        ref = types.PromptReference(type="ref/prompt", name=step["name"])
    return dump(await client.complete(ref, step["arguments"], context_arguments=step.get("context")))


async def add_root(client, name, uri):
    client_roots.append(types.Root(uri=uri, name=name))
    await client.send_roots_list_changed()
    return {}


async def do(client, step):
    name, uri, arguments = step.get("name"), step.get("uri"), step.get("arguments", {})
    match step["do"]:
        case "initialize":
            result = {"serverInfo": dump(client.server_info), "instructions": client.instructions}
            return result | {"capabilities": dump(client.server_capabilities), "protocolVersion": client.protocol_version}
        case "ping":
            return dump(await client.send_ping())
        case "list":
            pages, features = await every(client, name)
            return {"pages": pages, "names": list(features)}
        case "show":
            return (await every(client, name))[1][step["of"]]
        case "call":
            return await call(client, name, arguments)
        case "read":
            return dump(await client.read_resource(uri))
        case "prompt":
            return dump(await client.get_prompt(name, arguments))
        case "complete":
            return await complete(client, step)
        case "level":
            return dump(await client.set_logging_level(name))
        case "subscribe":
            return dump(await client.subscribe_resource(uri))
        case "unsubscribe":
            return dump(await client.unsubscribe_resource(uri))
        case "root":
            return await add_root(client, name, uri)
        case "await":
            return await await_message(name, step.get("until", ""))
    raise ValueError(f"no such step: {step['do']}")


async def outcome(client):
    try:
        return await do(client, step)
    except MCPError as err:
        return {"error": {"code": err.error.code, "message": err.error.message, "data": err.error.data}}
    except Exception as err:
        return {"error": {"message": repr(err)}}


async def main():
    global step
    *steps, end = script["steps"]
    assert end["do"] == "end"
    options = {
        "mode": "legacy",
        "client_info": types.Implementation(name="python", version="1"),
        "message_handler": on_message,
        "sampling_callback": on_sampling,
        "sampling_capabilities": types.SamplingCapability(
            tools=types.SamplingToolsCapability(), context=types.SamplingContextCapability()
        ),
        "elicitation_callback": on_elicitation,
        "list_roots_callback": on_roots,
    }
    async with Client(script["url"], **options) as client:
        for step in steps:
            print(compact(await outcome(client)), flush=True)
    print("{}", flush=True)  # the end


anyio.run(main)
