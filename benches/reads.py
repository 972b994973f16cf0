#!/usr/bin/env python3
"""Reads of the API under half the load that they can take, on a database with many orders.

    benches/reads.py PROGRAM [--orders 1000000] [--connections 64] [--for 10s] [--data DIRECTORY]

Fills a data directory unless it has orders already. Then, for each kind of read: first the greatest rate in a closed loop,
then half of it in an open loop, whose latencies count from the moment when a request was due. Prints a table.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request

LINES = 20_000


def get(url, path):
    with urllib.request.urlopen(url + path) as answer:
        return json.load(answer)


def fill(url, orders):
    """Places orders in batches and waits until the last one is in the database."""
    for sku in range(1000):
        request = urllib.request.Request(
            f"{url}/inventory/s-{sku}/receipts", b'{"quantity":1000000000}', {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request).close()
    for first in range(0, orders, LINES):
        lines = []
        for number in range(first, min(first + LINES, orders)):
            order = {
                "customer_id": f"c-{number % 50_000}",
                "idempotency_key": f"k-{number}",
                "currency": "EUR",
                "lines": [{"sku": f"s-{number % 1000}", "quantity": 1, "unit_price": 1299}],
            }
            lines.append(json.dumps(order))
        body = "\n".join(lines).encode()
        request = urllib.request.Request(f"{url}/orders/batch", body, {"Content-Type": "application/x-ndjson"})
        urllib.request.urlopen(request).close()
        print(f"\r{first + len(lines)} orders taken", end="", file=sys.stderr, flush=True)
    # Totals count up to 10,000.
    counted = "/orders?page=1&limit=1&status=RESERVED"
    while get(url, "/orders?status=CREATED&limit=1")["items"] or get(url, counted)["total"] < min(orders, 10_000):
        time.sleep(1)
    print(file=sys.stderr)


class Connection:
    def __init__(self, port):
        self.port = port

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def get(self, path):
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await self.reader.readexactly(length)
        return head.startswith(b"HTTP/1.1 200")


async def load(port, paths, connections, seconds, rate=None):
    """The latencies in milliseconds of requests at a rate, or as fast as responses come."""
    latencies, failed, begun = [], 0, time.perf_counter()
    due = iter(range(10**9))

    async def work():
        nonlocal failed
        connection = Connection(port)
        await connection.open()
        while True:
            at = time.perf_counter() - begun
            if rate:
                at = next(due) / rate
                await asyncio.sleep(max(0, begun + at - time.perf_counter()))
            if at > seconds:
                return
            failed += not await connection.get(next(paths))
            latencies.append((time.perf_counter() - begun - at) * 1000)

    await asyncio.gather(*(work() for _ in range(connections)))
    assert not failed, f"{failed} requests failed"
    return sorted(latencies)


def forever(path):
    while True:
        yield path()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--for", dest="seconds", type=float, default=10)
    parser.add_argument("--data", default="reads-data")
    args = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    arguments = [args.program, "serve", "--insecure-no-auth", "--data", args.data, "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/health/ready").close()
                break
            except OSError:
                time.sleep(0.1)
        if not get(url, "/orders?limit=1")["items"]:
            fill(url, args.orders)
        known = [order["id"] for order in get(url, "/orders?limit=1000")["items"]]
        kinds = {
            "an order": lambda: f"/orders/{random.choice(known)}",
            "50 orders of all": lambda: "/orders",
            "50 orders of all, page with total": lambda: "/orders?page=1",
            "orders of a customer, page with total": lambda: f"/orders/user/c-{random.randrange(50_000)}?page=1",
            "50 orders of a status, page with total": lambda: "/orders?status=RESERVED&page=1",
            "the levels of a SKU": lambda: f"/inventory/s-{random.randrange(1000)}",
            "50 levels, page with total": lambda: "/inventory?page=1",
        }
        print("| read | reads/s at most | at half of it: p50 | p95 | p99 |\n|---|---:|---:|---:|---:|")
        for name, path in kinds.items():
            paths = forever(path)
            most = len(asyncio.run(load(port, paths, args.connections, args.seconds / 2))) / (args.seconds / 2)
            half = asyncio.run(load(port, paths, args.connections, args.seconds, most / 2))
            points = [half[int(len(half) * share)] for share in (0.5, 0.95, 0.99)]
            print(f"| {name} | {most:,.0f} | " + " | ".join(f"{point:.1f} ms" for point in points) + " |", flush=True)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


main()
