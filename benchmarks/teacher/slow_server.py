"""An HTTP server that answers every chat request alike, a fixed time after it came.

`python slow_server.py --latency 0.2` prints its URL and serves until it is killed.
"""

import argparse
import asyncio
import json

BODY = json.dumps(
    {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 0,
        "model": "benchmark-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": json.dumps({"text": "x " * 300})},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 200, "completion_tokens": 300, "total_tokens": 500},
    }
).encode()
HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
REPLY = HEAD.encode() + BODY


async def _serve_one(
    latency: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            await reader.readexactly(length)
            await asyncio.sleep(latency)
            writer.write(REPLY)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _main(latency: float) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: _serve_one(latency, reader, writer), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.2)
    asyncio.run(_main(parser.parse_args().latency))
