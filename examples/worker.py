"""A worker for trefoil's process pool: ProcessPool::external(Command::new("python3").arg(this)).

It speaks the pool's frames on the descriptor that TREFOIL_FD names: a header of 32 bytes (magic,
version, kind, flags, descriptors, length, job kind, job, aux), then the payload. It prints where it
likes: descriptors 1 and 2 are its own. Each function in JOBS gets bytes and gives bytes.
"""

import os, signal, socket, struct, sys, time, traceback

HEADER = struct.Struct("<HBBHBBIIQQ")
MAGIC, VERSION = 0x3F7E, 1
HELLO, INIT, READY, JOB, DONE, EVENT = 1, 2, 3, 4, 5, 6
REVOKE, REVOKED, PING, PONG, SHUTDOWN, BYE = 9, 10, 11, 12, 13, 14
MORE, FAILED = 1, 2
LONGEST = 16 << 20
line = socket.socket(fileno=int(os.environ.pop("TREFOIL_FD")))
running = None


def send(kind, payload=b"", flags=0, job=0, aux=0):
    """Sends a message, in several frames if it is long."""
    rest = memoryview(payload)
    while True:
        now, rest = rest[:LONGEST], rest[LONGEST:]
        more = MORE if rest else 0
        line.sendall(HEADER.pack(MAGIC, VERSION, kind, flags | more, 0, 0, len(now), 0, job, aux))
        line.sendall(now)
        if not rest:
            return


def receive():
    """Receives a message: kind, job kind, job, payload."""
    payload = b""
    while True:
        head = line.recv(HEADER.size, socket.MSG_WAITALL)
        if len(head) < HEADER.size:
            sys.exit(0)  # The parent is gone.
        _, _, kind, flags, _, _, length, job_kind, job, _ = HEADER.unpack(head)
        payload += line.recv(length, socket.MSG_WAITALL) if length else b""
        if not flags & MORE:
            return kind, job_kind, job, payload


def report(event):
    send(EVENT, event, job=running)


def die(signal_number):
    print("last words", file=sys.stderr, flush=True)
    os.kill(os.getpid(), int(signal_number))
    time.sleep(1000)


JOBS = {
    "echo": lambda data: data,
    "upper": bytes.upper,
    "pid": lambda data: str(os.getpid()).encode(),
    "square": lambda data: str(int(data) ** 2).encode(),
    "fail": lambda data: 1 // 0,
    "exit": lambda data: os._exit(int(data)),
    "die": die,
    "sleep": lambda data: time.sleep(float(data)) or b"",
    "steps": lambda data: [report(str(i).encode()) for i in range(int(data))] and b"done",
}


def run(name, job, payload):
    global running
    running = job
    try:
        send(DONE, JOBS[name](payload), job=job)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{place.filename}:{place.lineno}\n{type(error).__name__}: {error}"
        send(DONE, text.encode(), FAILED, job, aux=1)


signal.signal(signal.SIGINT, signal.SIG_IGN)
names = list(JOBS)
send(HELLO, "\n".join(names).encode(), job=os.getpid())
while True:
    kind, job_kind, job, payload = receive()
    if kind == INIT:
        send(READY)
    elif kind == JOB and job_kind < len(names):
        run(names[job_kind], job, payload)
    elif kind == JOB:
        send(DONE, b"unknown job", FAILED, job, aux=4)
    elif kind == REVOKE:
        send(REVOKED, job=job)
    elif kind == PING:
        send(PONG)
    elif kind == SHUTDOWN:
        send(BYE)
        sys.exit(0)
