#!/usr/bin/env python3
"""Runs a benchmark for a moment, to see that it works; figures are for a machine with nothing else
to do.

  smoke.py PROGRAM MODE...            a server, and a client for each mode
  smoke.py PROGRAM -- ARGUMENT...     one process; {port} stands for the first of 16 free ports
"""

import json
import random
import signal
import socket
import subprocess
import sys

KEYS = set(
    "system mode size inflight rate requests seconds rps p50_us p90_us p99_us p999_us max_us errors "
    "bytes_per_s client_cpu_s server_cpu_s".split()
)
TIMEOUT = 30


def free_ports(count):
    """The first of `count` ports in a row that nobody listens on."""
    while True:
        first = random.randrange(20000, 30000)
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.socket())
                sockets[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            pass
        finally:
            for each in sockets:
                each.close()


def check(condition, what):
    if not condition:
        sys.exit(f"smoke: {what}")


def run(command):
    print("+", *command, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=TIMEOUT, text=True)
    print(done.stdout, end="", flush=True)
    check(done.returncode == 0, f"exit status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_client(program, address, pid, mode, more):
    command = [program, "run", address, "--mode", mode, "--inflight", "16", "--size", "100"]
    command += ["--duration", "200ms", "--warm-up", "50ms", "--server-pid", str(pid)]
    lines = run(command + more)
    check(len(lines) == 1, "not one line")
    report = lines[0]
    check(set(report) == KEYS, f"other keys: {set(report) ^ KEYS}")
    check(report["requests"] > 0 and report["errors"] == 0, "requests failed")
    check(report["server_cpu_s"] is not None, "the server's processor time is missing")
    check((report["p50_us"] is None) == (mode == "oneway"), "latencies")


def check_pair(program, modes):
    address = f"127.0.0.1:{free_ports(1)}"
    server = subprocess.Popen([program, "serve", address], stdout=subprocess.PIPE, text=True)
    try:
        check(server.stdout.readline() == f"ready {address}\n", "the server is not ready")
        for mode in modes:
            check_client(program, address, server.pid, mode, [])
            if mode != "oneway":
                check_client(program, address, server.pid, mode, ["--rate", "1000"])
        server.send_signal(signal.SIGTERM)
        check(server.wait(TIMEOUT) == 0, f"the server ended with {server.returncode}")
    finally:
        server.kill()


def main():
    program, *rest = sys.argv[1:]
    if rest[0] != "--":
        return check_pair(program, rest)
    port = str(free_ports(16))
    for report in run([program] + [argument.replace("{port}", port) for argument in rest[1:]]):
        check(report.get("errors", 0) == 0, "requests failed")


if __name__ == "__main__":
    main()
