#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Puts the package together: assemble.py EXTENSION AUTH.json ACTION.json ENTITIES.json OUTPUT

The package's root is OUTPUT's folder. It gets the sources of python/igtcloud, what generate.py writes,
and the extension. What is up to date is left alone, and what is no longer there is removed, so that a
build folder of last week holds the same package as a new one.
"""

import filecmp
import os
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
KINDS = (".py", ".pyi", ".typed")


def files_below(folder):
    return {path.relative_to(folder): path for path in folder.rglob("*")
            if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts}


def wanted_files(extension, specs, scratch):
    """Where each file of the package comes from, by its path below the root."""
    sources = files_below(HERE / "igtcloud")
    wanted = {pathlib.Path("igtcloud") / name: path for name, path in sources.items()
              if path.suffix in KINDS or path.name == "py.typed"}
    if (HERE / "generate.py").exists():
        sys.path.insert(0, str(HERE))
        sys.dont_write_bytecode = True
        import generate
        generate.write([pathlib.Path(spec) for spec in specs], scratch)
        wanted.update(files_below(scratch))
    # Named as Python wants it, whatever the build system called it.
    wanted[pathlib.Path("igtcloud/client/_native.abi3.so")] = extension
    return wanted


def copy_if_changed(source, target):
    if target.exists() and filecmp.cmp(source, target, shallow=False):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(target.name + ".new")
    shutil.copyfile(source, fresh)
    os.replace(fresh, target)  # a running interpreter keeps the extension that it has mapped


def main(extension, *specs_and_output):
    *specs, output = specs_and_output
    root = pathlib.Path(output).resolve().parent
    with tempfile.TemporaryDirectory() as scratch:
        wanted = wanted_files(pathlib.Path(extension), specs, pathlib.Path(scratch))
        for name, source in wanted.items():
            copy_if_changed(source, root / name)
        for name, path in files_below(root / "igtcloud").items():
            if pathlib.Path("igtcloud") / name not in wanted:
                path.unlink()
    pathlib.Path(output).write_text("")


if __name__ == "__main__":
    main(*sys.argv[1:])
