#!/usr/bin/env python3
"""Breaks the protocols on purpose and expects a loom model to fail each time.

    python3 tests/mutations.py            all of them (about 20 s each)
    python3 tests/mutations.py idle       those whose file or name contains a word

A mutation that survives is a missing model. The sources are copied to target/mutations first; the
working tree is not touched. Not part of the gate: the models themselves are.
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "target" / "mutations"

# name, file, text, its replacement, the models that must notice
MUTATIONS = [
    ("a wake that finds the task running does not count",
     "task/state.rs", "let before = self.0.fetch_add(WAKE, Ordering::Release);",
     "let before = self.0.load(Ordering::Relaxed); if before < WAKE { self.0.fetch_add(WAKE, Ordering::Release); }",
     "task::state_models"),
    ("a wake that publishes nothing",
     "task/state.rs", "let before = self.0.fetch_add(WAKE, Ordering::Release);",
     "let before = self.0.fetch_add(WAKE, Ordering::Relaxed);", "task::state_models"),
    ("a poll that does not see what the last one left",
     "task/state.rs", "let word = self.0.load(Ordering::Acquire);\n        debug_assert!(word >= WAKE",
     "let word = self.0.load(Ordering::Relaxed);\n        debug_assert!(word >= WAKE", "task::state_models"),
    ("a finished poll that hands nothing over",
     "task/state.rs", "self.0.fetch_sub(seen.0, Ordering::Release)",
     "self.0.fetch_sub(seen.0, Ordering::Relaxed)", "task::state_models"),
    ("a poll takes off all wake-ups, also those it has not seen",
     "task/state.rs", "self.0.fetch_sub(seen.0, Ordering::Release)",
     "{ let now = self.0.load(Ordering::Relaxed); self.0.fetch_sub(Wakes::of(now).0, Ordering::Release); WAKE & 0 | seen.0 }",
     "task::state_models"),
    ("an end that does not publish the output",
     "task/state.rs", "self.0.fetch_add(COMPLETE, Ordering::AcqRel)",
     "self.0.fetch_add(COMPLETE, Ordering::Acquire)", "task::state_models"),
    ("an end that does not see the join waker",
     "task/state.rs", "self.0.fetch_add(COMPLETE, Ordering::AcqRel)",
     "self.0.fetch_add(COMPLETE, Ordering::Release)", "task::state_models"),
    ("a waker that is left without being published",
     "task/state.rs", "self.0.fetch_add(WAKER, Ordering::AcqRel)",
     "self.0.fetch_add(WAKER, Ordering::Acquire)", "task::state_models"),
    ("a waker that is taken back although the task has ended",
     "task/state.rs", "if word & COMPLETE != 0 {\n                return false;",
     "if false {\n                return false;", "task::state_models"),
    ("a join handle that leaves without looking whether the task has ended",
     "task/state.rs", "if word & COMPLETE != 0 {\n                // The completing",
     "if false {\n                // The completing", "task::state_models"),
    ("a last reference that does not wait for the others' last use",
     "task/state.rs", "if references(self.0.load(Ordering::Acquire)) == 1",
     "if references(self.0.load(Ordering::Relaxed)) == 1", "task::state_models"),
    ("a reference given up without a release",
     "task/state.rs", "let before = self.0.fetch_sub(REF, Ordering::Release);",
     "let before = self.0.fetch_sub(REF, Ordering::Relaxed);", "task::state_models"),
    ("a cancellation that wakes nobody",
     "task/state.rs", "            return AfterWake::Nothing;\n        }\n        self.wake()",
     "            return AfterWake::Nothing;\n        }\n        AfterWake::Nothing", "task::state_models"),
    ("a push that looks at the counts without a fence",
     "parts/idle.rs", "        fence(Ordering::SeqCst);\n        // Relaxed: ordered by the fence; a stale",
     "        // Relaxed: ordered by the fence; a stale", "parts::idle::models"),
    ("a sleeper that looks again without a fence",
     "parts/idle.rs", "        // SeqCst: between the counts and the caller's look; pairs with the fence in `pick`.\n        fence(Ordering::SeqCst);\n    }\n",
     "    }\n", "parts::idle::models"),
    ("the last searcher wakes nobody",
     "parts/idle.rs", "before.searchers() == 1", "{ let _ = before; false }", "parts::idle::models"),
    ("a picked worker does not count as a searcher",
     "parts/idle.rs", "self.counts\n            .fetch_add(SEARCHER.wrapping_sub(SLEEPER), Ordering::Relaxed);\n        Some(worker)",
     "self.counts\n            .fetch_sub(SLEEPER, Ordering::Relaxed);\n        Some(worker)", "parts::idle::models"),
    ("a sleeper still counts as a searcher",
     "parts/idle.rs", "SLEEPER.wrapping_sub(SEARCHER)", "SLEEPER", "parts::idle::models"),
    ("a parker that sleeps without saying so",
     "parts/parker.rs", "            *state = State::Parked;\n", "", "parts::parker::models"),
    ("an unpark that wakes nobody",
     "parts/parker.rs", "self.wake.notify_one();", "", "parts::parker::models"),
    ("a slot read and emptied in two steps",
     "parts/lifo_slot.rs", "Self::claim(self.item.swap(ptr::null_mut(), Ordering::AcqRel))",
     "{ let item = self.item.load(Ordering::Acquire); self.item.store(ptr::null_mut(), Ordering::Release); Self::claim(item) }",
     "parts::lifo_slot::models"),
    ("a wait site written without its odd number",
     "task/wait_slot.rs", "                .store((sequence + 1) & SEQUENCE, Ordering::Relaxed);",
     "                .store(sequence & SEQUENCE, Ordering::Relaxed);", "task::wait_slot::models"),
    ("a latch that is announced although it is set",
     "threads/latch.rs", "Err(now) => now == WAITING,", "Err(_) => true,", "threads::latch"),
    ("a latch that asks for no sleeper",
     "threads/latch.rs", "(before == WAITING).then_some(sleeper)",
     "(before == WAITING && false).then_some(sleeper)", "threads::latch"),
    ("a latch that does not publish the result",
     "threads/latch.rs", "compare_exchange(OPEN, SET, Release, Relaxed)",
     "compare_exchange(OPEN, SET, Relaxed, Relaxed)", "threads::latch"),
    ("a latch that is read without an order",
     "threads/latch.rs", "self.0.load(Acquire) == SET", "self.0.load(Relaxed) == SET", "threads::latch"),
    ("a count that does not pass on what the others did",
     "threads/latch.rs", "self.count.fetch_sub(less, AcqRel)",
     "self.count.fetch_sub(less, Relaxed)", "threads::latch"),
    ("a publication that wakes nobody",
     "threads/worker.rs", "publications.add(published as u64);\n            self.registry.wake_one();",
     "publications.add(published as u64);", "threads::worker"),
    ("a join that shows nothing to the hungry",
     "threads/worker.rs", "if self.deque.len() < window {", "if self.deque.len() < window && false {",
     "threads::worker"),
    ("an owner that blocks and shows nothing",
     "threads/worker.rs", "pub(crate) fn publish_all(&self) {\n        if !self.ring.is_empty() {",
     "pub(crate) fn publish_all(&self) {\n        if false {", "threads::worker"),
    ("an owner that waits and shows nothing",
     "threads/worker.rs", "        // Whoever waits here for long must not sit on work.\n        self.publish_all();\n",
     "", "threads::worker"),
    ("a worker that does not look again before it sleeps",
     "threads/worker.rs", "if self.registry.sources.has_work() {\n                idle.retract",
     "if false {\n                idle.retract", "threads::worker"),
    ("a worker that sleeps although its goal is reached",
     "threads/worker.rs", "if goal.announce() {", "if goal.announce() || true {", "threads::worker"),
    ("a latch that is written when the half is public already",
     "threads/ring.rs", "            deque.push(job);\n",
     "            deque.push(job);\n            crate::shim::spin_hint();\n            let late = Published { latch: Latch::new(), owner };\n"
     "            head.published.with_mut(|cell| unsafe { cell.write(MaybeUninit::new(late)) });\n",
     "threads::worker"),
    ("a published half that still counts as private",
     "threads/ring.rs", "            self.head.set(position + 1);\n", "", "threads::worker"),
    ("a half that is taken back although it is public",
     "threads/ring.rs", "if self.head.get() <= position {", "if true {", "threads::worker"),
    ("a ring that does not go back with its tail",
     "threads/ring.rs", "        self.head.set(position);\n", "", "threads::worker"),
    ("a job that is claimed in two steps",
     "threads/ticket.rs", "match self.0.compare_exchange(seen, seen | mine, Relaxed, Relaxed) {",
     "match Ok::<u32, u32>(self.0.fetch_or(mine, Relaxed)) {", "threads::ticket"),
    ("a worker that ignores a cancellation",
     "threads/ticket.rs", "let parts = if state.claim(BEGUN) {", "let parts = if state.claim(BEGUN) || true {",
     "threads::ticket"),
    ("a cancellation that tells nobody",
     "threads/ticket.rs", "_ = writer.put(Err(JobError::Cancelled));", "std::mem::forget(writer);",
     "threads::ticket"),
    ("a cancelled closure that is kept",
     "threads/ticket.rs", "        drop(closure);\n", "        std::mem::forget(closure);\n", "threads::ticket"),
    ("a side that leaves without seeing what the other did",
     "parts/leaving.rs", "word.load(Acquire) & other != 0 || word.fetch_or(mine, AcqRel)",
     "word.load(std::sync::atomic::Ordering::Relaxed) & other != 0 || word.fetch_or(mine, AcqRel)", "threads::ticket"),
    ("a side that leaves without showing what it did",
     "parts/leaving.rs", "word.fetch_or(mine, AcqRel)", "word.fetch_or(mine, Acquire)", "threads::ticket"),
    ("a side that frees without seeing that the other has left",
     "parts/leaving.rs", "word.fetch_or(mine, AcqRel)",
     "word.fetch_or(mine, std::sync::atomic::Ordering::Release)", "threads::ticket"),
    ("a side that frees before the other has left",
     "parts/leaving.rs", "word.load(Acquire) & other != 0 || word", "true || word", "threads::ticket"),
    ("an owner without its barrier",
     "parts/biased.rs", "        barrier::light();\n", "", "parts::biased"),
    ("a stranger without its barrier",
     "parts/biased.rs", "            barrier::heavy();\n", "", "parts::biased"),
    ("an owner that does not look whether it was called",
     "parts/biased.rs", "if self.called.load(Ordering::Acquire) != 0 {\n            drop(out);",
     "if false {\n            drop(out);", "parts::biased"),
    ("a stranger that does not wait for the owner to leave",
     "parts/biased.rs", "while self.inside.load(Ordering::Acquire) != 0 {",
     "while false {", "parts::biased"),
    ("an owner that leaves without publishing",
     "parts/biased.rs", "self.0.store(0, Ordering::Release);",
     "self.0.store(0, Ordering::Relaxed);", "parts::biased"),
    ("a stranger that leaves without publishing",
     "parts/biased.rs", "self.called.store(0, Ordering::Release);",
     "self.called.store(0, Ordering::Relaxed);", "parts::biased"),
    ("an owner that keeps the door shut while it waits for the mutex",
     "parts/biased.rs", "            drop(out);\n            return self.by_mutex(f);",
     "            let result = self.by_mutex(f);\n            drop(out);\n            return result;",
     "parts::biased"),
    ("an owner that goes in beside strangers",
     "parts/biased.rs", "        let _guard = self.lock();\n        self.value.with_mut(|value| {\n            // SAFETY: strangers work",
     "        self.value.with_mut(|value| {\n            // SAFETY: strangers work", "parts::biased"),
]


def run(models):
    env = dict(os.environ, RUSTFLAGS="--cfg trefoil_loom", LOOM_MAX_PREEMPTIONS="2",
               CARGO_TARGET_DIR=str(ROOT / "target" / "loom"))
    command = ["cargo", "test", "--release", "--lib", "--quiet", models]
    try:
        return subprocess.run(command, cwd=COPY, env=env, capture_output=True, text=True,
                              timeout=600)
    except subprocess.TimeoutExpired:
        return None


def main():
    words = sys.argv[1:]
    if COPY.exists():
        shutil.rmtree(COPY)
    ignore = shutil.ignore_patterns("target", ".git")
    shutil.copytree(ROOT, COPY, ignore=ignore)
    survivors, count = [], 0
    for name, file, text, replacement, models in MUTATIONS:
        if words and not any(word in file or word in name for word in words):
            continue
        path = COPY / "src" / file
        source = path.read_text()
        if text not in source:
            sys.exit(f"{file} has changed: {text!r} is not in it; mend this list")
        path.write_text(source.replace(text, replacement, 1))
        result = run(models)
        path.write_text(source)
        if result is not None and "could not compile" in result.stderr:
            sys.exit(f"{name}: does not compile\n{result.stderr}")
        caught = result is None or result.returncode != 0
        count += 1
        print("caught  " if caught else "SURVIVED", file, "-", name, flush=True)
        if not caught:
            survivors.append(name)
    print(f"{count} mutations, {len(survivors)} survived")
    sys.exit(1 if survivors else 0)


main()
