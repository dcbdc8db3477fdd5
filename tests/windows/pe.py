# SPDX-License-Identifier: MIT
"""Reads what tests ask of a Windows program: Program(path).imports, .flags, .timestamp, .resources."""
import pathlib
import struct

HIGH_ENTROPY, DYNAMIC_BASE, NX = 0x20, 0x40, 0x100  # of DllCharacteristics
ICON, MANIFEST, VERSION = 14, 24, 16  # types of resources: ICON is a group of icons


class Program:
    def __init__(self, path):
        self.data = pathlib.Path(path).read_bytes()
        at, = self.unpack("<I", 0x3C)
        assert self.data[at:at + 4] == b"PE\0\0"
        self.machine, sections, self.timestamp = self.unpack("<HHI", at + 4)
        size, = self.unpack("<H", at + 20)
        optional = at + 24
        assert self.unpack("<H", optional) == (0x20B,), "not PE32+"
        self.checksum, self.subsystem, self.flags = self.unpack("<IHH", optional + 64)
        self.directories = [self.unpack("<II", optional + 112 + 8 * n) for n in range(16)]
        self.sections = [self.unpack("<IIII", optional + size + 40 * n + 8) for n in range(sections)]

    def unpack(self, form, at):
        return struct.unpack_from(form, self.data, at)

    def offset(self, address):
        for size, begin, _, where in self.sections:
            if begin <= address < begin + size:
                return address - begin + where
        raise ValueError(f"no section has the address {address:#x}")

    def text(self, at):
        return self.data[at:self.data.index(b"\0", at)].decode()

    @property
    def imports(self):
        """The names of the libraries, in small letters."""
        names, at = [], self.offset(self.directories[1][0])
        while any(entry := self.unpack("<IIIII", at)):
            names.append(self.text(self.offset(entry[3])).lower())
            at += 20
        return names

    @property
    def resources(self):
        """Type: the contents of its first resource."""
        begin = self.offset(self.directories[2][0])
        return {kind: self.first(begin, where) for kind, where in self.entries(begin, begin)}

    def entries(self, begin, at):
        named, numbered = self.unpack("<HH", at + 12)
        for n in range(named + numbered):
            kind, where = self.unpack("<II", at + 16 + 8 * n)
            yield kind, where

    def first(self, begin, where):
        while where & 0x80000000:  # a folder
            _, where = next(self.entries(begin, begin + (where & 0x7FFFFFFF)))
        address, size = self.unpack("<II", begin + where)
        at = self.offset(address)
        return self.data[at:at + size]
