# SPDX-License-Identifier: MIT
"""Collections and files: services.entities_service, services.utils."""

import hashlib
import io
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from conftest import STATION, USER, Sandbox, integration_module

from igtcloud.client.core.auth import client_of, smart_auth
from igtcloud.client.native import InvalidArgument
from igtcloud.client.services import entities_service, set_auth
from igtcloud.client.services.base_service import CollectionWrapper
from igtcloud.client.services.entities.model.file import File
from igtcloud.client.services.entities.model.study import Study
from igtcloud.client.services.entities_service import FilesCollectionWrapper
from igtcloud.client.services.utils.key import key_regex, save_private_key

BadLink = integration_module('bad_link').BadLink
BIG = 20_000_000
SEED = {
    'users': [{'name': USER, 'password': 'demo', 'roles': ['DATA_MANAGER', 'SERVICES_MANAGER']}],
    'services': [{'id': STATION}],
    'projects': [{'name': 'demo', 'id': 'p', 'institutes': [
        {'name': 'north', 'id': 'n', 'studies': [
            {'id': 's1', 'patient': {'patientId': 'P1', 'patientName': 'P1'}, 'studyId': 'one', 'files': [
                {'path': 'a/small.txt', 'text': 'first\nsecond\n'},
                {'path': 'big.bin', 'size': BIG},
                {'path': 'empty', 'text': ''},
                {'path': 'half.bin', 'size': 10, 'completed': False},
                {'path': 'image.dcm', 'size': 100, 'category': 'dicom'},
                {'path': 'mark.json', 'text': '{}', 'category': 'annotations'}]},
            {'id': 's2', 'patient': {'patientId': 'P2', 'patientName': 'P2'}, 'studyId': 'two'}]},
        {'name': 'many', 'id': 'm', 'generate': {'studies': 30, 'files': 3, 'size': 1000}}],
        'files': [{'path': 'protocol.txt', 'text': 'pages'}]}],
}


@pytest.fixture
def north(entities):
    return entities.get_institute('n')


@pytest.fixture
def study(north):
    return next(s for s in north.studies if s.study_database_id == 's1')


@pytest.fixture
def second(north):
    """Without files, whatever other tests left in it."""
    study = next(s for s in north.studies if s.study_database_id == 's2')
    for file in list(study.files):
        study.files.remove(file)
    return study


def named(files, name):
    return next(f for f in files if f.file_name == name)


def calls(cloud, method=None, **more):
    return [r['path'] for r in cloud.requests(**({'method': method} if method else {}), **more)
            if r['path'].startswith('/api/data')]


# ---- collections ----

def test_collections_load_once_at_first_use(cloud, entities):
    project = entities.get_project('p')
    cloud.clear()
    assert [i.name for i in project.institutes] == ['north', 'many']
    assert project.institutes is project.institutes and len(project.institutes[0].studies) == 2
    study = project.institutes[0].studies[0]
    for name in ('series', 'files', 'dicom', 'annotations'):
        assert getattr(study, name) is getattr(study, name)
    assert calls(cloud) == ['/api/data/projects/p/hospitals', '/api/data/hospitals/n/studies',
                            '/api/data/hospitals/n/studies/s1/series', *['/api/data/hospitals/n/studies/s1/files'] * 3]
    project.institutes = []
    assert len(project.institutes) == 2


def test_an_empty_collection_is_kept_too(cloud, second):
    cloud.clear()
    assert second.dicom == [] and second.dicom == [] and len(calls(cloud)) == 1


def test_several_threads_load_a_collection_once(cloud, entities):
    project = entities.get_project('p')
    cloud.clear()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: project.institutes, range(8)))
    assert all(one is found[0] for one in found) and len(calls(cloud)) == 1


def test_collections_are_lists_but_not_fields(study, entities):
    before = entities.api_client.sanitize_for_serialization(study), study.to_dict()
    files = study.files
    assert isinstance(files, list) and isinstance(files, CollectionWrapper)
    assert type(files[1:]) is list and type(files + []) is list and type(files.copy()) is list
    assert sorted(files, key=lambda f: f.key) and bool(files) and files[0] in files
    assert (entities.api_client.sanitize_for_serialization(study), study.to_dict()) == before
    again = entities.get_study('n', 's1')
    assert again == study


