# SPDX-License-Identifier: MIT
"""The transfers of igtcloud.client.native for asyncio, without a blocked thread.

    from igtcloud import aio
    summary = await aio.download("studies", "My project", on_progress=show)

Each takes the arguments of the function of the same name in native, and raises the same. Callbacks are called in the
event loop's thread. Cancelling the task ends the transfer; what was complete stays. Any number of transfers may run in
one loop. Blocking calls of the package, such as operations, let others run in asyncio.to_thread().
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, Optional, Union

from igtcloud.client import native

__all__ = ["download", "upload", "verify", "write_csv", "manifest"]

_Path = Union[str, "os.PathLike[str]"]


async def download(target: _Path, project: Optional[str] = None, institute: Optional[str] = None,
                   **options: Any) -> native.Summary:
    """Downloads studies; see native.download()."""
    summary: native.Summary = await _run(native.download, target, project, institute, options)
    return summary


async def upload(source: _Path, project: str, institute: Optional[str] = None, **options: Any) -> native.Summary:
    """Uploads a folder; see native.upload()."""
    summary: native.Summary = await _run(native.upload, source, project, institute, options)
    return summary


async def verify(local: Optional[_Path], project: Optional[str] = None, institute: Optional[str] = None,
                 **options: Any) -> native.Summary:
    """Compares a folder with the cloud; see native.verify()."""
    summary: native.Summary = await _run(native.verify, local, project, institute, options)
    return summary


async def write_csv(target: _Path, project: str, institute: Optional[str] = None, **options: Any) -> native.CsvSummary:
    """Writes the studies as CSV; see native.write_csv()."""
    summary: native.CsvSummary = await _run(native.write_csv, target, project, institute, options)
    return summary


async def manifest(target: _Path, project: str, institute: Optional[str] = None, **options: Any) -> native.Summary:
    """Writes what the studies consist of; see native.manifest()."""
    summary: native.Summary = await _run(native.manifest, target, project, institute, options)
    return summary


async def _run(function: Any, folder: Optional[_Path], project: Optional[str], institute: Optional[str],
               options: Any) -> Any:
    run = function.prepare(folder, project, institute, **options)
    try:
        transfer = run.begin()
        try:
            await _finished(transfer)
        except BaseException:
            run.abandon()
            raise
        return run.result()
    finally:
        run.close()


async def _finished(transfer: Any) -> None:
    """Dispatches whenever something waits, until the end."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def dispatch() -> None:
        try:
            if transfer.dispatch() and not done.done():
                done.set_result(None)
        except BaseException as error:
            if not done.done():
                done.set_exception(error)

    loop.add_reader(transfer.fileno(), dispatch)
    try:
        await done
    finally:
        loop.remove_reader(transfer.fileno())
