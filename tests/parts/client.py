"""A client of the gateway: calls a tool, and looks whether everything else passes through."""

import sys

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(command: str, config: str) -> None:
    parameters = StdioServerParameters(command=command, args=["mcp", "--config", config])
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        names = [tool.name for tool in (await session.list_tools()).tools]
        print("injected:", "defer_to_human" in names and "escalate_to_architect" in names)
        result = await session.call_tool("all__echo", {"message": "hello"})
        print("echo:", result.content[0].text)
        prompts = [prompt.name for prompt in (await session.list_prompts()).prompts]
        print("prompts:", any(name.startswith("all__") for name in prompts))
        resources = (await session.list_resources()).resources
        read_back = await session.read_resource(resources[0].uri)
        print("resources:", bool(read_back.contents))
        heard = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            heard.append(done)

        tool = next(name for name in names if "long" in name)
        await session.call_tool(tool, {"duration": 1, "steps": 2}, progress_callback=progress)
        print("progress:", bool(heard))


anyio.run(main, sys.argv[1], sys.argv[2])