def test_a_study_is_added_and_removed(cloud, north, entities):
    made = Study(study_type='Study', institute_id='n')
    from igtcloud.client.services.entities.model.patient import Patient
    made.patient = Patient(patient_id='P9', patient_name='P9')
    stored = north.studies.append(made)
    assert stored.study_database_id and stored in north.studies and not hasattr(made, 'study_database_id')
    assert [s.study_database_id for s in entities.get_studies('n')].count(stored.study_database_id) == 1
    north.studies.remove(stored)
    assert stored not in north.studies
    assert stored.study_database_id not in [s.study_database_id for s in entities.get_studies('n')]


def test_what_a_collection_does_not_support(entities, north, study):
    for use in (lambda: entities.get_project('p').institutes.remove(north), north.studies.clear, north.studies.pop,
                lambda: study.dicom.append(File('x', 1)), lambda: study.dicom.extend([]),
                lambda: study.files.pop(0)):
        with pytest.raises(RuntimeError, match='^Not supported$'):
            use()


def test_reload_and_to_dict(cloud, north):
    studies = north.studies
    del studies[0]
    assert len(studies) == 1
    assert studies.reload() is None and north.studies is studies and len(studies) == 2
    assert set(studies.to_dict(lambda s: s.study_database_id)) == {'s1', 's2'}
    assert list(studies.to_dict(lambda s: 1).values()) == [studies[-1]]


def test_files_keep_their_category_after_reload(study):
    for category in ('files', 'dicom', 'annotations'):
        files = getattr(study, category)
        assert {f.category for f in files} == {category} == {files.category}
        files.reload()
        assert {f.category for f in files} == {category} and files.s3_prefix.endswith('/')
    assert File('x', 1).category == 'files'


def test_files_are_compared_by_key(study):
    first = study.files[0]
    assert File(first.key, 1) in study.files and study.files.index(File(first.key, 1)) == 0
    assert first.key not in study.files
    with pytest.raises(ValueError):
        study.files.index(first.key)
    assert study.files.append(File(first.key, 1)) is None


def test_files_are_registered_and_removed_by_key(cloud, second):
    prefix = second.files.s3_prefix
    cloud.clear()
    second.files.extend([File(prefix + name, 1) for name in 'abc'])
    assert len(calls(cloud, 'POST')) == 1 and [f.file_name for f in second.files] == ['a', 'b', 'c']
    second.files.remove(File(key=prefix + 'b', file_size=1))
    assert [f.file_name for f in second.files] == ['a', 'c']
    second.files.reload()
    assert [f.file_name for f in second.files] == ['a', 'c']


def test_a_model_without_an_id_has_collections_that_say_so():
    with pytest.raises(AttributeError):
        Study(study_type='Study').files


def test_series_are_added_and_removed(cloud, second, entities):
    made = entities.series_type_classes['IgtCloudSeries'](series_type='IgtCloudSeries', series_database_id='new')
    stored = second.series.append(made)
    assert [s.series_database_id for s in entities.get_study_series_list('n', 's2')] == ['new']
    assert type(stored) is type(made) and second.series == [stored]
    second.series.remove(stored)
    assert second.series == [] == entities.get_study_series_list('n', 's2')


# ---- download ----

def test_download(study, tmp_path):
    counted = []
    big = named(study.files, 'big.bin')
    assert big.download(tmp_path, callback=counted.append) is True
    assert sum(counted) == BIG == (tmp_path / 'big.bin').stat().st_size
    assert named(study.files, 'a/small.txt').download(str(tmp_path / 'new')) is True
    assert (tmp_path / 'new/a/small.txt').read_text() == 'first\nsecond\n'
    assert named(study.files, 'empty').download(tmp_path) is True and (tmp_path / 'empty').read_bytes() == b''
    assert sorted(p.name for p in tmp_path.iterdir()) == ['big.bin', 'empty', 'new', 'own']


