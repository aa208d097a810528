#!/usr/bin/env python3
"""Compares programs that do the same work: runs them in turn, and makes tables and a plot of what they print.

    compare.py [--build] [--rounds 7] --lines FILE PROGRAM…     runs them, and keeps what they print in FILE
    compare.py --lines FILE                                     only tells of what is in FILE

A PROGRAM is a folder with a run.sh, as tests/bench/troupe is one, or NAME=FOLDER. `run.sh build` builds it, and
`THREADS=threads run.sh WORKLOAD [N]` prints a line

    workload program operations seconds operations/second peak-rss-KiB key=value…

with cpu=seconds among the values; it exits with 3 when it has no such workload.

A round is one run of each program with each workload and each number of threads, where those that are compared run one
after the other, in an order that changes from round to round. What else the machine does in the meantime hits all of them,
so the factor is the median of the ratios within a round. Behind it is the interval in which the true median lies with a
probability of at least 95 % (by order statistics, which assume nothing about how the ratios are spread); under six rounds
there is none. With a --hop COMMAND, which prints how many nanoseconds a cache line takes from core to core, the rounds in
which the cores were near and those in which they were far are kept apart.
"""
import argparse
import collections
import datetime
import html
import math
import os
import platform
import re
import signal
import statistics
import subprocess
import sys

WORKLOADS = "pingpong ring fanin big chameneos skynet1m idle timers"
WAITING = {"timers"}  # takes as long as the longest of them, by any program: what counts is the processor's time
NOT_FIGURES = {"cpu", "ns", "mib", "round", "hop"}


# ---- running them ------------------------------------------------------------------------------------------------------


def named(program):
    """(name or None, folder) of a PROGRAM."""
    name, equals, folder = program.rpartition("=")
    return (name if equals else None), os.path.abspath(folder)


