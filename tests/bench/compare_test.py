#!/usr/bin/env python3
"""Tests of compare.py: what it makes of lines, and how it runs programs."""
import contextlib
import io
import os
import re
import sys
import tempfile
import time
import unittest
from xml.etree import ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare

# A million operations in so many milliseconds are so many nanoseconds each. The peer takes twice, three times, … as long in
# its rounds; the lines of the last round came in another order, and one is missing.
LINES = """
# a machine; another remark
ring ours/1 1000000 0.010000 1 20480 cpu=0.020 round=0
ring peer/1 1000000 0.020000 1 1024 cpu=0.020 round=0
ring ours/1 1000000 0.020000 1 20480 cpu=0.020 round=1
ring peer/1 1000000 0.060000 1 1024 cpu=0.060 round=1
ring peer/1 1000000 0.160000 1 1024 cpu=0.090 round=2
ring ours/1 1000000 0.040000 1 20480 cpu=0.030 round=2
ring ours/1 1000000 0.040000 1 20480 cpu=0.030 round=3
ring ours/2 1000000 0.005000 1 20480 cpu=0.010 round=0 hop=30
ring ours/2 1000000 0.040000 1 20480 cpu=0.010 round=1 hop=160
timers ours/1 1000 1.000000 1 20480 cpu=0.001 arm_ns=50 round=0
timers peer/1 1000 1.000000 1 1024 cpu=0.002 round=0
timers ours/2 1000 1.000000 1 20480 cpu=0.003 round=0 hop=160
""".splitlines()

REPORT = """\
a machine; another remark.

Medians of 1 to 4 runs of each; in brackets how many times as much as ours, and the interval of 95 % of that.

### Nanoseconds an operation, 1 thread

| | ours | peer |
|---|---:|---:|
| ring | 30.0 | 60.0 (3.00) |
| timers | 1,000,000 | 1,000,000 (1.00) |

### Nanoseconds of processor time an operation, the program's start included, 1 thread

| | ours | peer |
|---|---:|---:|
| ring | 25.0 | 60.0 (3.00) |
| timers | 1,000 | 2,000 (2.00) |

### MiB at most, 1 thread

| | ours | peer |
|---|---:|---:|
| ring | 20.0 | 1.0 (0.05) |
| timers | 20.0 | 1.0 (0.05) |

### Nanoseconds an operation, 2 threads, cores far

| | ours | peer |
|---|---:|---:|
| ring | 40.0 | – |
| timers | 1,000,000 | – |
"""

SCALING = """
### Time with 2 threads, cores far, of that with one

| | ours | peer |
|---|---:|---:|
| ring | 2.00 | – |
| timers | 3.00 | – |

### Time with 2 threads, cores near, of that with one

| | ours | peer |
|---|---:|---:|
| ring | 0.50 | – |

### Besides

| | ours | peer |
|---|---:|---:|
| timers: arm_ns, 1 thread | 50.0 | – |
"""


