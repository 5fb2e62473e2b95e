#!/usr/bin/env python3
"""Builds the demo twice, on trefoil's pool and on rayon's own, and compares.

    python3 compare.py [rounds]      default 7

Both write the same files: any difference is an error. The two programs run in turns; a ratio is
rayon's own time divided by trefoil's in the same round, and the median of those is printed.
"""

import pathlib
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE / "target"
SIDES = ("trefoil", "rayon-core")


def build():
    """Builds both sides; gives their programs."""
    plain = TARGET / "plain"
    shutil.rmtree(plain, ignore_errors=True)
    plain.mkdir(parents=True)
    shutil.copytree(HERE / "src", plain / "src")
    # The same package without the patch: nothing else differs.
    manifest = (HERE / "Cargo.toml").read_text()
    (plain / "Cargo.toml").write_text(manifest[: manifest.index("# These two lines")])
    programs = {}
    for side, package in zip(SIDES, (HERE, plain)):
        folder = TARGET / side
        subprocess.run(
            ["cargo", "build", "--release", "--quiet", "--target-dir", folder],
            cwd=package, check=True,
        )
        programs[side] = folder / "release" / "rayon-demo"
    return programs


def run(program, out):
    """Runs one side; gives its times in milliseconds."""
    done = subprocess.run([program, out], check=True, capture_output=True, text=True)
    lines = [line.rsplit(maxsplit=2) for line in done.stderr.splitlines()]
    return {what: float(ms) for what, ms, unit in lines if unit == "ms"}


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    programs = build()
    times = {side: [] for side in SIDES}
    outs = {side: TARGET / "out" / side for side in SIDES}
    for turn in range(rounds):
        for side in SIDES if turn % 2 == 0 else reversed(SIDES):
            times[side].append(run(programs[side], outs[side]))
    for file in sorted(outs["trefoil"].iterdir()):
        if file.read_bytes() != (outs["rayon-core"] / file.name).read_bytes():
            sys.exit(f"{file.name} differs between the two pools")
    print(f"same results; median ms of {rounds} rounds, ratio above 1: trefoil is faster")
    for what in times["trefoil"][0]:
        ours, theirs = ([t[what] for t in times[side]] for side in SIDES)
        ratio = statistics.median(b / a for a, b in zip(ours, theirs))
        print(f"{what:<14} trefoil {statistics.median(ours):8.1f}   "
              f"rayon-core {statistics.median(theirs):8.1f}   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