def test_download_skips_what_is_there_and_what_is_incomplete(cloud, study, tmp_path):
    small, counted = named(study.files, 'a/small.txt'), []
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/small.txt').write_text('x' * 13)
    assert small.download(tmp_path, overwrite=False, callback=counted.append) is False
    assert counted == [13] and (tmp_path / 'a/small.txt').read_text() == 'x' * 13
    assert small.download(tmp_path) is True and (tmp_path / 'a/small.txt').read_text() == 'first\nsecond\n'
    (tmp_path / 'a/small.txt').write_text('other size')
    assert small.download(tmp_path, overwrite=False) is True
    assert named(study.files, 'half.bin').download(tmp_path) is False and not (tmp_path / 'half.bin').exists()


def test_an_assigned_name_counts(study, tmp_path):
    small = named(study.files, 'a/small.txt')
    small.file_name = 'other/name.txt'
    assert small.download(tmp_path, client_kwargs={'region_name': 'x'}) and (tmp_path / 'other/name.txt').exists()


@pytest.mark.parametrize('name', ['../out.txt', '/tmp/igtcloud-out.txt', 'a/../../out.txt', '..'])
def test_a_name_that_leads_out_is_refused(study, tmp_path, name):
    small = named(study.files, 'a/small.txt')
    small.file_name = name
    with pytest.raises(ValueError):
        small.download(tmp_path / 'in')
    assert not (tmp_path / 'out.txt').exists() and not os.path.exists('/tmp/igtcloud-out.txt')


@pytest.mark.parametrize('use', [lambda file, to: file.download(to), lambda file, to: file.open().read(),
                                 lambda file, to: file.download_fileobj(io.BytesIO())])
def test_a_key_of_another_study_is_refused(entities, study, tmp_path, use):
    """A list of the cloud, or of a cache in between, that is the answer to another request."""
    other = entities.get_study('n', 's2')
    other.files.upload(__file__, 'theirs.txt')
    small = named(study.files, 'a/small.txt')
    small.key = other.s3_prefix + 'files/theirs.txt'
    with pytest.raises(Exception, match='not below the s3Prefix'):
        use(small, tmp_path / 'to')
    assert not (tmp_path / 'to/a/small.txt').exists()


def test_a_study_of_another_institute_in_the_list(entities, monkeypatch):
    institute = entities.get_institute('n')
    studies = list(entities.get_studies('n'))
    studies[1].institute_id = 'M'
    monkeypatch.setattr(entities, 'get_studies', lambda id: studies)
    with pytest.raises(ValueError, match='another institute: s2 is of M'):
        institute.studies
    studies[1].institute_id = 'N'
    assert len(institute.studies) == 2


def test_the_modification_time_is_the_objects(cloud, study, tmp_path):
    small = named(study.files, 'a/small.txt')
    small.download(tmp_path, include_modified_date=True)
    head = cloud.boto3().head_object(Bucket='igtcloud', Key=small.key)
    assert (tmp_path / 'a/small.txt').stat().st_mtime == head['LastModified'].timestamp()


def test_credentials_are_requested_for_what_comes_next(cloud, entities, tmp_path, monkeypatch):
    """A single file or study needs one request for them; those of the next ones of a series are asked for in advance."""
    module = sys.modules[FilesCollectionWrapper.__module__]
    monkeypatch.setattr(module, '_order', module._Order())
    listed = [study.files for study in entities.get_institute('m').studies]

    def grants():
        return len(cloud.requests(path='/api/auth/s3credentials*'))
    cloud.clear()
    for file in listed[20][:2]:
        file.download(tmp_path)
    assert grants() == 1
    for number, granted in ((21, 3), (22, 5), (23, 7)):  # those of 22; of 23 and 24; of 25 and 26
        listed[number][0].download(tmp_path)
        cloud.wait_for(lambda: grants() == granted)
    for files in listed[24:]:
        files[0].download(tmp_path)
    assert grants() == 10
    listed[3][0].download(tmp_path)
    assert grants() == 11


