"""tools/bench on programs made up here: what it runs, in which order, and what it makes of it."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BENCH = ROOT / "tools" / "bench"
REPORT = {"requests": 1000, "seconds": 1, "rps": 1000, "p50_us": 10, "p99_us": 20, "p999_us": 30,
          "errors": 0, "bytes_per_s": 1e6, "client_cpu_s": 0.002, "server_cpu_s": None}
# Keeps a note of each run, and prints the next of the reports prepared for it.
PROGRAM = """#!/bin/sh
if [ "$1" = serve ]; then
  echo $$ >>{folder}/servers
  echo "ready $2"
  exec sleep 100
fi
[ "$2" != --help ] || exec echo "{options}"
echo "{name} $*" >>{folder}/runs
n=$(grep -c '^{name} ' {folder}/runs)
[ -e "{folder}/{name}.$n" ] || n=1
exec cat "{folder}/{name}.$n"
"""


class BenchTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        (self.folder / "bin").mkdir()

    def program(self, name, *reports, text=None, options="--poll"):
        """A system that prints a report for each run in turn; beyond them the first again."""
        path = self.folder / "bin" / name
        path.write_text(text or PROGRAM.format(folder=self.folder, name=name, options=options))
        path.chmod(0o755)
        for i, report in enumerate(reports or ({},), 1):
            (self.folder / f"{name}.{i}").write_text(json.dumps({**REPORT, **report}))

    def bench(self, *arguments, status=0):
        command = [sys.executable, str(BENCH), "--no-build", "--build-dir", str(self.folder),
                   "--cores", "none", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result

    def lines(self, name):
        return (self.folder / name).read_text().splitlines()

    # The cells of the first line that has `text`.
    def cells(self, output, text):
        line = next(line for line in output.splitlines() if text in line)
        return re.split(r"  +", line.strip())

    def test_table_has_medians_and_ratios(self):
        self.program("bench_tcp", {"rps": 4_000_000})
        self.program("bench_grid", {"rps": 1_000_000}, {"rps": 3_000_000, "p50_us": 50},
                     {"rps": 2_000_000, "p50_us": 12.34})
        out = self.bench("--only", "512 B P=64, (grid io|tcp)", "--repetitions", "3").stdout
        row = self.cells(out, "grid io")
        self.assertEqual(row[:2], ["echo 512 B P=64", "grid io"])
        self.assertEqual(row[2:6], ["2.00 M/s", "1.00", "12.3", "20.0"])
        self.assertIn("0.500", row)
        self.assertIn("2.00", row)  # microseconds of the client for each request
        self.assertNotIn("FAIL", out)  # nothing that a target looks at was measured

    def test_rounds_go_over_all_cases(self):
        for name in ("bench_tcp", "bench_zmq"):
            self.program(name)
        self.bench("--only", "echo 512 B P=64, (tcp|zmq)", "--repetitions", "2")
        runs = [line.split()[0] for line in self.lines("runs")]
        self.assertEqual(runs, ["bench_tcp", "bench_zmq"] * 2)

    def test_servers_are_told_and_ended(self):
        self.program("bench_grid")
        self.bench("--only", "P=64 polling, grid io", "--repetitions", "1", "--duration", "2s")
        (run,) = self.lines("runs")
        (server,) = self.lines("servers")
        for part in ("run 127.0.0.1:", "--mode echo", "--inflight 64", "--size 512",
                     "--handler io", "--poll 50us", "--duration 2s", f"--server-pid {server}"):
            self.assertIn(part, run)
        self.assertFalse(pathlib.Path("/proc", server).exists())

    def test_what_does_not_poll_is_noted(self):
        self.program("bench_grid", options="--size")
        self.program("bench_tcp")
        out = self.bench("--only", "P=64 polling", "--repetitions", "1").stdout
        self.assertIn("note: can't poll: bench_grid", out)
        self.assertEqual([line.split()[0] for line in self.lines("runs")], ["bench_tcp"])

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 4, "needs four cores")
    def test_several_servers_have_ports_that_follow(self):
        self.program("bench_grid")
        self.bench("--only", "2 threads, 4 peers", "--repetitions", "1", "--cores", "0,1,2,3")
        (run,) = self.lines("runs")
        self.assertIn("--peers 4", run)
        self.assertNotIn("--server-pid", run)
        self.assertEqual(len(self.lines("servers")), 4)

    def test_failures_are_told_and_the_rest_goes_on(self):
        self.program("bench_tcp", text='#!/bin/sh\n[ $1 = serve ] && echo ready x && exec sleep 9\n'
                     'echo first >&2; echo "tcp: broken" >&2; exit 1\n')
        self.program("bench_zmq", text="#!/bin/sh\necho no port >&2\n")
        self.program("bench_grpc", {"errors": 3})
        self.program("bench_grid")
        result = self.bench("--only", "echo 512 B P=64, (tcp|zmq|grpc|grid io)", "--repetitions",
                            "2", status=1)
        for said in ("P=64, tcp: exit status 1: tcp: broken", "server did not start: no port",
                     "P=64, grpc: 3 errors", "3 of 4 cases failed"):
            self.assertIn(said, result.stderr)
        self.assertEqual(self.cells(result.stdout, "grid io")[2], "1.00 k/s")

    def test_targets(self):
        self.program("bench_grid", {"rps": 690})
        self.program("bench_beast_packed", {"rps": 1000})
        self.program("bench_beast", {"rps": 50})
        self.program("bench_zmq", {"rps": 345})
        result = self.bench("--quick", "--only", "echo 512 B P=256, (grid io|packed|beast|zmq)",
                            "--repetitions", "1", status=1)
        self.assertEqual(self.cells(result.stdout, "io handler, of packed"),
                         ["echo 512 B P=256", "io handler, of packed Beast", "0.690", ">= × 0.7",
                          "FAIL"])
        self.assertEqual(self.cells(result.stdout, "io handler, of ZeroMQ")[2:],
                         ["2.00", ">= × 2", "pass"])
        self.assertEqual(self.cells(result.stdout, "io handler, of gRPC")[-1], "not measured")
        self.assertIn("1 targets are missed", result.stderr)

    def test_baseline_that_is_no_ceiling_lets_nothing_pass(self):
        self.program("bench_grid", {"rps": 1500})
        self.program("bench_beast_packed", {"rps": 100})
        self.program("bench_beast", {"rps": 90})
        result = self.bench("--quick", "--only", "echo 512 B P=256,", "--repetitions", "1",
                            status=1)
        self.assertEqual(self.cells(result.stdout, "io handler, of packed")[-1],
                         "baseline UNSOUND")
        self.assertIn("packed beast is not 2 times as fast as beast", result.stdout)

    def test_baseline_that_nothing_proves_lets_nothing_pass(self):
        self.program("bench_grid", {"rps": 1500})
        self.program("bench_beast_packed", {"rps": 100})
        out = self.bench("--quick", "--only", "echo 512 B P=256,", "--repetitions", "1").stdout
        self.assertEqual(self.cells(out, "io handler, of packed")[-1], "not measured")

    def test_target_of_latency_is_met_below_it(self):
        self.program("bench_grid", {"p50_us": 80})
        self.program("bench_beast", {"p50_us": 75})
        out = self.bench("--only", "512 B P=1, (grid io|beast)", "--repetitions", "1").stdout
        self.assertEqual(self.cells(out, "latency, of Beast")[2:], ["1.07", "<= × 1.15", "pass"])

    def test_allocations_come_from_a_micro_benchmark(self):
        self.program("session_bench")
        report = {"benchmarks": [{"name": "Requests", "allocations": 0.0}]}
        (self.folder / "session_bench.1").write_text(json.dumps(report))
        out = self.bench("--quick", "--only", "two sessions").stdout
        self.assertEqual(self.cells(out, "allocations")[2:], ["0", "<= 0", "pass"])

    def test_files(self):
        self.program("bench_tcp", {"rps": 5}, {"rps": 7})
        page = self.folder / "page.md"
        page.write_text("before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nbehind\n")
        self.bench("--only", "B P=64, tcp", "--repetitions", "2", "--markdown", str(page),
                   "--json", str(self.folder / "out.json"))
        text = page.read_text()
        self.assertRegex(text, r"^before\n<!-- bench: begin -->\n")
        self.assertRegex(text, r"\n<!-- bench: end -->\nbehind\n$")
        self.assertIn("| echo 512 B P=64 | tcp | 6.00 /s |", text)
        self.assertNotIn("old", text)
        out = json.loads((self.folder / "out.json").read_text())
        self.assertLessEqual({"cpu", "cores", "kernel", "compiler", "congestion_control", "date"},
                             out["machine"].keys())
        (case,) = out["cases"]
        self.assertEqual([report["rps"] for report in case["repetitions"]], [5, 7])
        self.assertEqual(case["median"]["rps"], 6)
        self.assertGreater(len(out["targets"]), 10)

    def test_programs_that_are_not_there_are_noted(self):
        self.program("bench_tcp")
        out = self.bench("--only", "B P=64, (tcp|zmq)", "--repetitions", "1").stdout
        self.assertIn("note: not built: bench_zmq", out)
        (self.folder / "bin" / "bench_tcp").unlink()
        self.assertIn("nothing to run", self.bench("--only", "P=64, tcp", status=1).stderr)

    def test_smoke_is_short_and_judges_nothing(self):
        self.program("bench_grid", {"rps": 1})
        self.program("bench_beast_packed", {"rps": 1000})
        out = self.bench("--smoke", "--only", "oneway").stdout
        self.assertNotIn("FAIL", out)
        self.assertIn("--duration 100ms", self.lines("runs")[0])

    def test_bad_arguments(self):
        (self.folder / "plain.md").write_text("no marks")
        for arguments in (["--nonsense"], ["--repetitions", "0"], ["--duration", "soon"],
                          ["--only", "("], ["--cores", "0"], ["--cores", "0,0"],
                          ["--cores", "0,9999"], ["--quick", "--full"],
                          ["--markdown", str(self.folder / "plain.md")],
                          ["--json", str(self.folder / "none" / "out.json")]):
            self.bench(*arguments, status=2)

    def test_picture(self):
        self.program("bench_tcp")
        picture = self.folder / "picture.png"
        out = self.bench("--only", "512 B P=(1|64), tcp", "--repetitions", "1", "--picture",
                         str(picture)).stdout
        if "no gnuplot" not in out:
            self.assertEqual(picture.read_bytes()[1:4], b"PNG")


class Documents(unittest.TestCase):
    """Command lines and options that the documents show are those of the program."""

    def help(self):
        return subprocess.run([sys.executable, str(BENCH), "--help"], capture_output=True,
                              text=True, check=True).stdout

    def commands(self):
        for name in ("README.md", "bench/README.md"):
            text = (ROOT / name).read_text(encoding="utf-8")
            for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
                for line in block.splitlines():
                    if line.startswith("tools/bench"):
                        yield name, shlex.split(line, comments=True)

    def test_command_lines_are_understood(self):
        shown = list(self.commands())
        self.assertEqual({name for name, _ in shown}, {"README.md", "bench/README.md"})
        for _, command in shown:
            result = subprocess.run([sys.executable, str(BENCH), *command[1:], "--list"], cwd=ROOT,
                                    capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, f"{command}: {result.stderr}")
            self.assertNotEqual(result.stdout, "", command)

    def test_options(self):
        text = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
        shown = {option for _, command in self.commands() for option in command[1:]
                 if option.startswith("--")}
        section = text[text.index("## Running"):text.index("## Reading")]
        named = shown | set(re.findall(r"`(--[a-z-]+)", section))
        self.assertEqual(named, set(re.findall(r"--[a-z][a-z-]+", self.help())) - {"--help"})


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    unittest.main()
