"""Python's process pools, for `cargo bench --bench processes`: prints a name and a number a line.

Argument: which pool. Units: microseconds a job or an echo, items a second, milliseconds to start.
"""

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor


def same(x):
    return x


def best(run, rounds):
    """The median of some rounds, in seconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[rounds // 2]


def main():
    kind = sys.argv[1]
    start = time.perf_counter()
    if kind == "Pool":
        pool = multiprocessing.get_context("fork").Pool(2)
        call = pool.apply
        many = lambda n, chunk: pool.map(same, range(n), chunk)
        submit = lambda x: pool.apply_async(same, (x,))
        take = lambda handle: handle.get()
    else:
        pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork"))
        call = lambda f, args: pool.submit(f, *args).result()
        many = lambda n, chunk: list(pool.map(same, range(n), chunksize=chunk))
        submit = lambda x: pool.submit(same, x)
        take = lambda handle: handle.result()
    call(same, (1,))
    print("first", (time.perf_counter() - start) * 1e3)
    print("noop", best(lambda: [call(same, (1,)) for _ in range(1000)], 5) * 1e3)
    print("submit", 5000 / best(lambda: [take(h) for h in [submit(x) for x in range(5000)]], 3))
    print("map", 500000 / best(lambda: many(500000, 1000), 3))
    for name, size, rounds in (("echo1", 1 << 20, 20), ("echo64", 64 << 20, 3)):
        data = bytes(size)
        print(name, best(lambda: call(same, (data,)), rounds) * 1e6)


main()
