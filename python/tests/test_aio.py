# SPDX-License-Identifier: MIT
"""Transfers in asyncio: igtcloud.aio."""

import asyncio
import threading
import time

import pytest
from conftest import PASSWORD, USER

from igtcloud import aio
from igtcloud.client import native

SEED = {
    'users': [{'name': USER, 'password': PASSWORD, 'roles': ['DATA_MANAGER']}],
    'projects': [{'name': name, 'institutes': [{'name': 'in', 'id': name + '-i', 'studies': [
        {'patient': {'patientId': 'P', 'patientName': 'P'}, 'studyId': '1', 'files': [
            {'path': 'a.txt', 'text': 'a'}, {'path': 'film.bin', 'size': 10_000_000}]}]}]} for name in ('one', 'two')]
    + [{'name': 'up', 'institutes': [{'name': 'in', 'id': 'up-i'}]}],
}


def test_several_transfers_in_one_loop(auth, here):
    threads, ticks = set(), []

    async def tick():
        while True:
            await asyncio.sleep(0.005)
            ticks.append(1)

    async def work():
        ticking = asyncio.create_task(tick())
        summaries = await asyncio.gather(*(
            aio.download(here / name, name, on_item=lambda item: threads.add(threading.current_thread()))
            for name in ('one', 'two')))
        ticking.cancel()
        checked = await aio.verify(here / 'one', 'one')
        listed = await aio.write_csv(here, 'two', files=True)
        return summaries, checked, listed
    summaries, checked, listed = asyncio.run(work())
    assert [s.files_done for s in summaries] == [2, 2] and checked.files_same == 2 and listed.rows == 2
    assert threads == {threading.main_thread()} and ticks


def test_manifest(auth, here, tmp_path):
    async def work():
        path = tmp_path / 'cohort.jsonl'
        made = await aio.manifest(path, 'one')
        loaded = await aio.download(here, manifest=path)
        return made, loaded, await aio.verify(here, manifest=path), await aio.verify(None, manifest=path)
    made, loaded, local, remote = asyncio.run(work())
    assert [made.files_done, loaded.files_done, local.files_same, remote.files_same] == [2, 2, 2, 2]


def test_upload(auth, entities, here):
    (here / 'in/P---1').mkdir(parents=True)
    (here / 'in/P---1/f').write_text('f')
    assert asyncio.run(aio.upload(here, 'up')).files_done == 1
    assert [f.file_name for f in entities.get_studies('up-i')[0].files] == ['f']


def test_failures_are_those_of_native(cloud, auth, here):
    with pytest.raises(LookupError, match='none'):
        asyncio.run(aio.download(here, 'none'))
    with pytest.raises(ValueError):
        asyncio.run(aio.download(here, 'one', structure='round'))
    cloud.faults({'fault': 'forbidden', 'path': '**/a.txt', 'times': 0})
    with pytest.raises(native.SomeFailed) as raised:
        asyncio.run(aio.download(here, 'one'))
    cloud.heal()
    assert raised.value.summary.files_done == 1 and 'a.txt' in [item.path for item in raised.value.failed]

    def stop(item):
        raise ArithmeticError
    with pytest.raises(ArithmeticError):
        asyncio.run(aio.download(here, 'two', on_item=stop))


def test_a_cancelled_task_ends_its_transfer_alone(cloud, auth, here):
    cloud.faults({'fault': 'silence', 'seconds': 60, 'path': '**/film.bin', 'times': 0})

    async def work():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(aio.download(here, 'one'), 0.5)
        cloud.heal()
        return await aio.download(here, 'one')
    started = time.monotonic()
    assert asyncio.run(work()).files_failed == 0 and time.monotonic() - started < 20
    assert (here / 'in/P---1/film.bin').stat().st_size == 10_000_000


def test_lists(auth, here):
    async def work():
        listed = [one async for one in aio.list_studies('one', files=True)]
        async for early in aio.list_studies('two'):
            break
        return listed, early, await aio.sync('igt:two', here)
    listed, early, summary = asyncio.run(work())
    assert [(one.name, len(one.files)) for one in listed] == [('P/1', 2)] and early.files == []
    assert summary.files_done == 2
    with pytest.raises(LookupError, match='none'):
        asyncio.run(aio.list_studies('none').__anext__())