def run(command, limit, **environment):
    """(exit code, what it has printed); the code is None when it had to be ended."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, **environment}
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit)
            return process.returncode, output
        except BaseException as reason:
            os.killpg(process.pid, signal.SIGKILL)  # with what it has started
            if not isinstance(reason, subprocess.TimeoutExpired):
                raise
            return None, ""


def machine():
    model = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    day = datetime.date.today().isoformat()
    release = re.match(r"[\d.]*", platform.release()).group()
    return f"{day}, {platform.system()} {release}, {os.cpu_count()} cores, {model}"


def run_all(options, out):
    """Writes a line for each run; answers how many have failed."""
    failed = 0
    programs = [named(program) for program in options.programs]
    out.write(f"# {machine()}\n")
    for round_ in range(options.rounds):
        first = round_ % len(programs)
        for workload in options.workloads:
            for threads in options.threads:
                for name, folder in programs[first:] + programs[:first]:
                    command = [os.path.join(folder, "run.sh"), workload] + ([options.size] if options.size else [])
                    code, output = run(command, options.limit, THREADS=threads)
                    fields = output.split()
                    if code == 3:
                        continue
                    if code != 0 or len(fields) < 6:
                        why = "has not ended in time" if code is None else f"exits with {code}"
                        print(f"compare.py: {folder} {workload}, {threads} threads: {why}", file=sys.stderr)
                        failed += 1
                        continue
                    fields[1] = f"{name or fields[1]}/{threads}"
                    fields.append(f"round={round_}")
                    if options.hop and threads != "1":
                        fields.append(f"hop={run(['sh', '-c', options.hop], options.limit)[1].strip() or 0}")
                    out.write(" ".join(fields) + "\n")
                    out.flush()
    return failed


# ---- reading what they have printed ----------------------------------------------------------------------------------


def read(lines, near):
    """([what was said of the machine], {(workload, setting, program): {round: figures}}). A setting is (threads, place)."""
    remarks, runs = [], collections.defaultdict(dict)
    for line in lines:
        if line.startswith("#"):
            remarks.append(line[1:].strip())
            continue
        if not line.strip():
            continue
        workload, program, operations, seconds, _, kib, *more = line.split()
        program, _, threads = program.partition("/")
        figures = {key: float(value) for key, value in (pair.split("=") for pair in more)}
        figures["ns"] = float(seconds) * 1e9 / int(operations)
        figures["cpu"] = figures.get("cpu", math.nan) * 1e9 / int(operations)
        figures["mib"] = int(kib) / 1024
        place = "" if "hop" not in figures else ", cores near" if figures["hop"] < near else ", cores far"
        known = runs[workload, (int(threads or 1), place), program]
        known[int(figures.get("round", len(known)))] = figures
    return remarks, runs


def interval(values):
    """The narrowest pair of order statistics that has the median between them with a probability of at least 95 %; None
    when there are too few."""
    values, n, below, rank = sorted(values), len(values), 0.0, 0
    while below + math.comb(n, rank) / 2**n <= 0.025:
        below += math.comb(n, rank) / 2**n
        rank += 1
    return (values[rank - 1], values[n - rank]) if rank else None


def ratios(runs, base, key):
    return [runs[i][key] / base[i][key] for i in sorted(runs.keys() & base.keys()) if base[i][key]]


def median(runs, key):
    values = [figures[key] for figures in runs.values() if not math.isnan(figures.get(key, math.nan))]
    return statistics.median(values) if values else None


# ---- tables ------------------------------------------------------------------------------------------------------------


def number(x):
    return "–" if x is None else f"{x:.1f}" if abs(x) < 100 else f"{x:,.0f}"


def factor(values):
    if not values:
        return "–"
    around = interval(values)
    return f"{statistics.median(values):.2f}" + (f", {around[0]:.2f} to {around[1]:.2f}" if around else "")


def setting_name(setting):
    threads, place = setting
    return f"{threads} thread{'s' if threads != 1 else ''}{place}"


def table(out, title, head, rows):
    out.append(f"\n### {title}\n")
    out.append("| | " + " | ".join(head) + " |")
    out.append("|---" + "|---:" * len(head) + "|")
    out.extend(f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows)


def compared(runs, setting, programs, workloads, key):
    """The rows of a table of medians, with the factors to the first program."""
    for workload in workloads:
        base = runs.get((workload, setting, programs[0]), {})
        cells = []
        for program in programs:
            mine = runs.get((workload, setting, program), {})
            cell = number(median(mine, key) if mine else None)
            values = [x for x in ratios(mine, base, key) if not math.isnan(x)]
            cells.append(f"{cell} ({factor(values)})" if program != programs[0] and values else cell)
        if any(cell != "–" for cell in cells):
            yield workload, cells


def scaling(runs, setting, programs, workloads):
    """How long with these threads, of how long with one."""
    for workload in workloads:
        cells = []
        for program in programs:
            one, more = (runs.get((workload, s, program), {}) for s in ((1, ""), setting))
            cells.append(factor(ratios(more, one, "cpu" if workload in WAITING else "ns")))
        if any(cell != "–" for cell in cells):
            yield workload, cells


def others(runs, settings, programs, workloads):
    """What some workloads tell besides."""
    for workload in workloads:
        mine = {key: figures for key, figures in runs.items() if key[0] == workload}
        keys = dict.fromkeys(k for rounds in mine.values() for figures in rounds.values() for k in figures)
        for key in keys:
            for setting in settings:
                if key in NOT_FIGURES:
                    continue
                cells = [number(median(mine.get((workload, setting, program), {}), key)) for program in programs]
                if any(cell != "–" for cell in cells):
                    yield f"{workload}: {key}, {setting_name(setting)}", cells


def order(runs, first):
    """(programs, workloads, settings), in the order in which they came; but the first program is what was said."""
    programs = list(dict.fromkeys(program for _, _, program in runs))
    programs.sort(key=lambda program: program != first)
    return programs, list(dict.fromkeys(w for w, _, _ in runs)), sorted({s for _, s, _ in runs})


def report(remarks, runs, first):
    programs, workloads, settings = order(runs, first)
    counts = sorted({len(rounds) for rounds in runs.values()})
    out = [f"{'; '.join(remarks)}." if remarks else "", ""][: 2 * bool(remarks)]
    times = f"{counts[0]}{f' to {counts[-1]}' if len(counts) > 1 else ''} run{'' if counts == [1] else 's'}"
    beside = f"; in brackets how many times as much as {programs[0]}, and the interval of 95 % of that"
    out.append(f"Medians of {times} of each{beside if len(programs) > 1 else ''}.")
    for setting in settings:
        name = setting_name(setting)
        for key, title in (
            ("ns", "Nanoseconds an operation"),
            ("cpu", "Nanoseconds of processor time an operation, the program's start included"),
            ("mib", "MiB at most"),
        ):
            table(out, f"{title}, {name}", programs, list(compared(runs, setting, programs, workloads, key)))
    for setting in settings:
        rows = list(scaling(runs, setting, programs, workloads)) if setting[0] > 1 else []
        if rows:
            table(out, f"Time with {setting_name(setting)}, of that with one", programs, rows)
    rows = list(others(runs, settings, programs, workloads))
    if rows:
        table(out, "Besides", programs, rows)
    return "\n".join(out) + "\n"


# ---- the plot ----------------------------------------------------------------------------------------------------------

# Told apart by people who do not see all colours (Okabe and Ito), on white and on black.
COLOURS = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c"]
STYLE = """
    .page { fill: #ffffff } .text, .value { fill: #1f2328 } .line { stroke: #d0d7de }
    text { font: 13px system-ui, sans-serif } .value { font-size: 11px } .title { font-weight: 600 }
    @media (prefers-color-scheme: dark) {
        .page { fill: #0d1117 } .text, .value { fill: #e6edf3 } .line { stroke: #30363d }
    }
"""
RIGHT, WIDTH, BAR, GAP, HEAD = 70, 840, 13, 12, 58


def panel(shapes, top, left, title, programs, rows, low, high):
    """Grouped bars, from `top` on; answers where they end. rows: (name, [value or None of each program])."""

    def x(value):
        return left + (WIDTH - left - RIGHT) * (math.log10(value) - low) / (high - low)

    def text(at, y, content, kind="text", anchor="start"):
        shapes.append(
            f'<text class="{kind}" x="{at:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(content)}</text>'
        )

    bottom = top + HEAD + sum(BAR * sum(v is not None for v in values) + GAP for _, values in rows)
    text(left, top + 16, title, "text title")
    at = left
    for i, program in enumerate(programs):
        colour = COLOURS[i % len(COLOURS)]
        shapes.append(f'<rect x="{at:.1f}" y="{top + 26}" width="11" height="11" fill="{colour}"/>')
        text(at + 16, top + 36, program)
        at += 16 + 8 * len(program) + 18
    for decade in range(low, high + 1):
        shapes.append(
            f'<line class="line" x1="{x(10**decade):.1f}" y1="{top + HEAD - 12}" x2="{x(10**decade):.1f}" y2="{bottom}"/>'
        )
        text(x(10**decade), bottom + 16, f"{10**decade:,}", "value", "middle")
    y = top + HEAD - 4
    for name, values in rows:
        bars = [(i, value) for i, value in enumerate(values) if value is not None]
        text(left - 8, y + BAR * len(bars) / 2 + 5, name, anchor="end")
        for i, value in bars:
            colour = COLOURS[i % len(COLOURS)]
            width = max(x(value) - left, 1)
            shapes.append(f'<rect class="bar" x="{left}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>')
            text(left + width + 4, y + BAR - 3, number(value), "value")
            y += BAR
        y += GAP
    return bottom + 36


def plot(runs, first):
    """The medians, on a logarithmic scale, as SVG."""
    programs, workloads, settings = order(runs, first)
    panels = []
    for setting in settings:
        rows = []
        for workload in workloads:
            key = "cpu" if workload in WAITING else "ns"
            values = [median(runs.get((workload, setting, program), {}), key) for program in programs]
            if any(values):
                rows.append((workload + (" (CPU)" if key == "cpu" else ""), [value or None for value in values]))
        panels.append((f"Nanoseconds an operation, {setting_name(setting)}; shorter is better", rows))
    every = [value for _, rows in panels for _, values in rows for value in values if value]
    low = math.floor(math.log10(min(every) * 0.999))
    high = max(math.ceil(math.log10(max(every))), low + 1)
    left = 24 + 7 * max(len(name) for _, rows in panels for name, _ in rows)
    shapes, end = [], 10
    for title, rows in panels:
        end = panel(shapes, end, left, title, programs, rows, low, high)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {end}" width="{WIDTH}" height="{end}">\n'
        f'<style>{STYLE}</style>\n<rect class="page" width="{WIDTH}" height="{end}"/>\n' + "\n".join(shapes) + "\n</svg>\n"
    )


# ---- the command line --------------------------------------------------------------------------------------------------


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM")
    parser.add_argument("--build", action="store_true", help="have them built first")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", default="1,2", type=lambda text: text.split(","), help="1,2 unless another list is given")
    parser.add_argument("--workloads", default=WORKLOADS, help=f'"{WORKLOADS}" unless others are named')
    parser.add_argument("--size", metavar="N", help="of every workload, instead of its own")
    parser.add_argument("--limit", type=float, default=120, metavar="SECONDS", help="a run that takes longer has failed: 120")
    parser.add_argument("--hop", metavar="COMMAND", help="run after each run with several threads")
    parser.add_argument("--near", type=float, default=80, metavar="NS", help="a hop is near below that: 80")
    parser.add_argument("--first", default="troupe", metavar="PROGRAM", help="whom the others are compared with: troupe")
    parser.add_argument("--lines", required=True, metavar="FILE", help="what the programs have printed")
    parser.add_argument("--markdown", metavar="FILE", help="for the tables, instead of the standard output")
    parser.add_argument("--svg", metavar="FILE", help="for the plot")
    options = parser.parse_args(arguments)
    options.workloads = options.workloads.split()
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    if not all(threads.isdigit() and int(threads) for threads in options.threads):
        parser.error("--threads is a list of numbers: 1,2")
    for program in options.programs:
        if not os.access(os.path.join(named(program)[1], "run.sh"), os.X_OK):
            parser.error(f"{program} has no run.sh that can be run")
    return options


def main(arguments):
    options = options_of(arguments)
    failed = 0
    for program in options.programs if options.build else []:
        if subprocess.call([os.path.join(named(program)[1], "run.sh"), "build"], stdout=2):
            sys.exit(f"compare.py: {program} cannot be built")
    if options.programs:
        with open(options.lines, "w", encoding="utf-8") as out:
            failed = run_all(options, out)
    with open(options.lines, encoding="utf-8") as lines:
        remarks, runs = read(lines, options.near)
    if not runs:
        sys.exit(f"compare.py: {options.lines} has no runs")
    text = report(remarks, runs, options.first)
    if options.markdown:
        with open(options.markdown, "w", encoding="utf-8") as out:
            out.write(text)
    else:
        print(text, end="")
    if options.svg:
        with open(options.svg, "w", encoding="utf-8") as out:
            out.write(plot(runs, options.first))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
