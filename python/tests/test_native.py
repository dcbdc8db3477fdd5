# SPDX-License-Identifier: MIT
"""Transfers of whole studies: igtcloud.client.native."""

import dataclasses
import datetime
import errno
import io
import json
import os
import signal
import subprocess
import threading
import time

import pytest
from conftest import PASSWORD, ROOT, USER, tree

from igtcloud.client import native

BIG = 40_000_000
SEED = {
    'users': [{'name': USER, 'password': PASSWORD, 'roles': ['DATA_MANAGER']}],
    'projects': [
        {'name': 'demo', 'id': 'p', 'institutes': [
            {'name': 'north', 'id': 'n', 'studies': [
                {'id': 's1', 'patient': {'patientId': 'P1', 'patientName': 'P1'}, 'studyId': 'one',
                 'studyDate': '2024-01-10T00:00:00+00:00', 'files': [
                     {'path': 'a/one.txt', 'text': 'one'}, {'path': 'b.bin', 'size': 1000}]},
                {'id': 's2', 'patient': {'patientId': 'P2', 'patientName': 'P2'}, 'studyId': 'two',
                 'studyDate': '2024-03-10T00:00:00+00:00', 'files': [{'path': 'two.txt', 'text': 'two'}]}]}]},
        {'name': 'big', 'id': 'b', 'institutes': [{'name': 'in', 'id': 'bi', 'studies': [
            {'id': 'b1', 'patient': {'patientId': 'B', 'patientName': 'B'}, 'studyId': '1', 'files': [
                {'path': 'film.bin', 'size': BIG}]}]}]},
        {'name': 'up', 'id': 'u', 'institutes': [{'name': 'in', 'id': 'ui'}]}],
}


def test_download_returns_what_it_did(auth, here):
    items, progress, messages = [], [], []
    summary = native.download(here, 'demo', on_item=items.append, on_progress=progress.append,
                              on_message=messages.append)
    assert (summary.institutes, summary.studies, summary.files_done, summary.bytes_done) == (1, 2, 3, 1006)
    assert summary.files_failed == 0 and summary.seconds > 0 and summary.requests > 0
    files = {item.path: item for item in items if item.kind == 'file'}
    assert set(files) == {'a/one.txt', 'b.bin', 'two.txt'}
    one = files['a/one.txt']
    assert (one.result, one.institute, one.study, one.study_id, one.size, one.error) == (
        'done', 'north', 'P1/one', 's1', 3, None)
    assert one.local_path == str(here / 'north/P1---one/a/one.txt') and one.verified and one.digest.startswith(one.verified + ':')
    assert progress and progress[-1].files_settled == 3 and isinstance(progress[-1].seconds, float)
    again = native.download(here, 'demo', auth=auth)
    assert (again.files_done, again.files_skipped) == (0, 3)


def test_replaced_files_are_counted(auth, here):
    native.download(here, 'demo', auth=auth)
    (here / 'north/P1---one/a/one.txt').write_text('an older version')
    items = []
    plan = native.download(here, 'demo', auth=auth, dry_run=True)
    done = native.download(here, 'demo', auth=auth, on_item=items.append)
    assert plan.files_replaced == done.files_replaced == 1
    files = {item.path: item for item in items if item.kind == 'file'}
    assert {path: item.replaced_size for path, item in files.items()} == {'a/one.txt': 16, 'b.bin': None, 'two.txt': None}
    assert native.download(here, 'demo', auth=auth).files_replaced == 0


