"""What is measured, and what must come out.

A load is what is asked for ("echo 512 B P=256"), a case is one system under one load. Rates are
compared within a load only.
"""

import dataclasses

KIB, MIB = 1024, 1024 * 1024
MAX_IN_FLIGHT = 64 * MIB  # bytes
POLL = "50us"
WINDOW = 256  # of streams
WIDE_WINDOW = 8192  # what a stream's window of bytes grows to hold


@dataclasses.dataclass(frozen=True)
class System:
    name: str
    program: str
    flags: tuple = ()  # of the client, which says what serves it
    modes: tuple = ("echo", "oneway", "twoway")


IO = System("grid io", "bench_grid", ("--handler", "io"))
WORKER = System("grid worker", "bench_grid", ("--handler", "worker"))
TYPED = System("grid typed", "bench_grid", ("--handler", "typed"), ("echo",))
ACTOR = System("grid actor", "bench_grid", ("--handler", "actor"), ("echo",))
TCP = System("tcp", "bench_tcp")
BEAST = System("beast", "bench_beast")
PACKED = System("packed beast", "bench_beast_packed")
GRPC = System("grpc", "bench_grpc")
CAPNP = System("capnp", "bench_capnp", modes=("echo", "oneway"))
ZMQ = System("zmq", "bench_zmq", modes=("echo", "oneway"))
CAF = System("caf", "bench_caf", modes=("echo",))
SYSTEMS = [IO, WORKER, TYPED, TCP, PACKED, BEAST, ZMQ, CAPNP, GRPC]
ACTORS = [ACTOR, IO, CAF]  # the second asks no actor, for comparison
BASELINES = [TCP, PACKED, BEAST, ZMQ, GRPC, CAF]
DEFAULT = System("default", "bench_grid")  # as its options are, among those of --tuning


@dataclasses.dataclass(frozen=True)
class Case:
    load: str
    system: str
    program: str
    run: tuple  # arguments of the client, or of a program that needs no server
    serve: tuple | None = None  # arguments of the servers
    ports: int = 1  # that follow each other: one for each server, or what the program listens on
    timed: bool = True  # takes --duration
    wide: bool = False  # two cores for each side
    patient: bool = False  # so much is in flight that an answer takes most of a second

    @property
    def name(self):
        return f"{self.load}, {self.system}"


def bytes_text(size):
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def echo(system, inflight, size, poll=False, rate=None):
    load = f"echo {bytes_text(size)} P={inflight}"
    spin, extra = (), ()
    if poll:
        load += " polling"
        spin = ("--poll", POLL)
    if rate:
        load = f"open loop {bytes_text(size)} {rate // 1000}k/s"
        extra = ("--rate", str(rate))
    run = ("--mode", "echo", "--inflight", str(inflight), "--size", str(size), *extra)
    return Case(load, system.name, system.program, (*run, *system.flags, *spin), spin)


def ask(system, inflight, size=512):
    """Requests to a remote actor."""
    case = echo(system, inflight, size)
    return dataclasses.replace(case, load=f"actor ask P={inflight} {bytes_text(size)}")


def sends(system, acknowledge=None):
    """One actor to another of its process, on one core."""
    flags = ("--acknowledge", acknowledge) if acknowledge else ()
    name = f"{system.name} {acknowledge}" if acknowledge else system.name
    return Case(f"actor sends W={WINDOW}", name, f"{system.program}_sends",
                ("--inflight", str(WINDOW), *flags), ports=0)


def stream(system, mode, size, window=WINDOW):
    run = ("--mode", mode, "--inflight", str(window), "--size", str(size), *system.flags)
    return Case(f"{mode} {bytes_text(size)} W={window}", system.name, system.program, run, ())


def beside_bulk(fragments):
    """Small requests, one at a time, while large ones go over the same connection."""
    run = ("--mode", "echo", "--inflight", "1", "--size", "512", "--bulk", str(4 * MIB),
           "--fragments", str(64 * KIB if fragments else 0), *IO.flags)
    how = "in fragments" if fragments else "whole"
    return Case(f"echo 512 B P=1 beside 4 MiB {how}", IO.name, IO.program, run, (), wide=True)


def beside_nothing():
    """The same small requests alone."""
    run = ("--mode", "echo", "--inflight", "1", "--size", "512", *IO.flags)
    return Case("echo 512 B P=1 beside nothing", IO.name, IO.program, run, (), wide=True)