class Figures(unittest.TestCase):
    def test_the_interval_is_of_order_statistics_with_at_least_95_percent(self):
        self.assertIsNone(compare.interval([1, 2, 3, 4, 5]))  # 93.75 % at most
        for n, rank in ((6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (20, 6), (100, 40)):  # from tables of the sign test
            self.assertEqual(compare.interval(list(range(n, 0, -1))), (rank, n + 1 - rank))

    def test_a_factor_is_of_runs_of_the_same_round(self):
        _, runs = compare.read(LINES, 80)
        mine, base = runs["ring", (1, ""), "peer"], runs["ring", (1, ""), "ours"]
        self.assertEqual([round(x, 6) for x in compare.ratios(mine, base, "ns")], [2, 3, 4])

    def test_lines_without_a_round_are_counted(self):
        _, runs = compare.read(["ring a/1 10 1 1 1 cpu=1", "ring b/1 10 1 1 1 cpu=1", "ring a/1 10 2 1 1 cpu=1"], 80)
        self.assertEqual(list(runs["ring", (1, ""), "a"]), [0, 1])

    def test_the_report_is_what_it_was(self):
        text = compare.report(*compare.read(LINES, 80), "ours")
        self.assertTrue(text.startswith(REPORT), text)
        self.assertTrue(text.endswith(SCALING), text)

    def test_the_first_program_is_the_one_that_was_said(self):
        self.assertIn("| | peer | ours |", compare.report(*compare.read(LINES, 80), "peer"))

    def test_one_program_alone_is_compared_with_nobody(self):
        text = compare.report(*compare.read(LINES[:3], 80), "ours")
        self.assertIn("another remark.\n\nMedians of 1 run of each; in", compare.report(*compare.read(LINES[:4], 80), "ours"))
        self.assertIn("\n\nMedians of 1 run of each.\n", text)

    def test_an_interval_is_told_when_there_are_six_rounds(self):
        lines = [f"ring {p}/1 1000 1 1 1 cpu=1 round={i}" for i in range(6) for p in ("ours", "peer")]
        self.assertIn("(1.00, 1.00 to 1.00)", compare.report(*compare.read(lines, 80), "ours"))


class Plot(unittest.TestCase):
    def setUp(self):
        lines = LINES + ["ring a<&b/1 1000000 0.9 1 1 cpu=1 round=0"]
        self.text = compare.plot(compare.read(lines, 80)[1], "ours")
        self.root = ElementTree.fromstring(self.text)

    def of(self, kind):
        return [e for e in self.root.iter() if e.tag.endswith(kind)]

    def test_a_bar_is_as_long_as_the_logarithm_of_its_median(self):
        bars = [float(e.get("width")) for e in self.of("rect") if e.get("class") == "bar"]
        ours, peer, other, timers_ours, timers_peer, *more = bars
        self.assertEqual(len(more), 3)  # far and near
        for longer, shorter, times in ((peer, ours, 2), (other, ours, 30), (timers_ours, ours, 1000 / 30)):
            self.assertAlmostEqual((longer - shorter) / (timers_peer - timers_ours), compare.math.log2(times), delta=0.02)

    def test_nothing_is_outside_of_the_page(self):
        page = [float(x) for x in self.root.get("viewBox").split()]
        for e in self.of("rect"):
            self.assertLessEqual(float(e.get("x", 0)) + float(e.get("width")), page[2])
            self.assertLessEqual(float(e.get("y", 0)) + float(e.get("height")), page[3])
        for e in self.of("text"):
            self.assertTrue(0 < float(e.get("x")) < page[2] and 0 < float(e.get("y")) < page[3], e.text)

    def test_it_names_everybody_and_has_colours_for_the_dark(self):
        texts = [e.text for e in self.of("text")]
        for text in ("ours", "peer", "a<&b", "ring", "timers (CPU)", "900", "100"):
            self.assertIn(text, texts)
        self.assertIn("prefers-color-scheme: dark", self.text)

    def test_it_is_the_same_each_time(self):
        before = self.text
        self.setUp()
        self.assertEqual(before, self.text)


class Running(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.lines = self.path("lines")

    def path(self, name):
        return os.path.join(self.folder, name)

    def program(self, name, commands=""):
        """A program that keeps a log of how it was called."""
        os.mkdir(self.path(name))
        with open(self.path(f"{name}/run.sh"), "w", encoding="utf-8") as out:
            out.write(
                f'#!/bin/sh\necho "{name} $THREADS $*" >>"{self.path("log")}"\n{commands}\n'
                f'echo "$1 {name} ${{2:-7}} 0.5 14 2048 cpu=0.1"\n'
            )
        os.chmod(self.path(f"{name}/run.sh"), 0o755)
        return self.path(name)

    def compare(self, *arguments):
        """(exit code, what was said on the standard output, and on standard error)."""
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                code = compare.main(["--lines", self.lines, *arguments])
            except SystemExit as end:
                code = end.code
        return code, out.getvalue(), err.getvalue()

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as lines:
            return [line.strip() for line in lines]

    def test_they_take_turns_in_an_order_that_changes(self):
        programs = [self.program("a"), self.program("b")]
        code, out, _ = self.compare("--rounds", "2", "--workloads", "ring big", "--size", "9", *programs)
        self.assertEqual(code, 0)
        one = [f"{p} {t} {w} 9" for w in ("ring", "big") for t in (1, 2) for p in "ab"]
        other = [f"{p} {t} {w} 9" for w in ("ring", "big") for t in (1, 2) for p in "ba"]
        self.assertEqual(self.read("log"), one + other)
        self.assertEqual(len(self.read("lines")), 1 + 16)
        self.assertIn("ring b/2 9 0.5 14 2048 cpu=0.1 round=1", self.read("lines"))
        self.assertIn("| | a | b |", out)

    def test_lines_are_told_of_again_without_running_anything(self):
        _, first, _ = self.compare("--rounds", "1", "--threads", "1", "--workloads", "ring", self.program("a"))
        calls = self.read("log")
        self.assertEqual(self.compare(), (0, first, ""))
        self.assertEqual(self.read("log"), calls)
        self.assertEqual(self.compare("--markdown", self.path("md"), "--svg", self.path("svg")), (0, "", ""))
        self.assertEqual("\n".join(self.read("md")) + "\n", first)
        ElementTree.parse(self.path("svg"))

    def test_a_program_can_have_another_name_and_no_such_workload(self):
        code, out, err = self.compare(
            "--rounds", "1", "--workloads", "ring", "before=" + self.program("a"), self.program("b", "exit 3")
        )
        self.assertEqual((code, err), (0, ""))
        self.assertIn("| | before |", out)

    def test_what_fails_or_takes_too_long_is_told_and_the_others_go_on(self):
        child = f'sleep 60 & echo $! >"{self.path("pid")}"; wait'
        code, out, err = self.compare(
            *"--rounds 1 --threads 1 --workloads ring --limit 3".split(),
            self.program("a", "exit 5"), self.program("b", child), self.program("c", "exit 0"), self.program("d"),
        )
        self.assertEqual(code, 1)
        self.assertRegex(err, "/a ring, 1 threads: exits with 5\n.*/b ring, 1 threads: has not ended in time\n.*/c .*exits with 0")
        self.assertIn("| | d |", out)
        until = time.monotonic() + 10
        while self.runs(int(self.read("pid")[0])):
            self.assertLess(time.monotonic(), until, "what the program had started goes on")

    @staticmethod
    def runs(process):
        """Whether it does; it may be that nobody takes note of its end."""
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
                return stat.read().rpartition(")")[2].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def test_the_hop_is_measured_with_several_threads(self):
        self.compare("--rounds", "1", "--workloads", "ring", "--hop", "echo 42", self.program("a"))
        self.assertEqual([re.sub(".* round=", "", line) for line in self.read("lines")[1:]], ["0", "0 hop=42"])

    def test_they_are_built_when_that_is_asked_for(self):
        self.compare("--build", "--rounds", "1", "--threads", "1", "--workloads", "ring", self.program("a"))
        self.assertEqual([line.split()[-1] for line in self.read("log")], ["build", "ring"])
        code, _, _ = self.compare("--build", self.program("b", "exit 1"))
        self.assertIn("b cannot be built", code)

    def test_wrong_calls_are_refused(self):
        for arguments in (["/nowhere"], ["--rounds", "0"], ["--threads", "1,none"], ["--threads", "0"], ["--what"]):
            self.assertEqual(self.compare(*arguments)[0], 2, arguments)
        open(self.lines, "w", encoding="utf-8").close()
        self.assertIn("has no runs", self.compare()[0])


if __name__ == "__main__":
    unittest.main()
