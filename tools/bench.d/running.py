"""Runs one case: a server and a client, each on cores of its own; or a program without a server."""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import selectors
import socket
import subprocess
import tempfile
import time

LIMIT = 30  # seconds, for what takes no time of its own


class Failed(Exception):
    """A case that could not be measured; says why in one line."""


@dataclasses.dataclass(frozen=True)
class Settings:
    folder: pathlib.Path  # of the programs
    duration: str
    warm_up: str
    patience: str  # the warm-up of patient cases
    cores: list  # for server, client and, where each has two, server and client again; or empty


def seconds(text):
    """A duration as the programs take it: 500ms, 2s, 1m."""
    for unit, factor in (("ms", 1e-3), ("us", 1e-6), ("s", 1), ("m", 60)):
        if text.endswith(unit):
            value = float(text.removesuffix(unit)) * factor
            if 0 <= value < 3600:
                return value
            break
    raise ValueError(f"not a duration, as 500ms or 2s: {text}")


def pin(cores):
    """For the child, before it becomes the program."""
    return (lambda: os.sched_setaffinity(0, cores)) if cores else None


def last_line(file):
    file.seek(0)
    lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def free_ports(count):
    """The first of so many that follow each other."""
    for port in random.sample(range(20000, 32000), 100):
        with contextlib.ExitStack() as stack:
            try:
                for i in range(count):
                    stack.enter_context(socket.create_server(("127.0.0.1", port + i)))
                return port
            except OSError:
                continue
    raise Failed("no free ports")


@contextlib.contextmanager
def serving(program, address, arguments, cores):
    """A server that is ready, ended afterwards: gives its pid."""
    with tempfile.TemporaryFile() as errors:
        server = subprocess.Popen([program, "serve", address, *arguments], stdout=subprocess.PIPE,
                                  stderr=errors, stdin=subprocess.DEVNULL, preexec_fn=pin(cores))
        try:
            if not read_line(server.stdout).startswith("ready "):
                raise Failed(f"the server did not start: {last_line(errors)}")
            yield server.pid
            if server.poll() is not None:
                raise Failed(f"the server ended: {last_line(errors)}")
        finally:
            server.stdout.close()
            server.terminate()
            try:
                server.wait(LIMIT)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def read_line(pipe):
    """The first line; what came until then at the end of the file, or after LIMIT seconds."""
    end, text = time.monotonic() + LIMIT, b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while not text.endswith(b"\n") and selector.select(max(0, end - time.monotonic())):
            chunk = os.read(pipe.fileno(), 4096)
            if not chunk:
                break
            text += chunk
    return text.decode(errors="replace")


def run_client(command, cores, limit):
    with tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, check=False,
                                  stdin=subprocess.DEVNULL, timeout=limit, preexec_fn=pin(cores))
        except subprocess.TimeoutExpired:
            raise Failed(f"not done after {limit:.0f} s") from None
        if done.returncode != 0:
            raise Failed(f"exit status {done.returncode}: {last_line(errors)}")
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise Failed("what it printed is not JSON") from None
    # A program of Google Benchmark's: one benchmark.
    return report["benchmarks"][0] if "benchmarks" in report else report


def has_option(program, option):
    """Whether the client knows it."""
    shown = subprocess.run([program, "run", "--help"], capture_output=True, text=True, check=False)
    return option in shown.stdout


def measure(case, settings):
    """One repetition: the report of the case's program."""
    program = str(settings.folder / case.program)
    arguments, limit = list(case.run), LIMIT
    if case.timed:
        warm_up = settings.patience if case.patient else settings.warm_up
        arguments += ["--duration", settings.duration, "--warm-up", warm_up]
        limit += 3 * (seconds(settings.duration) + seconds(warm_up))
    port = free_ports(case.ports)
    if case.serve is None:
        if case.ports:
            arguments += ["--port", str(port)]
        return run_client([program, *arguments], settings.cores[:1], limit)
    server_cores, client_cores = settings.cores[0:1], settings.cores[1:2]
    if case.wide:
        server_cores, client_cores = settings.cores[0:4:2], settings.cores[1:4:2]
    with contextlib.ExitStack() as stack:
        pids = [stack.enter_context(serving(program, f"127.0.0.1:{port + i}", case.serve,
                                            server_cores))
                for i in range(case.ports)]
        command = [program, "run", f"127.0.0.1:{port}", *arguments]
        if case.ports == 1:
            command += ["--server-pid", str(pids[0])]
        report = run_client(command, client_cores, limit)
        missing = {"rps", "p50_us", "requests", "errors", "client_cpu_s"} - report.keys()
        if missing:
            raise Failed(f"its report lacks {', '.join(sorted(missing))}")
        if report["errors"]:
            raise Failed(f"{report['errors']} errors")
        return report
