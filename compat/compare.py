#!/usr/bin/env python3
"""Builds one program twice, on trefoil and on tokio, and compares the two.

    python3 compare.py PACKAGE [options] [-- arguments of the program]

    python3 compare.py ~/my-tool -- input.txt            a program that ends: time, CPU, memory
    python3 compare.py ~/my-server --url http://127.0.0.1:8080/     a server: under load

PACKAGE is the folder of a Cargo package as it is, for tokio; nothing in it is changed (its
Cargo.lock is put back). The two programs run in turns; a ratio is tokio's figure divided by
trefoil's in the same round (for requests per second the other way round), so above 1 trefoil is
better, and the median of those is printed with the lowest and the highest.

The load is made by `wrk` where it is installed, else by `load.rs` beside this file, in a process
of its own either way.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
PATCH = ["--config", f"patch.crates-io.tokio.path={json.dumps(str(HERE / 'tokio'))}"]
VERSION = "1.54.1"
SIDES = ("tokio", "trefoil")


def cargo(package, *arguments, **options):
    """Runs cargo in the package; gives what it prints."""
    done = subprocess.run(["cargo", *arguments], cwd=package, stdout=subprocess.PIPE, text=True, **options)
    if done.returncode:
        sys.exit(f"cargo {' '.join(arguments)}: failed")
    return done.stdout


def build(package, target, choice=()):
    """Builds both sides with the same versions of everything else; gives their programs."""
    manifest = cargo(package, "locate-project", "--workspace", "--message-format", "plain").strip()
    lock = pathlib.Path(manifest).with_name("Cargo.lock")
    before = lock.read_bytes() if lock.exists() else None
    try:
        if f'name = "tokio"\nversion = "{VERSION}"' not in (before or b"").decode():
            cargo(package, "update", "--quiet", "tokio", "--precise", VERSION)
        return {side: build_side(package, side, target / side, choice) for side in SIDES}
    finally:
        lock.write_bytes(before) if before is not None else lock.unlink(missing_ok=True)


def build_side(package, side, target, choice):
    """Builds one side, and makes sure that it is this side."""
    patch = PATCH if side == "trefoil" else []
    messages = cargo(package, "build", "--release", "--message-format", "json-render-diagnostics",
                     "--quiet", "--target-dir", str(target), *patch, *choice)
    found = [json.loads(line) for line in messages.splitlines()]
    programs = [message["executable"] for message in found if message.get("executable")]
    if len(programs) != 1:
        sys.exit(f"which of {programs}? choose one with --bin or --example")
    tree = cargo(package, "tree", "--invert", "tokio", "--depth", "0", *patch)
    if ("compat/tokio" in tree) != (side == "trefoil"):
        sys.exit(f"the patch is in the wrong place for {side}: {tree}")
    return programs[0]


def run(program, arguments):
    """Runs a program to its end; gives what it took."""
    start = time.perf_counter()
    child = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
    # The peak counts from the fork on, so this script's own 16 MiB are the least that it shows.
    _, status, used = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{program}: ended with status {status}")
    return {"wall ms": (time.perf_counter() - start) * 1e3,
            "CPU ms": (used.ru_utime + used.ru_stime) * 1e3,
            "memory, peak KiB": used.ru_maxrss}


class Server:
    """A program that serves, from its start until it is told to stop."""

    def __init__(self, program, arguments, url, cpu=None):
        self.url = urllib.parse.urlsplit(url)
        self.child = subprocess.Popen(on_cpu(cpu, [program, *arguments]), stdout=subprocess.DEVNULL)
        for _ in range(600):
            try:
                return self.connect().close()
            except ConnectionRefusedError:
                if self.child.poll() is not None:
                    break
                time.sleep(0.05)
        sys.exit(f"{program}: nobody listens at {url}")

    def connect(self):
        return socket.create_connection((self.url.hostname, self.url.port), timeout=30)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Bytes of its own that it has written to."""
        for line in pathlib.Path(f"/proc/{self.child.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
        return 0

    def idle(self, count):
        """What a connection costs that has had its answer and stays open, in bytes."""
        request = f"GET {self.url.path or '/'} HTTP/1.1\r\nHost: {self.url.netloc}\r\n\r\n".encode()
        open_ones = []

        def more(number):
            for _ in range(number):
                connection = self.connect()
                connection.sendall(request)
                connection.recv(65536)
                open_ones.append(connection)

        more(20)
        before = self.memory()
        more(count)
        after = self.memory()
        for connection in open_ones:
            connection.close()
        return (after - before) / count

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def on_cpu(cpu, command):
    return command if cpu is None else ["taskset", "-c", str(cpu), *map(str, command)]


def load_program(target):
    """`wrk`, or else our own."""
    if shutil.which("wrk"):
        return ["wrk", "--latency", "--threads", "1"]
    own = target / "load"
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["rustc", "-O", "--edition", "2024", "-o", own, HERE / "load.rs"], check=True)
    return [str(own)]


