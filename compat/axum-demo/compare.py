#!/usr/bin/env python3
"""Builds the demo twice, on trefoil's event loop and on tokio's, and compares.

    python3 compare.py [rounds] [seconds of load in a round]      default 7 and 3

All but the runtime is the same on both sides, by the same lock file. `../compare.py`, which does
the work, does the same for a program of yours.
"""

import argparse
import pathlib
import shutil
import socket
import sys

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE / "target"
sys.path.insert(0, str(HERE.parent))
sys.dont_write_bytecode = True
import compare  # noqa: E402


def plain():
    """The same package without the patch, as anybody has it who uses tokio."""
    folder = TARGET / "plain"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(HERE / "src", folder / "src")
    shutil.copy(HERE / "Cargo.lock", folder)
    manifest = (HERE / "Cargo.toml").read_text()
    (folder / "Cargo.toml").write_text(manifest[: manifest.index("# These two lines")])
    return folder


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def main():
    rounds, seconds = (int(text) for text in [*sys.argv[1:], *(7, 3)[len(sys.argv) - 1:]][:2])
    compare.more_files()
    programs = compare.build(plain(), TARGET)
    plan = argparse.Namespace(load=compare.load_program(TARGET), connections=64, seconds=seconds,
                              idle=500)
    print(f"load by {pathlib.Path(plan.load[0]).name}, 64 connections")
    for title, workers, plan.pin in (
        ("one thread, on the first CPU", 0, True),
        ("two workers, on any CPU", 2, False),
    ):
        def measure(side):
            port = free_port()
            url = f"http://127.0.0.1:{port}/"
            return compare.serve(programs[side], [str(port), str(workers)], url, plan)
        compare.compare(title, rounds, measure)


if __name__ == "__main__":
    main()
