"""A server by the library that most Python servers use."""

from mcp.server import MCPServer

server = MCPServer("python")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
def fail() -> str:
    """Raises an error."""
    raise ValueError("it did not work")


server.run("stdio")
