#!/usr/bin/python3
"""Runs a harness of echo servers with Troupe's echo among them.

    net.py [--echo PROGRAM] HARNESS OUT.jsonl [what its run.py takes: --set one,troupe_uring1 --workloads e100 …]

HARNESS is a folder with a built load generator and a run.py that has a table of servers, SERVERS: name → (command,
environment), where {port} stands for the port to listen on. Troupe joins it as troupe_uring1, troupe_uring2,
troupe_epoll1 and troupe_epoll2: the completion port and the number of workers. PROGRAM is the example "echo" of the
release build unless another is named.
"""
import argparse
import ast
import os
import sys

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def servers(echo):
    return {
        f"troupe_{port}{workers}": (
            [echo, "--workers", str(workers), "127.0.0.1:{port}"],
            {"TROUPE_PORT": port, "TROUPE_LOG": "error"},
        )
        for port in ("uring", "epoll")
        for workers in (1, 2)
    }


def with_servers(path):
    """The harness's program, with a statement behind its table of servers that adds to it."""
    with open(path, encoding="utf-8") as file:
        program = ast.parse(file.read(), path)
    for i, statement in enumerate(program.body):
        if isinstance(statement, ast.Assign) and any(getattr(t, "id", "") == "SERVERS" for t in statement.targets):
            program.body[i + 1 : i + 1] = ast.parse("SERVERS.update(TROUPE_SERVERS)").body
            return compile(ast.fix_missing_locations(program), path, "exec")
    sys.exit(f"net.py: {path} has no table of servers called SERVERS")


def main():
    parser = argparse.ArgumentParser(description="Runs a harness of echo servers with Troupe's echo among them.")
    parser.add_argument("--echo", default=os.path.join(PROJECT, "build/release/docs/examples/echo"))
    parser.add_argument("harness")
    options, rest = parser.parse_known_args()
    path = os.path.join(os.path.abspath(options.harness), "run.py")
    echo = os.path.abspath(options.echo)
    if not os.access(echo, os.X_OK):
        sys.exit(f"net.py: there is no program {echo}: build the release preset, or name one with --echo")
    if not os.path.exists(path):
        sys.exit(f"net.py: there is no {path}")
    sys.argv = [path] + rest
    exec(with_servers(path), {"__name__": "__main__", "__file__": path, "TROUPE_SERVERS": servers(echo)})


main()
