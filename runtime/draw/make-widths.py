#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes widths.inc: advance widths of the Liberation fonts, in 1/2048 em.

Run by hand when the ranges change; the result is committed, so that a build needs no fonts
and texts have the same width on every machine:

    runtime/draw/make-widths.py /usr/share/fonts/truetype/liberation > runtime/draw/widths.inc
"""
import struct
import sys

FONTS = [("SANS", "Sans-Regular"), ("SANS_BOLD", "Sans-Bold"), ("SANS_ITALIC", "Sans-Italic"),
         ("SERIF", "Serif-Regular"), ("SERIF_BOLD", "Serif-Bold"), ("SERIF_ITALIC", "Serif-Italic")]
RANGES = [(0x20, 0x7e), (0xa0, 0x17f), (0x370, 0x3ff), (0x400, 0x45f), (0x2010, 0x2026),
          (0x2030, 0x203a), (0x2190, 0x2195), (0x2202, 0x222b), (0x2248, 0x2265),
          (0xfffd, 0xfffd)]


def read_tables(data):
    count = struct.unpack(">H", data[4:6])[0]
    tables = {}
    for i in range(count):
        tag, _, offset, size = struct.unpack(">4sIII", data[12 + 16 * i:28 + 16 * i])
        tables[tag.decode()] = data[offset:offset + size]
    return tables


def read_cmap(cmap):
    """The subtable of format 4 for Unicode: code point -> glyph."""
    for i in range(struct.unpack(">H", cmap[2:4])[0]):
        platform, encoding, offset = struct.unpack(">HHI", cmap[4 + 8 * i:12 + 8 * i])
        if (platform, encoding) == (3, 1):
            break
    else:
        raise SystemExit("no Unicode cmap")
    sub = cmap[offset:]
    if struct.unpack(">H", sub[:2])[0] != 4:
        raise SystemExit("cmap is not of format 4")
    segments = struct.unpack(">H", sub[6:8])[0] // 2

    def array(at, code):
        return struct.unpack(">%d%s" % (segments, code), sub[at:at + 2 * segments])

    ends = array(14, "H")
    starts = array(16 + 2 * segments, "H")
    deltas = array(16 + 4 * segments, "h")
    at = 16 + 6 * segments
    offsets = array(at, "H")
    glyphs = {}
    for k in range(segments):
        for code in range(starts[k], min(ends[k], 0xfffe) + 1):
            if offsets[k] == 0:
                glyph = (code + deltas[k]) & 0xffff
            else:
                place = at + 2 * k + offsets[k] + 2 * (code - starts[k])
                glyph = struct.unpack(">H", sub[place:place + 2])[0]
                glyph = (glyph + deltas[k]) & 0xffff if glyph else 0
            if glyph:
                glyphs[code] = glyph
    return glyphs


def read_widths(path):
    with open(path, "rb") as file:
        tables = read_tables(file.read())
    em = struct.unpack(">H", tables["head"][18:20])[0]
    long_metrics = struct.unpack(">H", tables["hhea"][34:36])[0]
    advance = [struct.unpack(">H", tables["hmtx"][4 * i:4 * i + 2])[0] for i in range(long_metrics)]
    if em != 2048:
        raise SystemExit("%s has %d units per em, needs 2048" % (path, em))
    return {code: advance[min(glyph, long_metrics - 1)]
            for code, glyph in read_cmap(tables["cmap"]).items()}


def main():
    folder = sys.argv[1]
    print("/* SPDX-License-Identifier: Apache-2.0")
    print(" * Made by make-widths.py: advance widths in 1/2048 em, 0 where the font has no glyph. */")
    print("#define RANGES \\")
    place = 0
    for first, last in RANGES:
        print("  { 0x%x, 0x%x, %d }%s" % (first, last, place, ", \\" if last != 0xfffd else ""))
        place += last - first + 1
    print("#define N_WIDTHS %d" % place)
    for name, file in FONTS:
        widths = read_widths("%s/Liberation%s.ttf" % (folder, file))
        numbers = [widths.get(c, 0) for a, b in RANGES for c in range(a, b + 1)]
        print("#define %s \\" % name)
        lines = [numbers[i:i + 20] for i in range(0, len(numbers), 20)]
        print(", \\\n".join("  " + ", ".join(map(str, line)) for line in lines))


main()