def open_loop(rate):
    """More in flight than ever will be, so that nothing but the rate begins a request."""
    return echo(IO, 16384, 512, rate=rate)


def threads(count, peers):
    """`count` I/O threads, and as much in flight for each peer; every peer has a thread."""
    run = ("--mode", "echo", "--inflight", str(256 * peers), "--size", "512", *IO.flags,
           "--io-threads", str(count), "--peers", str(peers))
    return Case(f"{count} threads, {peers} peers" if count > 1 else "1 thread, 1 peer", IO.name,
                IO.program, run, (), ports=peers, wide=count > 1)


# 64 for each of the 64 * 63 pairs of the largest mesh: with few, there is nothing to merge.
MESH_INFLIGHT = 64 * 64 * 63


def mesh(managers, inflight=MESH_INFLIGHT):
    run = ("--managers", str(managers), "--inflight", str(inflight), "--size", "512")
    return Case(f"mesh of {managers} P={inflight}", "grid", "bench_mesh", run, ports=managers,
                patient=True)


def idle_streams():
    return Case("idle stream", "grid", "bench_idle", ("--streams", "100000"), timed=False)


def idle_connections():
    return Case("idle connection", "grid", "bench_idle", ("--connections", "200"), timed=False)


def session():
    run = ("--benchmark_filter=^Requests/512/batch:256$", "--benchmark_format=json",
           "--benchmark_min_time=0.05")
    return Case("two sessions, no I/O, 512 B", "grid", "session_bench", run, ports=0,
                timed=False)


INFLIGHT = [1, 16, 64, 256, 1024]
ASKED = [1, 64, 256, 1024]
SIZES = [0, 32, 512, 4 * KIB, 64 * KIB, MIB]
# What is echoed: (in flight, size).
SMOKE = [(16, 512)]
SMOKE_IN_MESH = 1024
USUAL = [(1, 32), (1024, 32), *((p, 512) for p in INFLIGHT), (256, 4 * KIB), (16, 64 * KIB),
         (16, MIB)]
FULL = [(p, size) for size in SIZES for p in INFLIGHT if p * size <= MAX_IN_FLIGHT]