def load(program, url, connections, seconds, cpu):
    """Asks for `seconds`; gives requests, requests per second, and latencies in microseconds."""
    command = [*program, "--connections", str(connections), "--duration", f"{seconds}s", url]
    done = subprocess.run(on_cpu(cpu, command), check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in done or "Socket errors" in done:
        sys.exit(f"not every request was answered:\n{done}")
    seen = {}
    for line in done.splitlines():
        words = line.split()
        if words[1:3] == ["requests", "in"]:
            seen["requests"] = int(words[0])
        elif words[:1] == ["Requests/sec:"]:
            seen["rate"] = float(words[1])
        elif words[:1] in (["50%"], ["99%"]):
            number = words[1].rstrip("mus")
            unit = words[1][len(number):]
            seen[words[0]] = float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]
    return seen


def serve(program, arguments, url, plan):
    """One round of one side: memory first, while it is fresh, then load."""
    pinned = (0, os.cpu_count() - 1) if plan.pin else (None, None)
    server = Server(program, arguments, url, pinned[0])
    try:
        idle = server.idle(plan.idle)
        load(plan.load, url, plan.connections, 1, pinned[1])
        before = server.cpu_seconds()
        seen = load(plan.load, url, plan.connections, plan.seconds, pinned[1])
        cpu = server.cpu_seconds() - before
    finally:
        server.stop()
    return {"requests/s": seen["rate"], "server CPU, µs a request": cpu / seen["requests"] * 1e6,
            "p50 µs": seen["50%"], "p99 µs": seen["99%"], "bytes an idle connection": idle}


def compare(title, rounds, measure):
    """Measures both sides in turns, and prints a row for each figure."""
    seen = {side: [] for side in SIDES}
    for turn in range(rounds):
        for side in SIDES if turn % 2 == 0 else reversed(SIDES):
            seen[side].append(measure(side))
    print(f"\n{title}: medians of {rounds} rounds, ratio above 1: trefoil is better\n")
    print("| | tokio | trefoil | ratio (min–max) |\n|---|---:|---:|---:|")
    for what in seen["tokio"][0]:
        theirs, ours = ([figures[what] for figures in seen[side]] for side in SIDES)
        better = [b / a if what.endswith("/s") else a / b for a, b in zip(theirs, ours) if a and b]
        ratio = f"{statistics.median(better):.2f} ({min(better):.2f}–{max(better):.2f})" if better else "–"
        print(f"| {what} | {statistics.median(theirs):.4g} | {statistics.median(ours):.4g} | {ratio} |")


def more_files():
    """As many open files as are allowed: an idle connection is one here and one in the server."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=pathlib.Path)
    parser.add_argument("--bin", help="which program, if there are several")
    parser.add_argument("--example", help="an example as the program")
    parser.add_argument("--features", default="")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--target", type=pathlib.Path, help="where to build; default: PACKAGE/target/compare")
    parser.add_argument("--url", help="the program is a server that answers here")
    parser.add_argument("--seconds", type=int, default=3, help="of load in a round")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--idle", type=int, default=500, help="idle connections for the memory row")
    parser.add_argument("--pin", action="store_true", help="server on the first CPU, load on the last")
    own, _, arguments = (sys.argv[1:], None, []) if "--" not in sys.argv else (
        sys.argv[1:sys.argv.index("--")], None, sys.argv[sys.argv.index("--") + 1:])
    plan = parser.parse_args(own)
    more_files()
    choice = [word for name in ("bin", "example", "features") if getattr(plan, name)
              for word in (f"--{name}", getattr(plan, name))]
    target = (plan.target or plan.package / "target/compare").resolve()
    programs = build(plan.package, target, choice)
    plan.load = load_program(target) if plan.url else None
    measure = (lambda side: serve(programs[side], arguments, plan.url, plan)) if plan.url else (
        lambda side: run(programs[side], arguments))
    compare(plan.package.resolve().name, plan.rounds, measure)


if __name__ == "__main__":
    main()
