#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Models whose external data lead elsewhere: each is refused with its reason, and under strace
no file outside the model's folder is opened but those that an innocent model needs, too.
"""
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile

from command import KETTE, case, end, kette, notes, skip

LINK = "leads through a symbolic link; --allow-links accepts links to files in allowed folders"


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def model(location, extra=()):
    """y = x + w with w, float32[2], in LOCATION."""
    def value(name):
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, field(1, field(1, 2)))))
    entries = [(b"location", location), *extra] if location is not None else list(extra)
    tensor = field(1, 2) + field(2, 1) + field(8, b"w") + field(14, 1)
    tensor += b"".join(field(13, field(1, key) + field(2, text)) for key, text in entries)
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(3, b"n0") + field(4, b"Add")
    graph = field(1, node) + field(2, b"g") + field(5, tensor) + field(11, value(b"x")) + field(12, value(b"y"))
    return field(1, 8) + field(8, field(2, 13)) + field(7, graph)


def quoted(text):
    """As errors print it."""
    if len(text) > 80:
        return '"' + text[:80] + '..."'
    return '"' + text.replace("\\", "\\\\") + '"'


def hostile(name, text):
    """(name, location, extra entries, status, what behind `initializer "w": `)."""
    return name, name.encode(), (), 77, f"path: initializer \"w\": location {quoted(name)} {text}"


def variants(top):
    secret = os.path.join(top, "outside", "secret.bin")
    absolute = "is absolute, must be relative to the model's folder"
    leaves = "leaves the model's folder"
    many = "x" * 300
    deep = "d/" * 2500 + "w.bin"
    found = [
        hostile(secret, absolute), hostile("/etc/passwd", absolute), hostile("//etc/passwd", absolute),
        hostile("/dev/zero", absolute), hostile("/proc/self/mem", absolute), hostile("/proc/self/fd/0", absolute),
        hostile("..", leaves), hostile("../outside/secret.bin", leaves), hostile("./../outside/secret.bin", leaves),
        hostile("sub/../../outside/secret.bin", leaves), hostile("sub/..", leaves), hostile("a/b/../w.bin", leaves),
        hostile("..//outside/secret.bin", leaves),
        hostile("..\\outside\\secret.bin", "holds a backslash"), hostile("C:\\secret.bin", "holds a backslash"),
        hostile("\\\\server\\share", "holds a backslash"),
        hostile("file:///etc/passwd", "is a URL"), hostile("http://example.org/w.bin", "is a URL"),
        hostile("sub/s3://w.bin", "is a URL"),
        hostile("*/_ORT_MEM_ADDR_/*", "is an address in memory"), hostile("_ORT_MEM_ADDR_", "is an address in memory"),
        hostile("", "is empty"), hostile(".", "names no file"), hostile("./", "names no file"), hostile("././/.", "names no file"),
        ("a line end", b"w.bin\n", (), 77, 'path: initializer "w": location "w.bin\\x0a" holds a control character'),
        ("a terminal's code", b"\x1b[2Jw.bin", (), 77, 'path: initializer "w": location "\\x1b[2Jw.bin" holds a control character'),
        ("a delete", b"w\x7f.bin", (), 77, 'path: initializer "w": location "w\\x7f.bin" holds a control character'),
        hostile("link.bin", LINK), hostile("outlink.bin", LINK), hostile("abslink.bin", LINK), hostile("dangling.bin", LINK),
        hostile("loop.bin", LINK), hostile("sublink/w.bin", LINK), hostile("up/outside/secret.bin", LINK),
        hostile("root/etc/passwd", LINK), hostile("self/root/etc/passwd", LINK), hostile("fd0", LINK), hostile("null.bin", LINK),
        hostile("sub/inner/w.bin", LINK),
        hostile("hard.bin", "has 2 names (hard links), must have 1; --allow-links accepts it"),
        hostile("fifo.bin", "is not a regular file"), hostile("sub", "is not a regular file"),
        hostile("sub/", "is not a regular file"),
        ("a name too long", many.encode(), (), 66,
         f'io: initializer "w": cannot open external data {quoted(many)}: File name too long'),
        ("a path too long", deep.encode(), (), 66,
         f'io: initializer "w": cannot open external data {quoted(deep)}: File name too long'),
    ]
    for name in ("%2e%2e/outside/secret.bin", "%2e%2e%2foutside%2fsecret.bin", "~/w.bin", "$HOME/w.bin", "${PWD}/w.bin",
                 "`id`", "$(id)", "..%c0%af..%c0%afetc/passwd", "...", "None", "..\u2215outside\u2215secret.bin",
                 "\uff0e\uff0e/secret.bin"):
        found.append((name, name.encode(), (), 66,
                      f'io: initializer "w": cannot open external data {quoted(name)}: No such file or directory; --data-root names further folders'))
    found.append(("a socket", b"socket", (), 66,
                  'io: initializer "w": cannot open external data "socket": No such device or address'))
    found.append(("w.bin/..", b"w.bin/x", (), 66,
                  'io: initializer "w": cannot open external data "w.bin/x": Not a directory'))
    return found


def malformed(found):
    two = b"w.bin"
    entry = 'tensor: initializer "w": '
    number = "must be a number from 0 to 2^63 - 1"
    found += [
        ("no location", None, ((b"offset", b"0"),), 1, entry + "external data without a location"),
        ("two locations", two, ((b"location", b"/etc/passwd"),), 1, entry + "external data: location is there twice"),
        ("basepath", b"secret.bin", ((b"basepath", b"/etc"),), 66,
         'io: initializer "w": cannot open external data "secret.bin": No such file or directory; --data-root names further folders'),
        ("a negative offset", two, ((b"offset", b"-8"),), 1, entry + f'external data: offset is "-8", {number}'),
        ("an offset of 2^64", two, ((b"offset", b"18446744073709551616"),), 1,
         entry + f'external data: offset is "18446744073709551616", {number}'),
        ("a hexadecimal offset", two, ((b"offset", b"0x0"),), 1, entry + f'external data: offset is "0x0", {number}'),
        ("an offset behind the end", two, ((b"offset", b"9223372036854775807"),), 1,
         entry + 'float32[2] needs 8 bytes at offset 9223372036854775807, external data "w.bin" has 8'),
        ("another length", two, ((b"length", b"9223372036854775807"),), 1,
         entry + "float32[2] needs 8 bytes, external data has length 9223372036854775807"),
        ("another checksum", two, ((b"checksum", b"00"),), 1,
         entry + 'external data "w.bin" has the checksum 05fe405753166f125559e7c9ac558654f107c7e9, needs "00"; --no-checksum reads it all the same'),
    ]
    return found


def build(top):
    folder, outside = os.path.join(top, "model"), os.path.join(top, "outside")
    os.makedirs(os.path.join(folder, "sub"))
    os.mkdir(outside)
    for path in ("model/w.bin", "model/sub/w.bin", "outside/secret.bin"):
        with open(os.path.join(top, path), "wb") as file:
            file.write(bytes(8))
    os.link(os.path.join(outside, "secret.bin"), os.path.join(folder, "hard.bin"))
    for name, target in (("link.bin", "w.bin"), ("outlink.bin", "../outside/secret.bin"), ("abslink.bin", "/etc/passwd"),
                         ("dangling.bin", "nothing"), ("loop.bin", "loop.bin"), ("sublink", "sub"), ("up", ".."),
                         ("root", "/proc/self/root"), ("self", "/proc/self"), ("fd0", "/proc/self/fd/0"),
                         ("null.bin", "/dev/null"), ("sub/inner", "../sub")):
        os.symlink(target, os.path.join(folder, name))
    os.mkfifo(os.path.join(folder, "fifo.bin"))
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(".", os.O_RDONLY)
        os.chdir(folder)  # a socket's name must be short
        listener.bind("socket")
        os.fchdir(here)
        os.close(here)
    return folder


def devices(folder, found):
    """Where one may be made: only root can."""
    try:
        os.mknod(os.path.join(folder, "zero.bin"), 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except OSError:
        skip("a device in the folder", "only root may make one")
        return
    found.append(hostile("zero.bin", "is not a regular file"))


def opens(log):
    """(path as far as the call says, whether for reading) of each open in a log of strace -y."""
    for line in log.splitlines():
        call = re.search(r'\bopen(?:at2?)?\((?:(AT_FDCWD|-?\d+)(?:<([^>]*)>)?, )?"((?:[^"\\]|\\.)*)"(\.\.\.)?, (.*)\) += (.*)$', line)
        if not call:
            if re.search(r"\bopen(at2?)?\(", line) and "unfinished" not in line:
                raise AssertionError(f"not understood: {line}")
            continue
        base, name = call.group(2), call.group(3).encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")
        result = re.match(r"\d+<([^>]*)>", call.group(6))
        reads = "O_PATH" not in call.group(5)
        if result and not re.match(r"\d+", base or ""):
            yield re.sub(r"^/proc/\d+/", "/proc/self/", result.group(1)), reads
        yield os.path.normpath(os.path.join(base or os.getcwd(), name)), reads and bool(result)


def traced(words, log):
    # Leaks are for the other tests to find: who is traced cannot look for them.
    env = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    run = subprocess.run(["strace", "-f", "-y", "-s", "8192", "-e", "trace=open,openat,openat2", "-o", log, KETTE, *words],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, env=env)
    with open(log, encoding="utf-8", errors="replace") as file:
        return run, list(opens(file.read()))


def strace_works(folder):
    if not shutil.which("strace"):
        return "strace is not installed"
    run = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else f"strace may not trace here: {run.stderr.strip().splitlines()[-1:]}"


def inside(path, folder):
    return path == folder or path.startswith(folder + os.sep)


def test_refusals(folder, found):
    for number, (name, location, extra, status, text) in enumerate(found):
        path = os.path.join(folder, f"m{number}.onnx")
        with open(path, "wb") as file:
            file.write(model(location, extra))
        run = kette("check", path)
        case(f"refused: {name[:60]!r}", run.returncode == status and run.stderr == f"{path}: {text}\n" and not run.stdout,
             *notes(run), f"wanted: exit {status}: {text}")
    path = os.path.join(folder, "nul.onnx")
    with open(path, "wb") as file:
        file.write(model(b"w.bin\0/etc/passwd"))
    run = kette("check", path)
    case("refused: a zero byte", run.returncode == 77 and run.stderr.startswith(f"{path}: path: ") and run.stderr.count("\n") == 1,
         *notes(run))


def test_traced(top, folder, found):
    reason = strace_works(folder)
    if reason:
        skip("no opens outside the folder", reason)
        return
    log = os.path.join(top, "log")
    innocent = os.path.join(folder, "innocent.onnx")
    with open(innocent, "wb") as file:
        file.write(model(b"sub/w.bin"))
    run, calls = traced(["check", innocent], log)
    needed = {path for path, _ in calls if not inside(path, folder)}
    case("an innocent model is sound, and its data are opened", run.returncode == 0
         and any(path == os.path.join(folder, "sub", "w.bin") for path, _ in calls), *notes(run), calls[-6:])
    # The system's texts of errors lie in files, too.
    for path in ("none.onnx", "sub"):
        needed |= {opened for opened, _ in traced(["check", os.path.join(folder, path)], log)[1] if not inside(opened, folder)}
    with open(innocent, "wb") as file:
        file.write(model(b"none.bin"))
    needed |= {opened for opened, _ in traced(["check", innocent], log)[1] if not inside(opened, folder)}
    outside, total = [], 0
    models = [os.path.join(folder, f"m{n}.onnx") for n in range(len(found))] + [os.path.join(folder, "nul.onnx")]
    for path in models:
        run, calls = traced(["check", path], log)
        total += len(calls)
        outside += [f"{path}: {opened}" for opened, _ in calls if not inside(opened, folder) and opened not in needed]
    case(f"{len(models)} hostile models, {total} opens: none outside the folder", total > len(models) and not outside,
         *sorted(set(outside)))
    # With links allowed, what they lead to is looked at, but never opened to be read.
    read, looked = [], 0
    for path in models:
        run, calls = traced(["check", "--allow-links", path], log)
        away = [(opened, reads) for opened, reads in calls if not inside(opened, folder) and opened not in needed]
        read += [f"{path}: {opened}" for opened, reads in away if reads]
        looked += len(away)
    case(f"with --allow-links {looked} places outside are looked at, none is read", looked > 0 and not read, *sorted(set(read)))


def main():
    with tempfile.TemporaryDirectory() as place:
        top = os.path.realpath(place)
        folder = build(top)
        found = malformed(variants(top))
        devices(folder, found)
        test_refusals(folder, found)
        test_traced(top, folder, found)
    end()


main()
