# SPDX-License-Identifier: Apache-2.0
"""Interleaved rounds over long-lived child processes (the protocol of serve.h).

All children of a workload live at once and wait; in each round each subject runs once, so that
what is compared ran within seconds of each other. Ratios are taken per round.
"""
import array
import glob
import json
import math
import select
import statistics
import subprocess
import tempfile
import time

READY = 400  # seconds until a child has done its first step: torch.compile is slow


class Missing(Exception):
    """A child that cannot run here, and why."""


class Child:
    """One program of a workload; SUBJECTS name what it can run, followed by @THREADS."""

    def __init__(self, command, threads, environment):
        self.threads, self.command = threads, command
        self.errors = tempfile.TemporaryFile("w+")
        begin = time.perf_counter()
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=self.errors, text=True, env=environment)
        except OSError as error:
            raise Missing(str(error)) from error
        ready = self.answer(READY)
        self.start = time.perf_counter() - begin
        self.version = ready["version"]
        self.subjects = {f"{name}@{threads}": name for name in ready["ready"]}

    def answer(self, limit=600):
        """The next line of JSON; other lines are a library's chatter."""
        end = time.monotonic() + limit
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            line = self.process.stdout.readline() if ready else ""
            if not line:
                self.fail("takes too long" if not ready else None)
            if line.startswith("{"):
                return json.loads(line)

    def fail(self, reason=None):
        self.process.kill()
        status = self.process.wait()
        self.errors.seek(0)
        last = [line for line in self.errors.read().splitlines() if line.strip()][-1:]
        raise Missing(reason or (last[0].strip() if last else f"ended with status {status}"))

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.fail()
        return self.answer()

    def run(self, subject, steps):
        return self.ask(f"run {self.subjects[subject]} {steps}")["seconds"]

    def processor(self):
        """Seconds that its threads have had a processor for; 0 where the system does not tell."""
        spent = 0
        for name in glob.glob(f"/proc/{self.process.pid}/task/*/schedstat"):
            try:
                with open(name, encoding="ascii") as f:
                    spent += int(f.read().split()[0])
            except OSError:
                continue
        return spent * 1e-9

    def check(self):
        with tempfile.NamedTemporaryFile() as file:
            n = self.ask(f"check {file.name}")["floats"]
            values = array.array("f")
            values.frombytes(file.read())
            return values if n else None

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()


def distance(a, b):
    """Norm-wise relative distance of A from B."""
    if len(a) != len(b):
        return math.inf
    norm = math.sqrt(sum(x * x for x in b))
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b))) / (norm or 1)


def compare(children, tolerance, missing):
    """Children whose numbers are those of the first; the others are named in MISSING."""
    reference, good = None, []
    for child in children:
        try:
            values = child.check()
        except Missing as error:
            missing[" ".join(child.subjects)] = str(error)
            child.end()
            continue
        if values is not None and reference is None:
            reference = values
        apart = distance(values, reference) if values is not None else 0
        if apart <= tolerance:
            good.append(child)
        else:
            missing[" ".join(child.subjects)] = f"other results: {apart:.2g} apart, may be {tolerance:.0e}"
            child.end()
    return good


def calibrate(child, subject, seconds):
    """How many steps last SECONDS; warms up on the way."""
    steps, spent = 1, child.run(subject, 1)
    while spent < seconds / 4:
        steps *= 2
        spent = child.run(subject, steps)
    return max(1, math.ceil(steps * seconds / spent * 1.05))


def measure(children, rounds, seconds):
    """Two of {subject: [seconds per step of each round]}: of time that passed, and of processor time."""
    subjects = [(child, subject) for child in children for subject in child.subjects]
    steps = {subject: calibrate(child, subject, seconds) for child, subject in subjects}
    times = {subject: [] for _, subject in subjects}
    spent = {subject: [] for _, subject in subjects}
    for _ in range(rounds):
        for child, subject in subjects:
            # Caches are another program's when a child wakes up.
            child.run(subject, max(1, steps[subject] // 8))
            begin = child.processor()
            times[subject].append(child.run(subject, steps[subject]) / steps[subject])
            spent[subject].append((child.processor() - begin) / steps[subject])
    return times, spent


def spread(values, scale=1.0, digits=3):
    return {"median": round(statistics.median(values) * scale, digits),
            "least": round(min(values) * scale, digits), "most": round(max(values) * scale, digits)}


def ratio(times, above, below):
    return spread([a / (b or math.inf) for a, b in zip(times[above], times[below])])


def best(times, prefix, threads):
    """The quickest subject of a peer, whatever its mode."""
    names = [s for s in times if s.split("@")[0].startswith(prefix) and s.endswith(f"@{threads}")]
    return min(names, key=lambda s: statistics.median(times[s])) if names else None