@pytest.mark.parametrize('options, names', [
    ({'start': '2024-02-01'}, ['two.txt']),
    ({'end': datetime.date(2024, 2, 1)}, ['a/one.txt', 'b.bin']),
    ({'end': datetime.datetime(2024, 2, 1, 5)}, ['a/one.txt', 'b.bin']),
    ({'ext': '.bin'}, ['b.bin']),
    ({'include': ['*.txt']}, ['a/one.txt', 'two.txt']),
    ({'exclude': ['a/', '*.bin']}, ['two.txt']),
    ({'filters': native.Filters(rules=['- b*', '+ *.bin', '- a/'])}, ['two.txt']),
    ({'filters': native.Filters(names=['b.bin', 'a'], include=['*.txt'])}, ['a/one.txt']),
    ({'filters': native.Filters(names=())}, []),
    ({'filters': native.Filters(max_size=99, max_age=datetime.timedelta(days=1))}, ['a/one.txt', 'two.txt']),
    ({'filters': native.Filters(min_size=100)}, ['b.bin']),
    ({'filters': native.Filters(max_size=0)}, []),
    ({'filters': native.Filters(min_age=3600)}, []),
    ({'institute': 'north', 'structure': 'hierarchical', 'ext': '.bin'}, ['b.bin']),
])
def test_filters(auth, here, options, names):
    items = []
    native.download(here, 'demo', on_item=items.append, dry_run=True, **options)
    assert sorted(i.path for i in items if i.kind == 'file' and i.result == 'planned') == names
    assert tree(here) == []


def test_shards_are_disjoint_and_complete(auth, here):
    found = []
    for n in (1, 2, 3):
        native.download(here, 'demo', shard=(n, 3), dry_run=True,
                        on_item=lambda item: item.kind == 'file' and found.append(item.path))
    assert sorted(found) == ['a/one.txt', 'b.bin', 'two.txt']


def test_bad_arguments(auth, here):
    for options in ({'structure': 'round'}, {'categories': ['x']}, {'categories': []}, {'start': '10'},
                    {'shard': (5, 3)}, {'include': '*.txt'}, {'filters': native.Filters(rules=['*.txt'])},
                    {'filters': native.Filters(rules='+ *')}, {'filters': native.Filters(min_size=-1)}, {'concurrent_files': -1}, {'ext': 'a\0b'}):
        with pytest.raises(ValueError):
            native.download(here, 'demo', **options)
    with pytest.raises(LookupError, match='none'):
        native.download(here, 'none')
    assert tree(here) == []


def test_failures_are_reported_and_the_rest_is_complete(cloud, auth, here, tmp_path):
    cloud.faults({'fault': 'forbidden', 'path': '**/one.txt', 'times': 0})
    report = tmp_path / 'report.jsonl'
    with pytest.raises(native.SomeFailed) as raised:
        native.download(here, 'demo', report=report)
    cloud.heal()
    error = raised.value
    assert error.code == 'IGT_E_SOME_FAILED' and error.summary.files_failed == 1 and error.summary.files_done == 2
    failed, = [item for item in error.failed if item.kind == 'file']
    assert failed.path == 'a/one.txt' and isinstance(failed.error, native.Forbidden) and failed.error.http_status == 403
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert lines[-1]['kind'] == 'summary' and lines[-1]['filesFailed'] == 1
    assert lines[-1]['status'] == 'IGT_E_SOME_FAILED'
    assert [row['status'] for row in lines if row['kind'] == 'file' and row['result'] == 'failed'
            ] == ['IGT_E_FORBIDDEN']