def all_cases(echoes, most_in_mesh=MESH_INFLIGHT):
    cases = [echo(system, *pair) for pair in echoes for system in SYSTEMS]
    cases += [echo(system, p, 512, poll=True) for p in (1, 16, 64) for system in (IO, TCP)]
    cases += [stream(system, mode, size) for mode in ("oneway", "twoway") for size in (32, 512)
              for system in SYSTEMS if mode in system.modes]
    cases += [stream(system, "oneway", 512, WIDE_WINDOW) for system in (IO, TCP, PACKED, BEAST)]
    cases += [ask(system, p) for p in ASKED for system in ACTORS]
    cases += [*(sends(ACTOR, level) for level in ("delivered", "processed")), sends(CAF)]
    cases += [beside_nothing(), *(beside_bulk(fragments) for fragments in (False, True))]
    cases += [open_loop(rate) for rate in (1_000, 100_000, 500_000)]
    cases += [threads(1, 1), threads(2, 4)]
    cases += [mesh(managers, most_in_mesh) for managers in (2, 4, 16, 64)]
    cases += [mesh(managers, most_in_mesh // 16) for managers in (4, 64)]
    cases += [session(), idle_streams(), idle_connections()]
    return cases


# Settings of both sides that --tuning holds against the defaults.
SOCKET_OPTIONS = {
    "default": (),
    "delay": ("--no-delay", "0"),
    "quick-ack": ("--quick-ack",),
    **{f"buffers {bytes_text(size)}": ("--socket-buffer", str(size))
       for size in (64 * KIB, 256 * KIB, MIB, 4 * MIB)},
    "unsent any": ("--unsent", "0"),
    **{name: ("--congestion", name) for name in ("reno", "cubic", "bbr")},
}
POLLING = {
    "default": (),
    **{f"poll {budget}": ("--poll", budget) for budget in ("20us", "50us", "100us", "1ms")},
}


def crowded(peers):
    """Servers that share a core."""
    case = echo(IO, 16 * peers, 512)
    return dataclasses.replace(case, load=f"{case.load}, {peers} servers on a core", ports=peers,
                               run=(*case.run, "--peers", str(peers)))


def tuning_cases():
    loads = [echo(IO, 1, 512), echo(IO, 256, 512), echo(IO, 16, 64 * KIB), stream(IO, "oneway", 512)]
    polled = [*(echo(IO, p, 512) for p in (1, 16, 64)), echo(WORKER, 64, 512), crowded(4),
              *(open_loop(rate) for rate in (1_000, 100_000))]
    return [dataclasses.replace(case, system=name, load=f"{what}, {case.system}: {case.load}",
                                run=(*case.run, *flags), serve=flags)
            for what, cases, settings in (("socket options", loads, SOCKET_OPTIONS),
                                          ("polling", polled, POLLING))
            for case in cases for name, flags in settings.items()]


@dataclasses.dataclass(frozen=True)
class Target:
    """`key` of a case, or its ratio to another's, must not be below (or above) the bound.

    A baseline that is broken lets everything pass. So one that is there to be the ceiling has to
    prove it: `plain` is what it must beat, BEYOND times, before it is compared with.
    """

    what: str
    case: Case
    against: Case | None
    key: str
    bound: float
    at_least: bool = True
    plain: Case | None = None


BEYOND = 2  # packed frames are worth twenty times as much, when they are packed


def of_packed(system, name, bound, load):
    """`load` makes a system's case."""
    return Target(f"{name}, of packed Beast", load(system), load(PACKED), "rps", bound,
                  plain=load(BEAST))


def targets():
    small, usual, quick, one = (1024, 32), (256, 512), (64, 512), (1, 512)
    at_most = {"at_least": False}
    return [
        of_packed(IO, "io handler", 0.7, lambda system: echo(system, *usual)),
        Target("io handler, of ZeroMQ", echo(IO, *usual), echo(ZMQ, *usual), "rps", 2),
        Target("io handler, of gRPC unary", echo(IO, *usual), echo(GRPC, *usual), "rps", 40),
        of_packed(IO, "io handler", 0.35, lambda system: echo(system, *small)),
        of_packed(WORKER, "worker handler", 0.25, lambda system: echo(system, *usual)),
        Target("latency, of Beast", echo(IO, *one), echo(BEAST, *one), "p50_us", 1.15, **at_most),
        Target("latency, of TCP", echo(IO, *one, poll=True), echo(TCP, *one, poll=True), "p50_us",
               2, **at_most),
        Target("of the same without polling", echo(IO, *quick, poll=True), echo(IO, *quick), "rps",
               3),
        Target("of gRPC unary", echo(IO, *quick, poll=True), echo(GRPC, *quick), "rps", 15),
        of_packed(IO, "stream", 0.25, lambda system: stream(system, "oneway", 512)),
        of_packed(IO, "stream", 0.6, lambda system: stream(system, "oneway", 512, WIDE_WINDOW)),
        Target("bytes, of Beast", echo(IO, 16, 64 * KIB), echo(BEAST, 16, 64 * KIB), "bytes_per_s",
               0.9),
        Target("actor, of a remote one of CAF", ask(ACTOR, 256), ask(CAF, 256), "rps", 5),
        Target("sends per second, delivered", sends(ACTOR, "delivered"), None, "rps", 3e6),
        Target("p99, of that beside nothing", beside_bulk(True), beside_nothing(), "p99_us", 5,
               **at_most),
        Target("bulk, of that sent whole", beside_bulk(True), beside_bulk(False),
               "bulk_bytes_per_s", 0.95),
        Target("of one peer and one thread", threads(2, 4), threads(1, 1), "rps", 1.7),
        Target("of a mesh of 4", mesh(64), mesh(4), "rps", 0.8),
        Target("allocations per request", session(), None, "allocations", 0, **at_most),
        Target("bytes, both ends", idle_streams(), None, "bytes_per_stream", 4 * KIB, **at_most),
        # The dialling ends have a manager each, which is no part of a connection.
        Target("bytes, accepting end", idle_connections(), None, "bytes_per_accepting_end",
               64 * KIB, **at_most),
    ]


def target_cases():
    """What the targets look at, each once."""
    found = (case for target in targets() for case in (target.case, target.against, target.plain))
    return list(dict.fromkeys(case for case in found if case))
