#!/usr/bin/env python3
"""The memory of orders that were delivered and can still be returned.

    benches/returns.py PROGRAM [--orders 100000]

Places orders in the delivery lifecycle and reports them as delivered, twice: in the shipped lifecycle, where an order
stays in memory until the time for returns is over, and in one where that time is one second. After both, the server is
restarted, so that only its state is in memory, once from the snapshots alone and once after a change of every order.
Prints the resident memory, and the difference for each order.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time

LINES = 5_000
LOCAL = threading.local()


class Server:
    def __init__(self, program, data, pipeline):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [program, "serve", "--insecure-no-auth", "--data", data, "--pipeline", pipeline]
        command += ["--listen", f"127.0.0.1:{self.port}", "--log", "warn"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while not self.is_ready():
            time.sleep(0.05)

    def is_ready(self):
        try:
            return self.send("GET", "/health/ready")[0] == 200
        except OSError:
            LOCAL.__dict__.clear()
            return False

    def send(self, method, path, body=None, media="application/json"):
        key = f"port-{self.port}"
        connection = LOCAL.__dict__.setdefault(key, http.client.HTTPConnection("127.0.0.1", self.port))
        connection.request(method, path, body, {"Content-Type": media})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def active(self):
        text = self.send("GET", "/metrics")[1].decode()
        values = [line for line in text.splitlines() if line.startswith("orderflow_processor_active_orders{")]
        return sum(float(line.split()[-1]) for line in values)

    def stop(self):
        LOCAL.__dict__.clear()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def place(server, orders):
    for sku in range(1000):
        server.send("POST", f"/inventory/s-{sku}/receipts", b'{"quantity":1000000}')
    for first in range(0, orders, LINES):
        lines = [
            json.dumps(
                {
                    "customer_id": f"c-{number % 50_000}",
                    "idempotency_key": f"k-{number}",
                    "currency": "EUR",
                    "lines": [{"sku": f"s-{number % 1000}", "quantity": 1, "unit_price": 1299}],
                }
            )
            for number in range(first, min(first + LINES, orders))
        ]
        status, body = server.send("POST", "/orders/batch", "\n".join(lines).encode(), "application/x-ndjson")
        assert status == 202, body


def ids(server, orders):
    """The ids of all orders, once all are in the database."""
    while True:
        found, cursor = [], ""
        while cursor is not None:
            page = json.loads(server.send("GET", f"/orders?limit=1000{cursor}")[1])
            found += [order["id"] for order in page["items"]]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
        if len(found) == orders:
            return found
        time.sleep(1)


def report(server, order, status):
    code, body = server.send("POST", f"/shipments/{order}/events", json.dumps({"status": status}).encode())
    assert code == 200, body


def measure(program, pipeline, orders):
    """The active orders and the resident memory in MiB: after a restart, and after another change of every order."""
    with tempfile.TemporaryDirectory(prefix="orderflow-returns-") as data:
        server = Server(program, data, pipeline)
        place(server, orders)
        known = ids(server, orders)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda order: report(server, order, "delivered"), known))
        time.sleep(5)
        server.stop()
        server = Server(program, data, pipeline)
        time.sleep(3)
        packed = (server.active(), server.resident_mib())
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda order: report(server, order, "failed_attempt"), known))
        time.sleep(3)
        opened = (server.active(), server.resident_mib())
        server.stop()
        return packed, opened


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--orders", type=int, default=100_000)
    options = parser.parse_args()
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pipelines")
    with open(os.path.join(folder, "delivery.toml")) as file:
        shipped = file.read()
    with tempfile.TemporaryDirectory(prefix="orderflow-returns-") as folder:
        short = os.path.join(folder, "short.toml")
        with open(short, "w") as file:
            file.write(shipped.replace("14days", "1s"))
        results = {name: measure(options.program, name, options.orders) for name in ("delivery", short)}
    for nth, what in enumerate(("after a restart", "after another report of every order")):
        (kept, with_orders), (left, without) = (results[name][nth] for name in ("delivery", short))
        each = (with_orders - without) * 1024 * 1024 / max(kept - left, 1)
        print(
            f"{what}: {kept:.0f} active orders, {with_orders:.0f} MiB; {left:.0f} active orders, {without:.0f} MiB: "
            f"{each:.0f} bytes an order"
        )


if __name__ == "__main__":
    main()
