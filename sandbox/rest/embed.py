# SPDX-License-Identifier: MIT
"""Turns a text file into the C source of one constant: embed.py INPUT OUTPUT NAME."""

import sys


def main():
    source, target, name = sys.argv[1:]
    with open(source, "rb") as f:
        data = f.read()
    with open(target, "w", encoding="ascii") as out:
        out.write(f"extern const char {name}[];\nconst char {name}[] = {{\n")
        for at in range(0, len(data), 16):
            out.write(" " + "".join(f"{byte - 256 if byte > 127 else byte}," for byte in
                                    data[at:at + 16]) + "\n")
        out.write("0};\n")


main()
