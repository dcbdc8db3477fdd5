# SPDX-License-Identifier: MIT
"""Stubs of the generated part."""


def files(package, banner):
    return {}