def test_no_session_requests_credentials_for_what_another_one_listed(cloud, entities, auth, tmp_path, monkeypatch):
    """It may be that of another cloud."""
    module = sys.modules[FilesCollectionWrapper.__module__]
    monkeypatch.setattr(module, '_order', module._Order())
    studies = entities.get_institute('m').studies
    ours = [study.files for study in studies[:3]]
    set_auth(SimpleNamespace(domain=auth.domain, jwt_token=auth.jwt_token, csrf_token=auth.csrf_token))
    theirs = [study.files for study in studies[3:6]]
    set_auth(auth)
    for files in ours[:2]:
        files[0].download(tmp_path)
    assert ours[2]._is_prepared
    ours[2][0].download(tmp_path)
    assert not any(files._is_prepared for files in theirs)
    assert len(cloud.requests(path='/api/auth/s3credentials*')) == 3


def test_a_session_that_has_ended_is_not_taken_for_a_later_one(auth):
    """The later one may have its place in memory, and so its id()."""
    class Session:
        domain, jwt_token, csrf_token = auth.domain, auth.jwt_token, auth.csrf_token

    module = sys.modules[FilesCollectionWrapper.__module__]
    earlier = []
    for _ in range(20):
        set_auth(Session())
        now = module._session_in_use()
        assert now() is module._session_in_use()() is not None
        assert all(session() is not now() for session in earlier)
        earlier.append(now)
    set_auth(auth)


def test_only_large_files_use_the_journal(study, own_environment, tmp_path):
    """It is for resuming; opening it takes longer than a small file."""
    journal = own_environment / 'state' / 'igtcloud' / 'journal.db'
    assert named(study.files, 'a/small.txt').download(tmp_path / 'down')
    assert not journal.exists()
    assert named(study.files, 'big.bin').download(tmp_path / 'down')
    assert journal.exists()


def test_download_from_a_pool_of_threads(cloud, entities, tmp_path):
    studies = entities.get_institute('m').studies
    cloud.clear()

    def fetch(study):
        return [file.download(tmp_path / study.study_database_id) for file in study.files]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(fetch, studies))
    assert results == [[True] * 3] * 30
    found = [path for path in tmp_path.rglob('*') if path.is_file() and 'own' not in path.parts]
    assert len(found) == 90 and {path.stat().st_size for path in found} == {1000}
    assert len(cloud.requests(path='/api/auth/s3credentials')) == 30  # one for each prefix


def test_a_file_made_by_hand_is_downloaded(study, tmp_path):
    key = named(study.files, 'a/small.txt').key
    made = File(key, 13, file_name='mine.txt', is_completed=True)
    assert made.download(tmp_path) and (tmp_path / 'mine.txt').read_text() == 'first\nsecond\n'


def test_download_fileobj(study):
    small, target = named(study.files, 'a/small.txt'), io.BytesIO(b'0' * 3)
    target.seek(3)
    assert small.download_fileobj(target) is None and target.getvalue() == b'first\nsecond\n'

    class Sink:
        def __init__(self):
            self.parts = []

        def write(self, data):
            self.parts.append(bytes(data))

    sink = Sink()
    small.download_fileobj(sink)
    assert b''.join(sink.parts) == b'first\nsecond\n'


def test_a_missing_object_is_a_client_error_of_botocore_for_those_who_use_it(cloud, study, tmp_path):
    import botocore.exceptions

    from igtcloud.client.services.entities.exceptions import NotFoundException
    gone = File(study.files.s3_prefix + 'none', 1, file_name='none', is_completed=True)
    for use in (lambda: gone.download(tmp_path), lambda: gone.open(), lambda: gone.download_fileobj(io.BytesIO())):
        with pytest.raises(NotFoundException) as raised:
            use()
        assert isinstance(raised.value, botocore.exceptions.ClientError) and raised.value.status == 404
        assert raised.value.response['ResponseMetadata']['HTTPStatusCode'] == 404
    assert not (tmp_path / 'none').exists()


