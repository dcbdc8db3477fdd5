# SPDX-License-Identifier: MIT
"""Draws the program's icon, a white cloud with an arrow into it: icon.py OUT.ico"""
import struct
import sys

CIRCLES = [(.30, .60, .17), (.50, .45, .22), (.70, .60, .17)]  # x, y, radius
SAMPLES = 4  # a pixel's edge


def is_cloud(x, y):
    return any((x - a) ** 2 + (y - b) ** 2 < r * r for a, b, r in CIRCLES) or (
        .30 < x < .70 and .60 < y < .77)


def is_arrow(x, y):
    return (abs(x - .5) < .045 and .52 < y < .72) or (.40 < y < .54 and abs(x - .5) < (y - .40) * .9)


def is_plate(x, y):
    dx, dy = max(.2 - x, 0, x - .8), max(.2 - y, 0, y - .8)
    return dx * dx + dy * dy < .18 * .18


def colour(x, y):
    if not is_plate(x, y):
        return (0, 0, 0, 0)
    return (0x1f, 0x5f, 0x8b, 255) if is_arrow(x, y) or not is_cloud(x, y) else (255, 255, 255, 255)


def pixel(column, row, size):
    parts = [colour((column + (i + .5) / SAMPLES) / size, (row + (k + .5) / SAMPLES) / size)
             for i in range(SAMPLES) for k in range(SAMPLES)]
    alpha = sum(p[3] for p in parts)
    rgb = [sum(p[c] * p[3] for p in parts) // alpha if alpha else 0 for c in range(3)]
    return bytes([rgb[2], rgb[1], rgb[0], alpha // len(parts)])


def image(size):
    """A bitmap without its file header, bottom line first, and an empty mask."""
    head = struct.pack("<IiiHHIIiiII", 40, size, 2 * size, 1, 32, 0, 0, 0, 0, 0, 0)
    lines = b"".join(pixel(c, r, size) for r in reversed(range(size)) for c in range(size))
    return head + lines + bytes((size + 31) // 32 * 4 * size)


def main():
    sizes = [16, 24, 32, 48, 64]
    images = [image(size) for size in sizes]
    at, entries = 6 + 16 * len(sizes), b""
    for size, data in zip(sizes, images):
        entries += struct.pack("<BBBBHHII", size, size, 0, 0, 1, 32, len(data), at)
        at += len(data)
    with open(sys.argv[1], "wb") as out:
        out.write(struct.pack("<HHH", 0, 1, len(sizes)) + entries + b"".join(images))


if __name__ == "__main__":
    main()
