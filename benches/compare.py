#!/usr/bin/env python3
"""Compares two builds of orderflow in one run: alternating pairs, each on an empty directory, the same client.

    benches/compare.py BEFORE NOW [--pairs 20] [--mode single|batch] [--connections 64] [--for 5s]
    benches/compare.py BEFORE NOW [--pairs 20] --replay FILE
    benches/compare.py PROGRAM PROGRAM --accounts    # without accounts, and with them

Prints for each pair the rates of both and three ratios now/before: of the rate, of orders for each second of the server's
processor time, and of the server's peak memory. The rate is of durable orders, or of a replay until its last row. Then
come the medians of the ratios, each with its 95 % interval: that of order statistics, the ranks around the median that a
binomial distribution leaves 2.5 % beyond on each side.
"""

import argparse
import json
import math
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request


ADMIN = {"login": "ada@example.com", "password": "pale-otter-43-lamp"}


def serve(program, folder, port, with_accounts):
    address = f"127.0.0.1:{port}"
    arguments = [program, "serve", "--data", folder, "--listen", address]
    variables = dict(os.environ)
    if with_accounts:
        variables |= {"ORDERFLOW_ADMIN_EMAIL": ADMIN["login"], "ORDERFLOW_ADMIN_PASSWORD": ADMIN["password"]}
    else:
        arguments.append("--insecure-no-auth")
    server = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=variables)
    for _ in range(6000):
        try:
            urllib.request.urlopen(f"http://{address}/health/ready").close()
            return server, f"http://{address}"
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"{program} is never ready")


def token(url):
    body = json.dumps(ADMIN).encode()
    request = urllib.request.Request(f"{url}/auth/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["access_token"]


def measure(program, client, args, with_accounts=False):
    # What an earlier run left to be written would be written during this one.
    os.sync()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="orderflow-compare-") as folder:
        server, url = serve(program, folder, port, with_accounts)
        load = ["bench", "--mode", args.mode, "--connections", str(args.connections), "--for", args.duration, "--json"]
        if args.replay:
            load = ["replay", "--stock", "100", args.replay]
        variables = dict(os.environ)
        if with_accounts:
            variables["ORDERFLOW_TOKEN"] = token(url)
        begun = time.monotonic()
        try:
            ran = subprocess.run([client, *load, "--url", url], check=True, capture_output=True, env=variables)
            took = time.monotonic() - begun
        finally:
            server.send_signal(signal.SIGTERM)
            _, server.returncode, usage = os.wait4(server.pid, 0)
    processor, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
    if args.replay:
        # Every run replays the same file, so only the ratio means anything.
        return 1000 / took, 1 / processor, memory
    report = json.loads(ran.stdout)
    return report["durable_per_s"], report["orders"] / processor, memory


def interval(ratios):
    count = len(ratios)
    tail, below = 0.0, 0
    while tail + math.comb(count, below) / 2**count <= 0.025:
        tail += math.comb(count, below) / 2**count
        below += 1
    low, high = max(below - 1, 0), min(count - below, count - 1)
    return ratios[low], ratios[high]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("now")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--mode", default="single")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--for", dest="duration", default="5s")
    parser.add_argument("--replay")
    parser.add_argument("--accounts", action="store_true")
    args = parser.parse_args()
    before, now = os.path.abspath(args.before), os.path.abspath(args.now)
    all_ratios = []
    for pair in range(args.pairs):
        # Who comes first alternates too, so that what grows or warms up in the course of time is in both.
        sides = [("before", before, False), ("now", now, args.accounts)]
        order = sides if pair % 2 == 0 else sides[::-1]
        measured = {side: measure(program, now, args, accounts) for side, program, accounts in order}
        all_ratios.append([new / old for new, old in zip(measured["now"], measured["before"])])
        ratios = " ".join(f"{ratio:.3f}" for ratio in all_ratios[-1])
        print(f"{measured['before'][0]:10.0f} {measured['now'][0]:10.0f} {ratios}", flush=True)
    names = ["orders a second", "orders a second of the server's processor time", "peak memory of the server"]
    for what, ratios in zip(names, zip(*all_ratios)):
        low, high = interval(sorted(ratios))
        print(f"{what}: median ratio {statistics.median(ratios):.3f}, 95 % interval {low:.3f} to {high:.3f}")


main()