def test_a_file_where_the_folder_should_be(study, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(FileExistsError):
        named(study.files, 'a/small.txt').download(tmp_path / 'file')


def test_an_exception_of_the_callback_ends_the_transfer(study, tmp_path):
    class Stop(Exception):
        pass

    def stop(n):
        raise Stop
    with pytest.raises(Stop):
        named(study.files, 'big.bin').download(tmp_path, callback=stop)
    assert named(study.files, 'big.bin').download(tmp_path) is True


# ---- open ----

def test_open_reads_by_ranges(cloud, study):
    big = named(study.files, 'big.bin')
    cloud.clear()
    with big.open() as file:
        assert isinstance(file, io.BufferedReader) and file.seekable() and file.readable()
        head = file.read(100)
        assert file.tell() == 100 and len(head) == 100
        assert file.seek(-10, os.SEEK_END) == BIG - 10 and len(file.read()) == 10
        assert file.seek(0) == 0 and file.read(100) == head
        file.seek(BIG + 5)
        assert file.read() == b''
    assert all(r['range'] for r in cloud.requests(method='GET', path='/igtcloud/**'))
    with pytest.raises(ValueError):
        file.read()


def test_a_small_read_costs_a_small_range(cloud, study):
    cloud.clear()
    raw = named(study.files, 'big.bin').open(buffering=0)
    assert isinstance(raw, io.RawIOBase) and len(raw.read(1000)) == 1000
    assert raw.fetched <= 70_000
    raw.close()


def test_the_whole_content_is_the_same(study, tmp_path):
    big = named(study.files, 'big.bin')
    big.download(tmp_path)
    with big.open() as file:
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256((tmp_path / 'big.bin').read_bytes()).digest()


def test_an_open_file_belongs_to_its_session(study):
    """Whatever set_auth() says meanwhile."""
    with named(study.files, 'big.bin').open(buffering=0) as raw:
        set_auth(None)
        assert len(raw.read(200_000)) > 0


def test_text_mode(study):
    small = named(study.files, 'a/small.txt')
    with small.open('r', encoding='utf-8', newline='') as file:
        assert isinstance(file, io.TextIOWrapper) and file.readlines() == ['first\n', 'second\n']
    with pytest.raises(RuntimeError, match="Mode should contain 'r'"):
        small.open('wb')


def test_seeking_to_nowhere(study):
    with named(study.files, 'a/small.txt').open(buffering=0) as raw:
        with pytest.raises(ValueError):
            raw.seek(-1)
        with pytest.raises(ValueError):
            raw.seek(0, 7)


def test_a_file_that_is_not_closed_is_closed_with_its_session(cloud, asked, entities):
    with smart_auth(cloud.url, USER) as other:
        set_auth(other)
        study = entities.get_study('n', 's1')
        left = named(study.files, 'big.bin').open(buffering=0)
        left.read(1)
    with pytest.raises(ValueError):
        left.read(1)


# ---- upload ----

def test_upload(cloud, second, tmp_path):
    path = tmp_path / 'new.txt'
    path.write_text('twelve bytes')
    counted = []
    cloud.clear()
    assert second.files.upload(path, callback=counted.append) is True
    file, = second.files
    assert sum(counted) == 12
    assert (file.file_name, file.file_size, file.is_completed, file.is_new, file.type, file.progress_in_bytes,
            file.progress_percentage) == ('new.txt', 12, True, False, '.txt', 12, 100)
    assert [p for p in calls(cloud, 'POST')] == ['/api/data/hospitals/n/studies/s2/files',
                                                '/api/data/hospitals/n/studies/s2/files/$file-upload-completed']
    with file.open('r') as there:
        assert there.read() == 'twelve bytes'
    counted.clear()
    cloud.clear()
    assert second.files.upload(str(path), callback=counted.append) is False
    assert counted == [12] and not cloud.requests(method='PUT')
    assert second.files.upload(path, overwrite=True) is True and len(second.files) == 1


def test_a_grown_file_is_sent_once(cloud, second, tmp_path):
    path = tmp_path / 'grows'
    for size, sent in ((10, True), (20, True), (20, False)):
        path.write_bytes(b'x' * size)
        assert second.files.upload(path, 'below/name') is sent
        assert second.files[0].file_size == size and second.files[0].file_name == 'below/name'
    second.files.reload()
    assert second.files[0].file_size == 20 and second.files.upload(path, 'below/name') is False


def test_upload_without_an_action(cloud, second, tmp_path):
    (tmp_path / 'x').write_text('x')
    cloud.clear()
    assert second.files.upload(tmp_path / 'x', trigger_action=False)
    assert len(calls(cloud, 'POST')) == 1


def test_upload_of_nothing(second, tmp_path):
    with pytest.raises(FileNotFoundError, match='none'):
        second.files.upload(tmp_path / 'none')
    with pytest.raises(RuntimeError, match='Not supported'):
        (tmp_path / 'x').write_text('x')
        second.dicom.upload(tmp_path / 'x')


@pytest.mark.parametrize('key', ['../../esc.txt', '/abs.txt', 'a//b.txt', 'a/', '.', 'a/../b', '', 'a\nb', 'n' * 256,
                                 '/'.join(['n' * 200] * 20), '\udc80'])
def test_a_name_that_cannot_be_stored_is_not_registered(cloud, auth, second, tmp_path, key):
    (tmp_path / 'x').write_text('x')
    cloud.clear()
    with pytest.raises(InvalidArgument) as refused:
        second.files.upload(tmp_path / 'x', key=key)
    assert not cloud.requests(method='POST') and second.files == []
    second.files.reload()
    assert second.files == []
    # The library's own check says the same: it has the last word.
    if key.isascii():
        client = client_of(auth)
        with pytest.raises(InvalidArgument) as last:
            client.upload_object(second.files.s3_prefix, second.files.s3_prefix + key, str(tmp_path / 'x'), None)
        assert not key or str(last.value)[:500] == str(refused.value)[:500]


def test_what_cannot_be_read_is_not_registered(cloud, second, tmp_path, monkeypatch):
    cloud.clear()
    with pytest.raises(InvalidArgument, match='not a regular file'):
        second.files.upload(tmp_path)
    (tmp_path / 'x').write_text('x')
    monkeypatch.setattr(os, 'access', lambda path, mode: False)  # tests may run as root
    with pytest.raises(PermissionError):
        second.files.upload(tmp_path / 'x')
    assert not cloud.requests(method='POST') and second.files == []


def test_large_upload_in_parts(cloud, second, tmp_path):
    path = tmp_path / 'large.bin'
    path.write_bytes(os.urandom(1000) * 20_000)
    counted, lock = [], threading.Lock()

    def count(n):
        with lock:
            counted.append(n)
    assert second.files.upload(path, callback=count) and sum(counted) == BIG
    with second.files[0].open() as file:
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_upload_from_a_pool_of_threads(cloud, second, tmp_path):
    for n in range(24):
        (tmp_path / f'{n}.txt').write_text(f'content {n}')
    files = second.files
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda n: files.upload(tmp_path / f'{n}.txt', f'd/{n}.txt'), range(24)))
    assert len(files) == 24
    files.reload()
    assert len(files) == 24 and all(f.is_completed for f in files)


