"""What came out: medians, the table, the targets, the picture."""

import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess

import cases

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def medians(repetitions):
    """Of each number that every repetition has; of what is no number, the first."""
    out = {}
    for key, first in repetitions[0].items():
        values = [report.get(key) for report in repetitions]
        numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        out[key] = statistics.median(values) if numbers else first
    return out


def add_cpu(report):
    """Processor seconds for a million requests, by side."""
    for side in ("client", "server"):
        used, requests = report.get(f"{side}_cpu_s"), report.get("requests")
        if used is not None and requests:
            report[f"{side}_cpu_us"] = used / requests * 1e6
    return report


def ratio(value, base):
    return value / base if value is not None and base else None


# --- Tables: a list of rows, the first is the header ---


def number(value, unit=1.0):
    """Three figures."""
    if value is None:
        return ""
    value /= unit
    if value == 0:
        return "0"
    digits = max(0, 2 - len(str(int(abs(value)))) + 1) if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def rate(value):
    if value is None:
        return ""
    for unit, name in ((1e6, "M/s"), (1e3, "k/s")):
        if value >= unit:
            return f"{number(value, unit)} {name}"
    return f"{number(value)} /s"


def payload_rate(report):
    """Of all that was sent, in bytes per second."""
    rates = [report[key] for key in ("bytes_per_s", "bulk_bytes_per_s") if report.get(key)]
    return sum(rates) if rates else None


def main_table(results):
    """`results`: {case: medians}, in the order of the table."""
    systems = {case.system for case in results}
    baselines = [base for base in (*cases.BASELINES, cases.DEFAULT) if base.name in systems]
    rows = [["load", "system", "rate", "MB/s", "p50 µs", "p99 µs", "p99.9 µs", "client CPU",
             "server CPU", *(f"× {base.name}" for base in baselines)]]
    rates = {(case.load, case.system): report.get("rps") for case, report in results.items()}
    load = None
    for case, report in results.items():
        if "rps" not in report:  # those stand among the targets only
            continue
        against = (rates.get((case.load, base.name)) for base in baselines)
        rows.append([
            case.load if case.load != load else "", case.system, rate(report["rps"]),
            number(payload_rate(report), 1e6), number(report.get("p50_us")),
            number(report.get("p99_us")), number(report.get("p999_us")),
            number(report.get("client_cpu_us")), number(report.get("server_cpu_us")),
            *(number(ratio(report["rps"], base)) for base in against)])
        load = case.load
    return rows


PASS, FAIL, UNKNOWN, UNSOUND = "pass", "FAIL", "not measured", "baseline UNSOUND"


def judge(target, results):
    """What was measured (None: nothing) and the verdict."""
    def of(case):
        return results.get(case, {}).get(target.key)

    value = of(target.case)
    if target.against:
        value = ratio(value, of(target.against))
    if value is None:
        return None, UNKNOWN
    if target.plain:
        above = ratio(of(target.against), of(target.plain))
        if above is None:
            return value, UNKNOWN
        if above < cases.BEYOND:
            return value, UNSOUND
    met = value >= target.bound if target.at_least else value <= target.bound
    return value, PASS if met else FAIL


def target_results(results):
    return [(target, *judge(target, results)) for target in cases.targets()]


def unsound_notes(judged):
    """A line for each baseline that is none."""
    return list(dict.fromkeys(
        f"{target.against.name} is not {cases.BEYOND} times as fast as {target.plain.system}: "
        "ratios to it say nothing" for target, _, verdict in judged if verdict == UNSOUND))


def target_table(judged):
    rows = [["target", "of", "measured", "wanted", ""]]
    for target, value, verdict in judged:
        sign = ">=" if target.at_least else "<="
        times = "" if target.against is None else "× "
        rows.append([target.case.load, target.what, number(value),
                     f"{sign} {times}{target.bound:g}", verdict])
    return rows


def figures(rows):
    """Of each column: whether there are figures in it, which are set to the right."""
    columns = [list(filter(None, column)) for column in zip(*rows[1:])]
    return [bool(column) and all(cell[0].isdigit() for cell in column) for column in columns]


def as_text(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    right = figures(rows)
    lines = []
    for row in rows:
        cells = (cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def as_markdown(rows):
    rule = ["---:" if right else "---" for right in figures(rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in [rows[0], rule, *rows[1:]])


# --- The machine ---


def command_output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def read(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def machine(build):
    model = re.search(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo"), re.MULTILINE)
    compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", read(build / "CMakeCache.txt"),
                         re.MULTILINE)
    version = command_output(compiler[1], "--version").splitlines() if compiler else []
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "compiler": version[0] if version else "unknown",
        "congestion_control":
            read("/proc/sys/net/ipv4/tcp_congestion_control").strip() or "unknown",
        "load_average": os.getloadavg()[0],
        "date": datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
    }


def describe(run):
    machine_ = run["machine"]
    return (f"{machine_['cpu']}, {machine_['cores']} cores, Linux {machine_['kernel']}, "
            f"{machine_['compiler']}, {machine_['congestion_control']}; "
            f"medians of {run['repetitions']} repetitions of {run['duration']}, "
            f"{machine_['date'][:10]}")


# --- Files ---


def as_json(run, judged):
    cases_ = [{"load": case.load, "system": case.system, "median": run["results"].get(case),
               "repetitions": reports, "failure": run["failures"].get(case)}
              for case, reports in run["reports"].items()]
    targets = [{"target": f"{target.case.name}: {target.what}", "measured": value,
                "bound": target.bound, "at_least": target.at_least, "verdict": verdict}
               for target, value, verdict in judged]
    plain = {key: run[key] for key in ("machine", "repetitions", "duration", "notes")}
    return {**plain, "cases": cases_, "targets": targets}


def split_at_marks(path):
    """What stands before and behind the tables of an earlier run."""
    old = path.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise ValueError(f"{path} does not hold once each: {BEGIN} {END}")
    return old.split(BEGIN)[0], old.split(END)[1]


def update_markdown(path, text):
    head, tail = split_at_marks(path)
    path.write_text(f"{head}{BEGIN}\n{text}{END}{tail}", encoding="utf-8")


def plot_script(results, picture):
    """Gnuplot: rate over messages in flight at 512 bytes, a line for each system."""
    lines = {}
    for case, report in results.items():
        found = re.fullmatch(r"echo 512 B P=(\d+)( polling)?", case.load)
        if found:
            name = case.system + (found[2] or "")
            lines.setdefault(name, []).append((int(found[1]), report["rps"]))
    lines = {name: sorted(points) for name, points in lines.items() if len(points) > 1}
    if not lines:
        return None
    script = [
        "set terminal png size 1000,700", f"set output '{picture}'", "set logscale xy",
        f"set xrange [1:{cases.INFLIGHT[-1]}]", "set xlabel 'messages in flight'",
        "set ylabel 'echoes of 512 bytes per second'",
        "set format y '%.0s%c'", "set key outside right", "set grid",
        "set xtics (" + ", ".join(map(str, cases.INFLIGHT)) + ")"]
    plots = []
    for i, (name, points) in enumerate(lines.items()):
        script += [f"$data{i} << end", *(f"{x} {y}" for x, y in points), "end"]
        plots.append(f"$data{i} title '{name}' with linespoints linewidth 2")
    return "\n".join([*script, "plot " + ", ".join(plots), ""])
