#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the tables of lib/base/unicode.c from Python's copy of the Unicode Character Database:
canonical decompositions, combining classes, compositions, and simple case folding. Hangul
syllables are computed and are not in the tables (The Unicode Standard, section 3.12)."""

import sys
import unicodedata

HANGUL = range(0xAC00, 0xAC00 + 11172)
SURROGATES = range(0xD800, 0xE000)
CODES = [c for c in range(0x110000) if c not in HANGUL and c not in SURROGATES]


def decompositions():
    for c in CODES:
        full = unicodedata.normalize("NFD", chr(c))
        if full != chr(c):
            yield c, [ord(x) for x in full]


def compositions():
    """Pairs whose composition is the character again, so without the exclusions."""
    for c in CODES:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            if unicodedata.normalize("NFC", chr(c)) == chr(c):
                yield int(parts[0], 16), int(parts[1], 16), c


def classes():
    """Ranges of one combining class other than 0."""
    first = last = of = 0
    for c in CODES:
        ccc = unicodedata.combining(chr(c))
        if of and (ccc != of or c != last + 1):
            yield first, last, of
            of = 0
        if ccc and not of:
            first, of = c, ccc
        last = c
    if of:
        yield first, last, of


def folds():
    for c in CODES:
        for other in (chr(c).casefold(), chr(c).lower()):
            if len(other) == 1 and ord(other) not in HANGUL:
                if other != chr(c):
                    yield c, ord(other)
                break


def table(out, declaration, rows):
    out.write(f"static const {declaration} = {{\n")
    for row in rows:
        out.write("    {%s},\n" % ", ".join(hex(n) for n in row))
    out.write("};\n\n")


def main():
    texts, whole = [], []
    for c, full in decompositions():
        texts.append((c, len(whole), len(full)))
        whole += full
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write(f"/* Made by unicode_tables.py of Unicode {unicodedata.unidata_version}. */\n\n")
        table(out, "struct { uint32_t code; uint16_t at; uint8_t count; } decompositions[]", texts)
        out.write("static const uint32_t decomposed[] = {\n")
        out.writelines(f"    {hex(n)},\n" for n in whole)
        out.write("};\n\n")
        table(out, "struct { uint32_t first, second, code; } compositions[]",
              sorted(compositions()))
        table(out, "struct { uint32_t first, last; uint8_t ccc; } classes[]", classes())
        table(out, "struct { uint32_t code, fold; } folds[]", folds())


if __name__ == "__main__":
    main()
