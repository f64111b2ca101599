# SPDX-License-Identifier: Apache-2.0
"""The texts of errors: those that the sources can raise, and those that tests expect."""
import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STRING = r'"(?:\\.|[^"\\\n])*"'
# A conversion, or one that a macro completes; what stands for it in a text.
CONVERSION = re.compile(r"%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t)?([diouxXeEfgGcsp%])")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def c_code(path):
    """A C file without comments."""
    return re.sub(STRING + r"|'(?:\\.|[^'\\])'|/\*.*?\*/|//[^\n]*",
                  lambda m: m.group() if m.group()[0] in "\"'" else " ", read(path), flags=re.S)


def arguments(code, at):
    """The arguments of a call whose parenthesis opens at AT."""
    depth, begin, out = 0, at + 1, []
    for match in re.compile(STRING + r"|'(?:\\.|[^'\\])'|[()\[\]{},]").finditer(code, at):
        c = match.group()
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                out.append(code[begin:match.start()])
                return out
        elif c == "," and depth == 1:
            out.append(code[begin:match.start()])
            begin = match.end()
    return out


def unescape(literal):
    return literal[1:-1].encode("utf-8").decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")


def formats(argument):
    """The texts that an argument may be: literals, those side by side as one."""
    out, open_ = [], False
    for match in re.finditer(STRING + r"|G_G?U?INT64_FORMAT|PRI[a-z]64|\S", argument):
        piece = match.group()
        if piece.startswith('"'):
            if open_:
                out[-1] += unescape(piece)
            else:
                out.append(unescape(piece))
            open_ = True
        elif piece.endswith(("64_FORMAT", "64")) and open_:
            out[-1] += "d"
        else:
            open_ = False
    return out


def pattern(text):
    """A regular expression for what a format can make."""
    out, at = "", 0
    for match in CONVERSION.finditer(text):
        out += re.escape(text[at:match.start()])
        kind = match.group(1)
        out += {"%": "%", "d": r"(?:-?\d+|<N>)", "i": r"-?\d+", "u": r"(?:\d+|<N>)", "x": r"[0-9a-f]+",
                "c": "."}.get(kind, ".*")
        at = match.end()
    return out + re.escape(text[at:])


# Functions that make errors: where the code and the format stand among their arguments.
CALLS = {"_kette_fail": (1, 3), "_kette_fail_errno": (None, 3), "scan_fail": (1, 2), "_kette_emit_fail": (1, 2),
         "kt_fail": (2, 3)}


class Site:
    """One text that one place of the sources can raise."""

    def __init__(self, path, line, codes, text, errno):
        self.path, self.line, self.codes, self.text = path, line, codes, text
        self.regex = re.compile(pattern(text) + (": .*" if errno else ""), re.S)

    def key(self):
        return f"{self.path}: {self.text}"


def sites(*globs):
    """All of them in the files of GLOBS."""
    out = []
    for path in sorted(p for g in globs for p in glob.glob(os.path.join(ROOT, g), recursive=True)):
        name = os.path.relpath(path, ROOT)
        code = c_code(name)
        for match in re.finditer(r"\b(%s)\s*\(" % "|".join(CALLS), code):
            args = arguments(code, match.end() - 1)
            at_code, at_text = CALLS[match.group(1)]
            if len(args) <= at_text:
                continue
            codes = ["io"] if at_code is None else [
                c.lower() for c in re.findall(r"(?:KETTE_ERROR|KT_E)_(\w+)", args[at_code])]
            for text in formats(args[at_text]):
                out.append(Site(name, code.count("\n", 0, match.start()) + 1, codes, text, at_code is None))
    return out


def pair_lines():
    """(file, pair, stage, text) of all pairs."""
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/pairs/*.txt"))):
        name, pair, last = os.path.basename(path), None, None
        rows = []
        for line in read(os.path.relpath(path, ROOT)).split("\n"):
            indent = len(line) - len(line.lstrip(" "))
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if indent > 4 and rows:
                rows[-1] += " " + line.strip()
            else:
                rows.append(line)
        for line in rows:
            last = re.match(r"pair (\S+)", line)
            pair = last.group(1) if last else pair
            last = re.match(r"  (load|infer|run|warns) (.*)", line)
            if last and pair:
                yield name, pair, last.group(1), last.group(2)


def quotes():
    """(file, pair, sentence of the design) of all pairs."""
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/pairs/*.txt"))):
        for pair, quote in re.findall(r"^pair (\S+) (.*)$", read(os.path.relpath(path, ROOT)), re.M):
            yield os.path.basename(path)[:-4], pair, quote.strip('"')


def operator_lines():
    """(file, code, text) of the errors in tests/ops."""
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/ops/*.txt"))):
        for code, text in re.findall(r"^error (\w+) (.*)$", read(os.path.relpath(path, ROOT)), re.M):
            yield os.path.basename(path), code, text


def literals(*globs):
    """(file, text) of the string literals in tests written in C and Python."""
    for path in sorted(p for g in globs for p in glob.glob(os.path.join(ROOT, g), recursive=True)):
        name = os.path.relpath(path, ROOT)
        if path.endswith(".c"):
            for match in re.finditer(r"(?:%s\s*)+" % STRING, c_code(name)):
                yield name, "".join(unescape(s) for s in re.findall(STRING, match.group()))
        else:
            for match in re.finditer(r"""f?"((?:\\.|[^"\\\n])*)"|f?'((?:\\.|[^'\\\n])*)'""", read(name)):
                text = match.group(1) if match.group(1) is not None else match.group(2)
                yield name, re.sub(r'\\(["\'\\])', r"\1", text)
