"""A FastMCP server with one feature of each kind, on 127.0.0.1, at /mcp of the port given as the only argument, or over
stdio without one. Over HTTP it numbers its events.

FastMCP offers no subscriptions to legacy clients, so there are none here.
"""

import asyncio
import sys

import described
import mcp_types as types
import uvicorn
from fastmcp import Context, FastMCP
from fastmcp.server.event_store import EventStore
from fastmcp.utilities.types import Image

PIXEL = bytes.fromhex("89504e470d0a1a0a")  # how every PNG begins
TEXTS = 1100  # more than one page of the hub's

server = FastMCP("features", instructions="Ask for any feature.", list_page_size=400)
cancelled = asyncio.Event()


@server.tool
def add(a: int, b: int) -> int:
    """Adds two numbers; the result is structured."""
    return a + b


@server.tool
def picture() -> Image:
    """Returns an image."""
    return Image(data=PIXEL, format="png")


@server.tool
def fail() -> str:
    """Fails, always."""
    raise ValueError("as asked")


@server.tool
async def count(steps: int, ctx: Context, pause: float = 0) -> str:
    """Counts, and reports progress at each step."""
    for step in range(steps):
        await asyncio.sleep(pause)
        await ctx.report_progress(step + 1, steps, f"step {step + 1}")
    return f"counted {steps}"


@server.tool
async def wait(ctx: Context) -> str:
    """Waits until it is cancelled."""
    await ctx.report_progress(0)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        cancelled.set()
        raise
    return "nobody cancelled"


@server.tool
async def was_cancelled() -> str:
    """Says so when wait was."""
    await asyncio.wait_for(cancelled.wait(), 10)
    return "wait was cancelled"


@server.tool
async def log(level: types.LoggingLevel, text: str, ctx: Context) -> str:
    """Logs a text."""
    await ctx.log(text, level=level)
    return "logged"


@server.tool
async def sample(prompt: str, ctx: Context) -> str:
    """Asks the client's model."""
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=prompt))
    answer = await ctx.session.create_message([message], max_tokens=10, related_request_id=ctx.request_id)
    return f"{answer.model} says {answer.content.text}"


@server.tool
async def elicit(question: str, ctx: Context) -> str:
    """Asks the user."""
    answer = await ctx.elicit(question, str)
    return f"{answer.action}: {getattr(answer, 'data', None)}"


@server.tool
async def roots(ctx: Context) -> str:
    """Asks for the client's roots."""
    result = await ctx.session.list_roots()
    return ", ".join(f"{root.name} at {root.uri}" for root in result.roots)


@server.tool
async def add_tool(name: str, ctx: Context) -> str:
    """Adds a tool, and tells the session."""

    def added() -> str:
        return f"this is {name}"

    server.add_tool(server.tool(added, name=name))
    await ctx.send_notification(types.ToolListChangedNotification())
    return "added"


@server.resource("data://text", mime_type="text/plain")
def text() -> str:
    return "a text"


@server.resource("data://bytes", mime_type="image/png")
def data() -> bytes:
    return PIXEL


@server.resource("data://greeting/{name}")
def greeting(name: str) -> str:
    return f"Hello, {name}!"


def number(n: int):
    @server.resource(f"data://number/{n}")
    def text() -> str:
        return f"number {n}"


for n in range(TEXTS):
    number(n)


@server.prompt
def greet(name: str) -> str:
    """Asks for a greeting."""
    return f"Greet {name}."


@server.completion
def complete(ref, argument, context):
    names = ["Ada", "Alan", "Grace"]
    if context and context.arguments.get("language") == "COBOL":
        names = ["Grace"]
    kind = "prompt" if isinstance(ref, types.PromptReference) else "template"
    return [f"{name} of the {kind}" for name in names if name.startswith(argument.value)]


described.add_to(server)
if len(sys.argv) > 1:
    app = server.http_app(event_store=EventStore(), retry_interval=50)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), ws="none", timeout_graceful_shutdown=2)
else:
    server.run(show_banner=False)
