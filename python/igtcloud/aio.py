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
from typing import Any, AsyncIterator, Optional, Union

from igtcloud.client import native

__all__ = ["download", "upload", "sync", "verify", "list_studies", "write_csv", "manifest"]

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


async def sync(source: _Path, target: _Path, institute: Optional[str] = None, **options: Any) -> native.Summary:
    """Makes a folder match a project, or brings the project up to date; see native.sync()."""
    summary: native.Summary = await _run(native.sync, source, target, institute, options)
    return summary


async def list_studies(project: str, institute: Optional[str] = None,
                       **options: Any) -> AsyncIterator[native.ListedStudy]:
    """Yields the studies as they are listed: `async for found in aio.list_studies(...)`; see native.list_studies()."""
    run = native.list_studies.prepare(project, institute, **options)  # type: ignore[attr-defined]
    listing = run.start(with_descriptor=True)
    try:
        ended = False
        while not ended:
            await _readable(listing.fileno())
            for found in listing.take():
                ended = found is None
                study = None if ended else run.take(found)
                if study is not None:
                    yield study
        run.check(listing)
    finally:
        listing.close()


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


async def _run(function: Any, folder: Optional[_Path], project: Optional[_Path], institute: Optional[str],
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


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


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