def test_reports_are_those_of_the_program(cloud, auth, here, tmp_path):
    native.download(here, 'demo', report=tmp_path / 'ours.jsonl')
    program = os.environ.get('IGTCLOUD_BIN', str(ROOT / 'build/igtcloud'))
    subprocess.run([program, 'download', '--quiet', '--report', str(tmp_path / 'theirs.jsonl'), str(tmp_path / 'other'),
                    'demo', '--domain', cloud.url, '--user', USER, '--password-stdin'], input=PASSWORD, text=True,
                   check=True)

    def rows(name):
        lines = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        for line in lines:
            for varies in ('local', 'seconds', 'requests', 'time', 'run'):
                line.pop(varies, None)
            assert line['cloud'] == cloud.url and line['user'] == USER
        return sorted(lines, key=lambda line: json.dumps(line))
    assert rows('ours.jsonl') == rows('theirs.jsonl')
    merged = subprocess.run([program, 'report', 'merge', '-', str(tmp_path / 'ours.jsonl')], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    assert json.loads(merged.splitlines()[-1])['filesDone'] == 3


@pytest.mark.parametrize('kind', ['symbolic', 'dangling', 'hard', 'fifo', 'theirs'])
def test_a_report_is_written_through_nothing_that_others_planted(auth, here, tmp_path, kind):
    victim, path = tmp_path / 'thesis', tmp_path / 'report.jsonl'
    if kind != 'dangling':
        victim.write_text('years of work')
    if kind == 'hard':
        os.link(victim, path)
    elif kind == 'fifo':
        os.mkfifo(path)
    elif kind == 'theirs':
        if os.geteuid() != 0:
            pytest.skip('only root can give a file away')
        path.touch()
        os.chown(path, 65534, 65534)
    else:
        path.symlink_to(victim)
    with pytest.raises(OSError, match='report.jsonl'):
        native.download(here, 'demo', report=path)
    assert victim.exists() == (kind != 'dangling') and not list(here.iterdir())
    assert kind == 'dangling' or victim.read_text() == 'years of work'


def test_a_report_is_for_the_user_alone(auth, here, tmp_path):
    path = tmp_path / 'report.jsonl'
    path.write_text('an earlier one, of everybody ' * 1000)
    path.chmod(0o644)
    for report in (path, tmp_path / 'new.jsonl'):
        native.download(here, 'demo', report=report)
        assert report.stat().st_mode & 0o777 == 0o600
        assert json.loads(report.read_text().splitlines()[-1])['kind'] == 'summary'
    native.download(here, 'demo', report='/dev/null')


def test_verify_compares_content(auth, here):
    native.download(here, 'demo')
    assert native.verify(here, 'demo').files_same == 3
    (here / 'north/P1---one/b.bin').write_bytes(b'x' * 1000)
    (here / 'north/P2---two/two.txt').unlink()
    with pytest.raises(native.SomeFailed) as raised:
        native.verify(here, 'demo')
    assert {item.path: item.result for item in raised.value.failed if item.kind == 'file'} == {
        'b.bin': 'different', 'two.txt': 'missing here'}
    summary = raised.value.summary
    assert (summary.files_same, summary.files_different, summary.files_missing_here) == (1, 1, 1)


def test_upload_and_dry_run(auth, entities, here):
    (here / 'in/P5---A').mkdir(parents=True)
    (here / 'in/P5---A/f.txt').write_text('f')
    planned = native.upload(here, 'up', dry_run=True)
    assert planned.studies_created == 1 and entities.get_studies('ui') == []
    assert native.upload(here, 'up').files_done == 1
    study, = entities.get_studies('ui')
    assert study.study_id_human_readable == 'P5/A' and [f.file_name for f in study.files] == ['f.txt']


def test_csv(auth, here):
    summary = native.write_csv(here, 'demo', files=True, ext='.txt')
    assert summary.path == str(here / 'cloud_demo.csv') and summary.rows == 2 and summary.studies == 2
    assert (here / 'cloud_demo.csv').read_text().splitlines()[0].endswith('filename,filesize')


def test_csv_to_an_open_file(auth, here, tmp_path):
    native.write_csv(here, 'demo', files=True)
    sink = io.BytesIO()
    summary = native.write_csv(sink, 'demo', files=True)
    assert sink.getvalue() == (here / 'cloud_demo.csv').read_bytes() and summary.path == ''

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, 'no space of a test')
    with pytest.raises(OSError, match='no space of a test'):
        native.write_csv(Full(), 'demo', files=True)


def test_stat_asks_the_store(cloud, auth, entities):
    study = next(s for s in entities.get_studies('n') if s.files)
    file = study.files[0]
    cloud.clear()
    found = native.stat(file)
    head = cloud.boto3().head_object(Bucket='igtcloud', Key=file.key)
    assert (found.size, found.etag, found.modified) == (
        head['ContentLength'], head['ETag'].strip('"'), head['LastModified'])
    assert {r['method'] for r in cloud.requests(path='*' + file.file_name)} == {'HEAD'}
    file.key += '.not-there'
    with pytest.raises(native.NotFound):
        native.stat(file)


