"""A FastMCP server at /mcp of the port given as an argument, on 127.0.0.1 unless a second one says where, or over stdio if
the argument is that."""

import asyncio
import sys

from fastmcp import Context, FastMCP

server = FastMCP("fastmcp-test", instructions="A server for tests.")


@server.tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool
async def count(steps: int, ctx: Context) -> str:
    """Counts, and reports progress at each step."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps)
        await asyncio.sleep(0.01)
    return f"counted {steps}"


@server.tool
def fail() -> str:
    """Fails, always."""
    raise ValueError("as asked")


@server.resource("test://greeting/{name}")
def greeting(name: str) -> str:
    """Greets by name."""
    return f"Hello, {name}!"


@server.prompt
def greet(name: str) -> str:
    """Asks for a greeting."""
    return f"Greet {name}."


if sys.argv[1] == "stdio":
    server.run(show_banner=False)
else:
    server.run(transport="http", host=(sys.argv[2:] or ["127.0.0.1"])[0], port=int(sys.argv[1]), show_banner=False)