def test_uploads_of_threads_take_turns_on_a_bad_line(asked, tmp_path):
    """Together they would be cut in each part: a connection lives for 2 s, in which the line moves 8 MB."""
    (tmp_path / 'seed').write_text(json.dumps(SEED))
    with BadLink(up=4e6, life=2) as link, \
            Sandbox(seed=tmp_path / 'seed', extra=['--public-url', link.url]) as cloud:
        link.target = cloud.port
        with smart_auth(cloud.url, USER) as handler:
            set_auth(handler)
            files = entities_service.get_institute('n').studies[0].files
            content = [bytes([n]) * 4_500_000 for n in range(4)]
            for n in range(4):
                (tmp_path / f'f{n}').write_bytes(content[n])
            with ThreadPoolExecutor(4) as pool:
                assert all(pool.map(lambda n: files.upload(tmp_path / f'f{n}'), range(4)))
            for n in range(4):
                stored = cloud.boto3().get_object(Bucket='igtcloud', Key=named(files, f'f{n}').key)
                assert stored['Body'].read() == content[n]
        set_auth(None)


def test_annotations_and_project_files_are_uploaded(cloud, second, entities, tmp_path):
    (tmp_path / 'note.json').write_text('{}')
    cloud.clear()
    assert second.annotations.upload(tmp_path / 'note.json', 'x/note.json')
    assert not calls(cloud, 'POST') and second.annotations[-1].file_name == 'x/note.json'
    assert second.annotations[-1].category == 'annotations'
    second.annotations.reload()
    assert [f.file_name for f in second.annotations] == ['x/note.json']
    files = entities.get_project('p').files
    cloud.clear()
    assert files.upload(tmp_path / 'note.json') and calls(cloud, 'POST') == ['/api/data/projects/p/files']
    files.remove(files[-1])