def test_manifest(cloud, auth, here, tmp_path):
    path, items, progress, report = tmp_path / 'cohort.jsonl', [], [], tmp_path / 'report'
    made = native.manifest(path, 'demo', ext='.txt', criteria='of a test')
    assert (made.studies, made.files_done, made.bytes_done, made.files_failed) == (2, 2, 6, 0)
    head, *_, end = map(json.loads, path.read_text().splitlines())
    assert (head['project'], head['selection'], end['files']) == ('demo', 'of a test', 2)
    assert native.download(here, manifest=path, report=report).files_done == 2
    assert [name for name in tree(here) if not name.endswith('study.json')] == [
        'north/P1---one/a/one.txt', 'north/P2---two/two.txt']
    assert native.verify(None, manifest=path, auth=auth).files_same == 2
    main = threading.get_ident()
    same = native.verify(here, manifest=path, on_item=lambda item: items.append((item, threading.get_ident())),
                         on_progress=progress.append)
    assert same.files_same == 2 and progress[-1].files_settled == 2
    assert [item.result for item, _ in items if item.kind == 'file'] == ['same', 'same']
    assert {thread for _, thread in items} == {main}
    (here / 'north/P2---two/two.txt').write_text('TWO')
    with pytest.raises(native.SomeFailed) as failure:
        native.verify(here, manifest=path, report=report)
    assert [(i.path, i.result) for i in failure.value.failed if i.kind == 'file'] == [('two.txt', 'different')]
    last = json.loads(report.read_text().splitlines()[-1])
    assert (last['cloud'], last['project'], last['filesDifferent']) == (cloud.url, 'demo', 1)


def test_nothing_else_is_combined_with_a_manifest(auth, here, tmp_path):
    path = tmp_path / 'cohort.jsonl'
    native.manifest(path, 'demo')
    for options in ({'project': 'demo'}, {'ext': '.txt'}, {'include': ['*']}, {'project_files': True},
                    {'selection': native.Selection()}, {'categories': ['dicom']}, {'filters': native.Filters()}):
        for function in (native.download, native.verify):
            with pytest.raises(native.InvalidArgument, match='manifest'):
                function(here, manifest=path, **options)
    for function, folder in ((native.download, here), (native.verify, here), (native.verify, None)):
        with pytest.raises(native.InvalidArgument, match='missing'):
            function(folder)


def test_a_manifest_that_is_not_complete_does_not_appear(cloud, auth, tmp_path):
    path = tmp_path / 'cohort.jsonl'
    path.write_text('before')
    cloud.faults({'fault': 'forbidden', 'method': 'HEAD', 'path': '**/two.txt', 'times': 0})
    with pytest.raises(native.SomeFailed) as failure:
        native.manifest(path, 'demo')
    cloud.heal()
    assert [item.path for item in failure.value.failed] == ['two.txt']
    assert path.read_text() == 'before' and sorted(p.name for p in tmp_path.glob('cohort*')) == ['cohort.jsonl']
    with pytest.raises(native.InvalidResponse):
        native.verify(tmp_path, manifest=path)
    native.manifest(path, 'demo')
    path.write_text(path.read_text().replace('one.txt', 'One.txt'))
    with pytest.raises(native.IntegrityError):
        native.download(tmp_path, manifest=path)


def test_a_comparison_with_a_manifest_is_interrupted(auth, here, tmp_path):
    path = tmp_path / 'cohort.jsonl'
    native.manifest(path, 'demo')
    native.download(here, manifest=path)
    for n in range(1000):  # more than wait to be called back for
        (here / f'north/P1---one/{n}').touch()
    with pytest.raises(native.SomeFailed) as failure:
        native.verify(here, manifest=path)
    assert failure.value.summary.files_missing_there == 1000

    class Stop(Exception):
        pass

    def stop(item):
        raise Stop
    with pytest.raises(Stop):
        native.verify(here, manifest=path, on_item=stop)
    cancel = native.Cancel()
    cancel.set()
    for folder in (here, None):
        with pytest.raises(native.Cancelled):
            native.verify(folder, manifest=path, cancel=cancel)


def test_an_exception_of_a_callback_ends_the_transfer(auth, here):
    class Stop(Exception):
        pass

    def stop(item):
        raise Stop
    with pytest.raises(Stop):
        native.download(here, 'demo', on_item=stop)
    assert native.download(here, 'demo').files_failed == 0  # the session is as it was


