"""What featureSteps of realclients_features_test.go ask for, to be added to a FastMCP server."""

import asyncio
import json

import mcp_types as types
from fastmcp import Context, FastMCP
from fastmcp.server.middleware import Middleware
from fastmcp.tools import ToolResult
from mcp.shared.exceptions import UrlElicitationRequiredError

ICONS = [types.Icon(src="https://example.com/icon.png", mime_type="image/png", sizes=["48x48"])]
META = {"example.com/kept": {"number": 9007199254740991}}
COMMON = {"title": "Described", "icons": ICONS, "meta": META}
NOTES = types.Annotations(audience=["user"], priority=0.5, last_modified="2025-01-12T15:00:58Z")
HINTS = types.ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}, "degrees": {"type": "number"}}}
FORM = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Name", "minLength": 2, "default": "Grace"},
        "mail": {"type": "string", "format": "email"},
        "age": {"type": "integer", "minimum": 0, "default": 30},
        "happy": {"type": "boolean", "default": True},
        "colour": {"type": "string", "enum": ["red", "green"], "default": "green"},
        "size": {"type": "string", "oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]},
        "fruits": {"type": "array", "items": {"type": "string", "enum": ["apple", "plum"]}, "default": ["apple"]},
    },
    "required": ["name"],
}
CONTENTS = [
    types.AudioContent(type="audio", data="UklGRg==", mime_type="audio/wav"),
    types.ImageContent(
        type="image",
        data="iVBORw0KGgo=",
        mime_type="image/png",
        annotations=types.Annotations(audience=["assistant"], priority=0.25),
    ),
    types.EmbeddedResource(
        type="resource",
        resource=types.TextResourceContents(uri="embedded://text", mime_type="text/plain", text="an embedded text"),
    ),
    types.EmbeddedResource(
        type="resource", resource=types.BlobResourceContents(uri="embedded://bytes", blob="AAEC")
    ),
    types.ResourceLink(
        type="resource_link", uri="linked://text", name="linked", title="A linked text", size=11, icons=ICONS
    ),
]
unlocked = set()  # the sessions for which the tool locked was unlocked


def described(city: str) -> ToolResult:
    """Has all that a tool may have."""
    weather = {"city": city, "degrees": 21.5}
    return ToolResult(structured_content=weather, meta={"example.com/result": "kept"})


def contents() -> ToolResult:
    return ToolResult(content=CONTENTS)


async def open_url(ctx: Context) -> str:
    url = "https://example.com/open?a=b&c=d"
    answer = await ctx.session.elicit_url("Please open this.", url, "open-1", related_request_id=ctx.request_id)
    await ctx.session.send_elicit_complete("open-1")  # not on the stream of the call
    return answer.action


def locked() -> str:
    return "unlocked"


class Lock(Middleware):
    """Lets each session's first call of locked fail: what a tool raises becomes a result, without code and data."""

    async def on_call_tool(self, context, call_next):
        ctx = context.fastmcp_context
        if context.message.name == "locked" and ctx.session_id not in unlocked:
            unlocked.add(ctx.session_id)
            await ctx.session.send_elicit_complete("lock-1")
            prerequisite = types.ElicitRequestURLParams(
                elicitation_id="lock-1", url="https://example.com/unlock", message="Please unlock."
            )
            raise UrlElicitationRequiredError([prerequisite])
        return await call_next(context)


async def weather(ctx: Context) -> str:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    options = {
        "max_tokens": 10,
        "tools": [types.Tool(name="thermometer", input_schema=schema)],
        "tool_choice": types.ToolChoice(mode="required"),
        "related_request_id": ctx.request_id,
    }
    question = types.TextContent(type="text", text="How warm is it in Graz?")
    messages = [types.SamplingMessage(role="user", content=question)]
    first = await ctx.session.create_message(messages, **options)
    _, use = first.content
    degrees = types.TextContent(type="text", text=f"21.5 degrees in {use.input['city']}")
    result = types.ToolResultContent(tool_use_id=use.id, content=[degrees])
    messages += [
        types.SamplingMessage(role="assistant", content=first.content),
        types.SamplingMessage(role="user", content=[result]),
    ]
    second = await ctx.session.create_message(messages, **options)
    text = second.content[0] if isinstance(second.content, list) else second.content
    return f"{second.model} says {text.text}"


async def form(ctx: Context) -> str:
    answer = await ctx.session.elicit_form("Fill in.", FORM, related_request_id=ctx.request_id)
    return f"{answer.action} {json.dumps(answer.content)}"


async def ping(ctx: Context) -> str:
    await ctx.session.send_ping()  # not on the stream of the call
    return "pong"


async def poll(ctx: Context) -> str:
    await ctx.report_progress(1, 2, "before")
    await ctx.close_sse_stream()
    await asyncio.sleep(0)
    await ctx.report_progress(2, 2, "after")
    return "polled"


def add_to(server: FastMCP):
    server.add_middleware(Lock())
    server.tool(described, output_schema=WEATHER, annotations=HINTS, **COMMON)
    for tool in (contents, locked, weather, form, ping, poll):
        server.tool(tool)
    server.tool(open_url, name="open")
    options = {"name": "described", "mime_type": "text/plain", "annotations": NOTES, **COMMON}
    server.resource("described://text", **options)(lambda: "a text")
    server.resource("described://{name}/text", **options)(lambda name: f"a text of {name}")
    server.prompt(lambda whom: f"Greet {whom}.", name="described", **COMMON)
