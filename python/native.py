#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the C source of the extension igtcloud.client._native: native.py OUTPUT.c

cffi in API mode: the C compiler checks each declaration below against the public headers, so that a
change of the library is a build error here and not a crash later. The limited API (abi3) makes one
extension for all Pythons since 3.9. native.h has what runs without Python's lock: collecting a body,
the queue of log lines, the order of a size-first struct's initialization.
"""

import pathlib
import sys

from cffi import FFI

HERE = pathlib.Path(__file__).resolve().parent


def main(output):
    ffi = FFI()
    ffi.cdef((HERE / "native.cdef").read_text("utf-8"))
    ffi.set_source("igtcloud.client._native", (HERE / "native.h").read_text("utf-8"),
                   py_limited_api=True)
    ffi.emit_c_code(output)


if __name__ == "__main__":
    main(sys.argv[1])