def test_cancel(cloud, auth, here):
    cloud.faults({'fault': 'silence', 'seconds': 60, 'path': '**/film.bin', 'times': 0})
    cancel = native.Cancel()
    threading.Timer(0.5, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(native.Cancelled):
        native.download(here, 'big', cancel=cancel)
    cloud.heal()
    assert time.monotonic() - started < 10


def test_ctrl_c_and_resume(cloud, auth, here, tmp_path):
    journal = tmp_path / 'journal.db'
    cloud.faults({'fault': 'silence', 'seconds': 60, 'path': '**/film.bin', 'skip': 4, 'times': 0})
    threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        native.download(here, 'big', journal=journal)
    assert time.monotonic() - started < 10 and 'in/B---1/film.bin' not in tree(here)
    cloud.heal()
    summary = native.download(here, 'big', journal=journal)
    assert summary.files_done == 1 and summary.bytes_moved < BIG  # the ranges that had arrived are kept
    assert (here / 'in/B---1/film.bin').stat().st_size == BIG
    assert native.verify(here, 'big').files_same == 1


def test_unfinished_uploads(cloud, auth, here, tmp_path):
    journal = tmp_path / 'journal.db'
    (here / 'in/P6---A').mkdir(parents=True)
    (here / 'in/P6---A/film.bin').write_bytes(os.urandom(1000) * 20_000)
    cloud.faults({'fault': 'silence', 'seconds': 60, 'method': 'PUT', 'path': '**/film.bin', 'skip': 1, 'times': 0})
    cancel = native.Cancel()
    threading.Timer(2, cancel.set).start()
    with pytest.raises(native.Cancelled):
        native.upload(here, 'up', journal=journal, cancel=cancel)
    cloud.heal()
    upload, = native.unfinished_uploads(journal=journal)
    assert upload.state == 'resumable' and upload.place.endswith('film.bin') and upload.size == 20_000_000
    assert upload.began.tzinfo is datetime.timezone.utc
    assert native.unfinished_uploads(journal=journal, older_than=3600) == []
    ended, = native.unfinished_uploads(journal=journal, abort=True)
    assert ended.state in ('ended', 'gone') and native.unfinished_uploads(journal=journal) == []


def test_a_full_disk_is_an_oserror():
    from igtcloud.client import _errors
    error = _errors.from_details(_errors.Details('IGT_E_NO_SPACE', 'the disk is full', os_error=28))
    assert isinstance(error, OSError) and error.errno == 28 and str(error) == 'the disk is full'


def test_every_status_has_an_exception(tmp_path):
    import pickle
    import re

    from igtcloud.client import _errors
    header = (ROOT / 'include/igtcloud/error.h').read_text()
    codes = re.findall(r'^  (IGT_E_\w+) = -\d+', header, re.M)
    assert len(codes) > 40
    for code in codes:
        error = _errors.from_details(_errors.Details(code, 'text', retry_after=3))
        assert isinstance(error, native.IgtError) and error.code == code and error.retry_after == 3
        assert type(pickle.loads(pickle.dumps(error))) is type(error) and str(error) == 'text'


def test_results_are_plain_data(auth, here):
    summary = native.download(here, 'demo', dry_run=True)
    assert dataclasses.asdict(summary)['studies'] == 2


# ---- which studies ----

def studies(folder):
    return sorted(path.name for path in folder.glob('*/*'))


def test_a_selection_of_studies(auth, here):
    native.download(here / 'a', 'demo', selection=native.Selection(institutes=['north'], studies=['P2/*'], limit=1))
    assert studies(here / 'a') == ['P2---two']
    native.verify(here / 'a', 'demo', selection=native.Selection(patients=(name for name in ['P2'])))
    (here / 'list').write_text('P1/one\nP9\n')
    with pytest.raises(native.SomeFailed) as raised:
        native.download(here / 'b', 'demo', selection=native.Selection(studies_from=here / 'list'))
    assert [item.study for item in raised.value.failed] == ['P9'] and studies(here / 'b') == ['P1---one']
    native.download(here / 'c', 'demo', selection=native.Selection(newest=True, limit=1))
    assert studies(here / 'c') == ['P2---two']
    made = native.write_csv(here, 'demo', selection=native.Selection(modified_since=datetime.timedelta(days=1)))
    assert made.studies == 2
    now = datetime.datetime.now(datetime.timezone.utc)
    with pytest.raises(native.NotFound):
        native.write_csv(here, 'demo', selection=native.Selection(modified_until=now - datetime.timedelta(days=1)))


def test_a_selection_of_folders(auth, here):
    for name in ('P1---a', 'P2---a'):
        (here / 'in' / name).mkdir(parents=True)
        (here / 'in' / name / 'a.txt').write_text('a')
    items = []
    native.upload(here, 'up', dry_run=True, on_item=items.append, selection=native.Selection(studies=['P2/a']))
    assert {item.study for item in items if item.kind == 'study'} == {'P2/a'}


@pytest.mark.parametrize('arguments, said', [
    ({'studies': []}, 'studies is empty'),
    ({'studies': 'P1'}, 'studies is a list'),
    ({'limit': -1}, 'limit=-1'),
    ({'labels': ['x']}, 'no labels'),
    ({'modified_since': datetime.date(2026, 1, 2), 'modified_until': datetime.date(2026, 1, 1)}, 'is after'),
])
def test_a_selection_that_makes_no_sense(auth, here, arguments, said):
    with pytest.raises(native.InvalidArgument, match=said):
        native.download(here, 'demo', selection=native.Selection(**arguments))


# ---- sync ----

def test_sync_downloads_and_deletes_what_the_cloud_does_not_have(auth, here):
    assert native.sync('igt:demo', here).files_done == 3
    study = here / 'north/P1---one'
    for name in ('extra.txt', 'more.txt'):
        (study / name).write_text('here only')
    items = []
    plan = native.sync('igt:demo', here, delete=True, dry_run=True, on_item=items.append)
    assert plan.files_deleted == 2 and (study / 'extra.txt').exists()
    assert sorted(i.path for i in items if i.result == 'planned deletion') == ['extra.txt', 'more.txt']
    for most in (0, 1):
        with pytest.raises(native.SomeFailed, match='delete'):
            native.sync('igt:demo', here, delete=True, max_delete=most)
    assert (study / 'extra.txt').exists() and (study / 'more.txt').exists()
    assert native.sync('igt:demo', here, 'north', delete=True, max_delete=2).files_deleted == 2
    assert sorted(path.name for path in study.iterdir() if path.is_file() and path.suffix != '.json') == ['b.bin']
    (study / 'extra.txt').write_text('here only')
    assert native.download(here, 'demo', delete_extra=True).files_deleted == 1
    assert native.sync('igt:demo', here).files_deleted == 0


def test_sync_uploads(auth, entities, here):
    (here / 'in/P---7').mkdir(parents=True)
    (here / 'in/P---7/f.txt').write_text('f')
    before = len(entities.get_studies('ui'))
    items = []
    native.sync(here, 'igt:up', 'in', dry_run=True, on_item=items.append)
    assert [i.result for i in items if i.kind == 'file'] == ['planned'] and len(entities.get_studies('ui')) == before
    assert native.sync(here, 'igt:up', 'in').files_done == 1
    assert native.sync(here, 'igt:up').files_skipped == 1
    with pytest.raises(ValueError, match='nothing in the cloud is deleted'):
        native.sync(here, 'igt:up', delete=True)


@pytest.mark.parametrize('sides, options', [
    (('a', 'b'), {}), (('igt:a', 'igt:b'), {}), (('igt:', 'b'), {}), (('igt:demo', 'b'), {'max_delete': -1}),
    (('b', 'igt:demo'), {'start': '2024-01-01'}), (('b', 'igt:demo'), {'categories': ('files', 'dicom')}),
])
def test_bad_arguments_of_a_sync(auth, here, sides, options):
    with pytest.raises(ValueError):
        native.sync(*sides, **options)


def test_folders(auth, here):
    native.download(here, 'demo')
    assert native.verify(here, 'demo', folders=['north/P2---two']).files_same == 1
    with pytest.raises(ValueError):
        native.verify(here, 'demo', folders='north/P2---two')
    for name in ('P---a', 'P---b'):
        (here / 'up/in' / name).mkdir(parents=True)
        (here / 'up/in' / name / 'f').write_text(name)
    assert native.upload(here / 'up', 'up', folders=['in/P---b', 'in/none'], dry_run=True).studies == 1


# ---- lists ----

def test_studies_are_listed_as_models(cloud, auth):
    cloud.clear()
    first, second = native.list_studies('demo')
    assert (first.name, first.institute.name, first.study.study_database_id, first.files, first.error) == (
        'P1/one', 'north', 's1', [], None)
    assert type(first.study).__name__ in ('Study', 'CoreLabsStudy', 'EpdStudy', 'RootStudy') and first.institute is second.institute
    assert not any('/files' in row['path'] for row in cloud.requests())
    assert [f.file_name for f in first.study.files] == ['a/one.txt', 'b.bin']


def test_studies_are_listed_with_files(cloud, auth):
    listed = {one.name: one for one in native.list_studies('demo', files=True)}
    assert listed['P1/one'].bytes == 1003 and listed['P1/one'].files_incomplete == 0
    assert listed['P1/one'].files == [native.ListedFile('files', 'a/one.txt', '.txt', 3, True),
                                      native.ListedFile('files', 'b.bin', '.bin', 1000, True)]
    assert [one.name for one in native.list_studies('demo', start='2024-02-01')] == ['P2/two']
    assert [len(one.files) for one in native.list_studies('demo', files=True, filters=native.Filters(include=['*.bin']))] == [1, 0]
    only, = native.list_studies('demo', selection=native.Selection(patients=['P2']))
    assert only.study.study_date == datetime.datetime(2024, 3, 10, tzinfo=datetime.timezone.utc)
    own, = native.list_studies('demo', project_files=True)
    assert (own.name, own.institute, own.study, own.files) == ('', None, None, [])


def test_files_are_requested_for_wanted_studies_alone(cloud, auth):
    cloud.clear()
    found, = native.list_studies('demo', files=True, wants=lambda one: one.study.study_database_id == 's2')
    assert found.name == 'P2/two' and len(found.files) == 1
    assert len([row for row in cloud.requests() if row['path'].endswith('/files')]) == 1

    shown = []

    def stop(one):
        shown.append(one.name)
        raise ArithmeticError
    cloud.clear()
    with pytest.raises(ArithmeticError):
        list(native.list_studies('demo', wants=stop))
    assert shown == ['P1/one']


def test_a_list_with_failures(cloud, auth):
    cloud.faults({'fault': 'forbidden', 'path': '**/s1/files', 'times': 0})
    listed = []
    with pytest.raises(native.SomeFailed) as raised:
        for one in native.list_studies('demo', files=True):
            listed.append(one)
    cloud.heal()
    assert [one.name for one in listed] == ['P1/one', 'P2/two']
    assert isinstance(listed[0].error, native.Forbidden) and listed[1].files
    assert raised.value.summary.studies_failed == 1
    failed, = raised.value.failed
    assert (failed.kind, failed.result, failed.study, failed.study_id) == ('study', 'failed', 'P1/one', 's1')


def test_bad_arguments_of_a_list_are_found_at_the_call(auth):
    for options in ({'start': 5}, {'categories': []}, {'concurrency': -1}):
        with pytest.raises(ValueError):
            native.list_studies('demo', **options)
    with pytest.raises(LookupError, match='none'):
        list(native.list_studies('none'))
    with pytest.raises(ValueError):
        list(native.list_studies('demo', shard=(5, 3)))


def test_a_list_that_is_left_early(cloud, auth):
    for one in native.list_studies('demo', files=True):
        break
    assert one.name == 'P1/one'
    cloud.faults({'fault': 'silence', 'seconds': 60, 'path': '**/studies', 'times': 0})
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(native.list_studies('demo'))
    cloud.heal()
    assert time.monotonic() - started < 5
    assert len(list(native.list_studies('demo'))) == 2