def test_dicom_of_an_institute_is_sorted_into_studies(cloud, north, entities, tmp_path):
    from igtcloud.client.services import action_service
    (tmp_path / 'no-dicom').write_text('x')
    cloud.clear()
    assert north.dicom == [] and '/Import/' in north.dicom.s3_prefix and north.dicom is north.dicom
    assert north.dicom.upload(tmp_path / 'no-dicom', 'a/b') is True
    posted, = cloud.requests(method='POST', path='/api/action/*')
    assert posted['path'].endswith('update-database') and action_service


def test_a_service_can_upload_but_not_download(cloud, entities, tmp_path):
    from igtcloud.client.services.auth.exceptions import ForbiddenException
    with smart_auth(cloud.url, STATION, key=(cloud.data / f'{STATION}.pem').read_text()) as station:
        set_auth(station)
        study = entities.get_study('n', 's2')
        (tmp_path / 'x').write_text('x')
        assert study.files.upload(tmp_path / 'x', 'by-station')
        for use in (lambda: study.files[-1].download(tmp_path), lambda: study.files[-1].open(),
                    lambda: study.files[-1].credentials('GET')):
            with pytest.raises(ForbiddenException, match='upload'):
                use()


# ---- credentials ----

def test_credentials_are_kept(cloud, study):
    files = study.files
    cloud.clear()
    first = files.get_credentials('GET')
    assert files.get_credentials('GET') is first and files[0].credentials('GET') is first
    assert len(cloud.requests(path='/api/auth/s3credentials')) == 1 and first.access_key and first.bucket
    first.expires = '2001-01-01T00:00:00Z'
    assert files.get_credentials('GET') is not first
    with pytest.raises(RuntimeError, match='No method'):
        FilesCollectionWrapper('a/b').get_credentials('GET')


# ---- keys ----

BASE64 = 'MII' + 'A' * 100
WRAPPED = f'-----BEGIN RSA PRIVATE KEY-----\n{BASE64[:64]}\n{BASE64[64:]}\n-----END RSA PRIVATE KEY-----\n'


@pytest.mark.parametrize('key', [WRAPPED, WRAPPED.replace('\n', ''), WRAPPED.replace('\n', '\r\n'),
                                 WRAPPED.replace('\n', ' ')])
def test_a_private_key_is_wrapped_and_private(tmp_path, key):
    path = tmp_path / 'key.pem'
    save_private_key(key, path)
    assert path.read_text() == WRAPPED and path.stat().st_mode & 0o777 == 0o600


def test_an_existing_key_is_replaced_and_a_link_not_followed(tmp_path):
    other, path = tmp_path / 'other', tmp_path / 'key.pem'
    other.write_text('other')
    path.symlink_to(other)
    save_private_key(WRAPPED, str(path))
    assert other.read_text() == 'other' and path.read_text() == WRAPPED and not path.is_symlink()
    save_private_key('no pem', path)
    assert path.read_text() == 'no pem' and key_regex.search(WRAPPED) and not list(tmp_path.glob('*.new'))
