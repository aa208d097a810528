#!/usr/bin/python3
"""Tables of benchmark lines, in Markdown.

    table.py [--first PEER] FILE…

A line is `workload peer/threads ops seconds ops_per_s peak_rss_kb key=value…`, as a harness collects them that runs every
peer, again and again, in turn. One table for each number of threads: the median time of an operation, and behind it
how many times that of the first peer it is. This factor is the median over pairs of runs that came one after the other,
so what else the machine did in the meantime hits both. Then processor time, memory and what else was told.
"""
import argparse
import collections
import statistics


def read(files):
    runs = collections.defaultdict(list)  # (workload, threads, peer) → one dict for each run
    for file in files:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                workload, peer, ops, seconds, _, kib, *more = line.split()
                peer, _, threads = peer.partition("/")
                run = {"ns": float(seconds) * 1e9 / int(ops), "mib": int(kib) / 1024}
                run.update((k, float(v)) for k, v in (pair.split("=") for pair in more))
                run["cpu"] = run["cpu"] * 1e9 / int(ops)
                runs[workload, threads, peer].append(run)
    return runs


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def factor(runs, base, key):
    """The median of the ratios of runs that belong together."""
    return statistics.median(a[key] / b[key] for a, b in zip(runs, base) if b[key])


def number(x):
    return f"{x:.1f}" if x < 100 else f"{x:,.0f}"


def table(runs, threads, peers, workloads, key, title):
    print(f"\n{title}, {threads} thread{'s' if threads != '1' else ''}\n")
    print("| | " + " | ".join(peers) + " |")
    print("|---" + "|---:" * len(peers) + "|")
    for workload in workloads:
        base = runs.get((workload, threads, peers[0]), [])
        cells = []
        for peer in peers:
            mine = runs.get((workload, threads, peer), [])
            if not mine:
                cells.append("–")
            elif peer == peers[0] or not base:
                cells.append(number(median(mine, key)))
            else:
                cells.append(f"{number(median(mine, key))} ({factor(mine, base, key):.2f}×)")
        print(f"| {workload} | " + " | ".join(cells) + " |")


def extras(runs, peers):
    keys = ["bytes_per_actor", "arm_ns", "cancel_ns"]
    print("\n| | threads | " + " | ".join(peers) + " |")
    print("|---|---:" + "|---:" * len(peers) + "|")
    for key in keys:
        for threads in sorted({t for _, t, _ in runs}):
            cells = []
            for peer in peers:
                mine = [run for (_, t, p), all_ in runs.items() if (t, p) == (threads, peer) for run in all_ if key in run]
                cells.append(number(median(mine, key)) if mine else "–")
            print(f"| {key} | {threads} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description="Tables of benchmark lines, in Markdown.")
    parser.add_argument("--first", default="troupe")
    parser.add_argument("files", nargs="+", metavar="FILE")
    options = parser.parse_args()
    runs = read(options.files)
    peers = sorted({p for _, _, p in runs}, key=lambda p: (p != options.first, list(dict.fromkeys(k[2] for k in runs)).index(p)))
    workloads = list(dict.fromkeys(w for w, _, _ in runs))
    count = sorted({len(v) for v in runs.values()})
    print(f"{count[0]}{f' to {count[-1]}' if len(count) > 1 else ''} runs of each")
    for threads in sorted({t for _, t, _ in runs}):
        table(runs, threads, peers, workloads, "ns", "ns per operation")
        table(runs, threads, peers, workloads, "cpu", "ns of processor time per operation, the start of the program included")
        table(runs, threads, peers, workloads, "mib", "MiB at most")
    extras(runs, peers)


main()
