# SPDX-License-Identifier: MIT
"""The existing client's tools: tools.*, and the click commands."""

import csv
import io
import json
import logging
import os
import re
import sys
import uuid

import pytest
from conftest import PASSWORD, ROOT, USER, RestClient, tree

from igtcloud.client import native
from igtcloud.client._below import make_folders, write_file

from igtcloud.client.services.entities.models import Institute
from igtcloud.client.tools import common
from igtcloud.client.tools.download_institute import download_institutes
from igtcloud.client.tools.download_project import download_project
from igtcloud.client.tools.list_project import list_project
from igtcloud.client.tools.upload_project import upload_annotation_files, upload_project, upload_project_files, upload_study

DATES = {'P1/one': '2024-01-10T00:00:00+00:00', 'P1/two': '2024-03-10T00:00:00+00:00'}
SEED = {
    'users': [{'name': USER, 'password': PASSWORD, 'roles': ['DATA_MANAGER']}],
    'projects': [
        {'name': 'demo', 'id': 'p', 'institutes': [
            {'name': 'north', 'id': 'n', 'studies': [
                {'id': 's1', 'patient': {'patientId': 'P1', 'patientName': 'P1'}, 'studyId': 'one',
                 'studyDate': DATES['P1/one'], 'files': [
                     {'path': 'a/one.txt', 'text': 'one'}, {'path': 'b.bin', 'size': 1000},
                     {'path': 'mark.json', 'text': '{}', 'category': 'annotations'}]},
                {'id': 's2', 'patient': {'patientId': 'P1', 'patientName': 'P1'}, 'studyId': 'two',
                 'studyDate': DATES['P1/two'], 'files': [{'path': 'two.txt', 'text': 'two'}]}]},
            {'name': 'south', 'id': 's', 'studies': [
                {'id': 's3', 'patient': {'patientId': 'P3', 'patientName': 'P3'}, 'studyId': 'three', 'files': [
                    {'path': 'three.txt', 'text': 'three'}]}]}],
         'files': [{'path': 'protocol.txt', 'text': 'pages'}, {'path': 'x.bin', 'text': 'x'}]},
        {'name': 'up', 'id': 'u', 'institutes': [{'name': 'in', 'id': 'i'}]},
        {'name': 'twice', 'id': 't1'}, {'name': 'twice', 'id': 't2'}],
}


# ---- common ----

def test_finding(entities):
    assert common.find_project_by_name('demo').id == 'p' and common.find_project_by_name('Demo') is None
    assert common.find_institute_by_name('south', 'p').id == common.find_institute_by_name('south').id == 's'
    assert common.find_institute_by_name('south', 'u') is None
    project, institutes = common.find_project_and_institutes('demo')
    assert project.id == 'p' and [i.name for i in institutes] == ['north', 'south']
    project, institutes = common.find_project_and_institutes('demo', 'south')
    assert [i.id for i in institutes] == ['s']
    # A mistyped project does not lead to an institute of that name in another one.
    assert common.find_project_and_institutes('dem', 'south') == (None, [])
    with pytest.raises(LookupError, match="2 projects named 'twice': t1, t2"):
        common.find_project_by_name('twice')


def test_an_institute_of_a_project_that_cannot_be_seen(entities, monkeypatch):
    monkeypatch.setattr(entities, 'get_projects', lambda: [])
    project, institutes = common.find_project_and_institutes('demo', 'south')
    assert project is None and [i.id for i in institutes] == ['s']


def test_filters(entities):
    assert common.filter_by_ext(None) is None and common.filter_by_study_date(None, '') is None
    study = entities.get_study('n', 's1')
    of_type = common.filter_by_ext('.TXT')
    assert [f.file_name for f in study.files if of_type(f)] == ['a/one.txt'] and of_type(study.files[0], study)
    for start, end, there in (('2024-01-10', None, True), ('2024-01-11', None, False), (None, '2024-01-10', True),
                              (None, '2024-01-09', False), ('2024-01-01', '2024-02-01', True)):
        assert common.filter_by_study_date(start, end)(study) is there
    assert common.filter_by_study_date('2099-01-01', None)(entities.get_study('s', 's3')) is True  # undated
    with pytest.raises(ValueError, match="start: '10' is not a date"):
        common.filter_by_study_date('10', None)


def test_flatten_and_key(entities):
    flat = common.flatten_dict({'a': [1, 'b'], 'patient': {'patientId': 'x', 'givenName': 'y'}, 'l': [{'k': 1}]})
    assert flat == {'a': '1, b', 'patientId': 'x', 'patientGivenname': 'y', 'l': '{"k": 1}'}
    assert common.study_key(entities.get_study('n', 's1')) == 'P1'
    epd = entities.study_type_classes['EpdStudy'](study_type='EpdStudy', name='case')
    assert common.study_key(epd) == 'case'


def test_records_are_written_between_bars(capsys):
    record = logging.LogRecord('x', logging.INFO, '', 0, 'said %s', ('so',), None)
    common.TqdmLoggingHandler().emit(record)
    assert 'said so' in capsys.readouterr().out


# ---- download ----

def test_download_of_all_institutes(entities, here):
    assert download_institutes('demo', None, here) is None
    assert tree(here) == ['north/P1---one/a/one.txt', 'north/P1---one/b.bin', 'north/P1---one/study.json',
                          'north/P1---two/study.json', 'north/P1---two/two.txt', 'south/P3---three/study.json',
                          'south/P3---three/three.txt']


def test_download_of_one_institute_with_filters(entities, here):
    download_institutes('demo', 'north', str(here), ['files', 'annotations'], common.filter_by_study_date(
        '2024-01-01', '2024-02-01'), common.filter_by_ext('.txt'), folder_structure='hierarchical')
    assert 'north/P1/one/files/a/one.txt' in tree(here)
    assert not [name for name in tree(here) if 'two' in name or name.endswith('.bin')]


def test_download_with_filters_of_the_program(entities, here, tmp_path):
    download_institutes('demo', None, here, studies_filter=lambda study: study.study_id != 'two',
                        files_filter=lambda file, study: file.file_size < 100, include_modified_date=True)
    assert tree(here) == ['north/P1---one/a/one.txt', 'north/P1---one/study.json', 'south/P3---three/study.json',
                          'south/P3---three/three.txt']
    native.download(tmp_path / 'native', 'demo', include=['*.txt'])
    for name in ('north/P1---one/study.json', 'north/P1---one/a/one.txt'):
        assert (here / name).read_bytes() == (tmp_path / 'native' / name).read_bytes()


def test_a_failing_file_does_not_stop_the_others(cloud, entities, here, caplog):
    cloud.faults({'fault': 'forbidden', 'path': '**/one.txt', 'times': 0})
    with pytest.raises(native.SomeFailed) as raised:
        download_institutes('demo', None, here)
    cloud.heal()
    assert 'south/P3---three/three.txt' in tree(here) and 'north/P1---one/a/one.txt' not in tree(here)
    assert [item.path for item in raised.value.failed if item.kind == 'file'] == ['a/one.txt']
    assert raised.value.summary.files_done == 3
    assert len([r for r in caplog.records if r.levelname == 'ERROR' and 'one.txt' in r.message]) == 1


@pytest.mark.parametrize('use', [
    lambda here: download_institutes('none', None, here), lambda here: download_institutes('demo', 'none', here),
    lambda here: download_project('none', here), lambda here: list_project('none', here),
    lambda here: download_project('none', here, lambda file: True),
    lambda here: upload_project(here, 'none')])
def test_what_is_not_there_is_an_error(entities, here, use):
    with pytest.raises(LookupError, match='none'):
        use(here)
    assert tree(here) == []


def test_download_of_the_projects_own_files(entities, here, tmp_path):
    download_project('demo', here)
    assert tree(here) == ['files/protocol.txt', 'files/x.bin']
    download_project('demo', tmp_path / 'some', lambda file: file.type == '.txt', include_modified_date=True)
    assert tree(tmp_path / 'some') == ['files/protocol.txt']


@pytest.mark.parametrize('where', ['study.json', 'P1---one', 'P1---one/a', 'P1---one/a/one.txt'])
def test_links_that_others_planted_are_not_followed(entities, here, tmp_path, where):
    """With filters of the program; native transfers have tests of their own."""
    outside = tmp_path / 'outside'
    (outside / 'a').mkdir(parents=True)
    (outside / 'study.json').write_text('theirs')
    (outside / 'one.txt').write_text('abc')  # as large as the cloud's
    link = here / 'north' / ('P1---one/study.json' if where == 'study.json' else where)
    link.parent.mkdir(parents=True)
    link.symlink_to({'study.json': outside / 'study.json', 'P1---one/a/one.txt': outside / 'one.txt'}.get(where, outside))
    before = {path: path.read_text() for path in outside.rglob('*') if path.is_file()}
    try:
        download_institutes('demo', 'north', here, studies_filter=lambda study: study.study_id == 'one')
    except native.SomeFailed:
        assert where in ('P1---one', 'P1---one/a')
    else:
        assert where.endswith(('.json', '.txt')) and (here / 'north/P1---one/a/one.txt').read_text() == 'one'
        assert not (here / 'north/P1---one/study.json').is_symlink()
    assert {path: path.read_text() for path in outside.rglob('*') if path.is_file()} == before


# ---- lists ----

def rows_of(path):
    with open(path, encoding='utf-8', newline='') as source:
        return list(csv.DictReader(source))


def test_list(entities, here):
    assert list_project('demo', here) is None
    assert sorted(row['studyIdHumanReadable'] for row in rows_of(here / 'cloud_demo.csv')) == [
        'P1/one', 'P1/two', 'P3/three']
    list_project('demo', here, list_files=True, studies_filter=common.filter_by_study_date('2024-03-01', None),
                 files_filter=common.filter_by_ext('.txt'))
    assert sorted(row['filename'] for row in rows_of(here / 'cloud_demo.csv')) == ['three.txt', 'two.txt']


def test_list_with_filters_of_the_program(entities, here):
    list_project('demo', here, list_files=True, studies_filter=lambda study: study.study_id == 'one',
                 files_filter=lambda file: file.file_size > 100)
    assert [row['filename'] for row in rows_of(here / 'cloud_demo.csv')] == ['b.bin']
    list_project('demo', here / 'new', 'north', studies_filter=lambda study: study.study_id == 'two')
    path, = (here / 'new').iterdir()
    assert [row['studyIdHumanReadable'] for row in rows_of(path)] == ['P1/two'] and path.name.startswith('cloud_')


# ---- upload ----

def test_upload_of_a_folder(cloud, entities, here, caplog):
    for name, text in (('files/p.txt', 'project'), ('in/P7---A/x/y.txt', 'y'), ('in/P7---A/study.json.txt', 'z'),
                       ('in/P8---B/1.txt', '1')):
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with caplog.at_level(logging.INFO):
        assert upload_project(here, 'up') is None
        upload_project(str(here), 'up', 'in')
    studies = {s.study_id_human_readable: s for s in entities.get_studies('i')}
    assert {'P7/A', 'P8/B'} <= set(studies)
    assert sorted(f.file_name for f in studies['P7/A'].files) == ['study.json.txt', 'x/y.txt']
    assert 'files_uploaded: 0, files_skipped: 4' in caplog.text


def test_upload_with_submission(cloud, entities, asked, here):
    (here / 'in/P9---C').mkdir(parents=True)
    (here / 'in/P9---C/f').write_text('f')
    old = (here / 'in/P9---C/f').stat().st_mtime - 1000
    os.utime(here / 'in/P9---C/f', (old, old))
    before = len(asked.questions)
    upload_project(here, 'up', submit=True, folder_structure='flat', category='files')
    assert len(asked.questions) == before + 1
    study, = [s for s in entities.get_studies('i') if s.study_id_human_readable == 'P9/C']
    assert study.electronic_record_state == 'submitted'


def test_upload_of_one_study(entities, here):
    (here / 'sub').mkdir()
    (here / 'sub/f.txt').write_text('f')
    studies = entities.get_institute('i').studies
    study, uploaded, skipped = upload_study('Study', here, 'P20', 'i', studies)
    assert study.patient.patient_name == 'P20' and uploaded == ['sub/f.txt'] and skipped == []
    again, uploaded, skipped = upload_study('Study', here, 'P20', 'i', studies, max_workers_files=2)
    assert again is study and uploaded == [] and skipped == ['sub/f.txt']
    state = entities.api_client.sanitize_for_serialization(study)
    (here / 'study.json').write_text(json.dumps(state))
    again, uploaded, skipped = upload_study('Study', here, 'other', 'i', studies)
    assert again is study and skipped == ['sub/f.txt']  # the sidecar is no file of the study
    (here / 'study.json').write_text('{')
    with pytest.raises(ValueError, match='is no study'):
        upload_study('Study', here, 'P21', 'i', studies)


def test_upload_of_project_files_and_annotations(entities, here):
    (here / 'up').mkdir()
    (here / 'up/q.txt').write_text('q')
    project = entities.get_project('u')
    upload_project_files(project, here / 'up', 4)
    assert [f.file_name for f in entities.get_project('u').files if f.file_name == 'q.txt'] == ['q.txt']
    upload_project_files(project, here / 'none', 4)
    (here / 'north/P1---one/deep').mkdir(parents=True)
    (here / 'north/P1---one/deep/note.json').write_text('{}')
    upload_annotation_files([entities.get_institute('n')], here)
    assert 'deep/note.json' in [f.file_name for f in entities.get_study('n', 's1').annotations]


@pytest.fixture
def new_studies(entities):
    """Those of an institute in which there is nothing."""
    made = entities.post_institutes('u', Institute(name=f'new{uuid.uuid4().hex}'))
    return made.id, made.studies


def described(folder, **fields):
    folder.mkdir(exist_ok=True)
    (folder / 'study.json').write_text(json.dumps(fields))
    return folder


def names_in(institute, entities):
    return [study.study_id_human_readable for study in entities.get_studies(institute)]


def test_nothing_outside_of_the_folder_goes_up(entities, new_studies, here, tmp_path, caplog):
    institute, studies = new_studies
    (tmp_path / 'private').mkdir()
    (tmp_path / 'private/key.pem').write_text('secret')
    (here / 'f.txt').write_text('f')
    (here / 'link.txt').symlink_to(tmp_path / 'private/key.pem')
    (here / 'sub').symlink_to(tmp_path / 'private')
    os.mkfifo(here / 'pipe')
    study, uploaded, _ = upload_study('Study', here, 'P40', institute, studies)
    assert uploaded == ['f.txt'] and [f.file_name for f in study.files] == ['f.txt']
    for name in ('link.txt', 'sub', 'pipe'):
        assert f'{here / name}: left out' in caplog.text
    upload_project_files(entities.get_project('u'), here)
    assert not [f for f in entities.get_project('u').files if f.file_name in ('link.txt', 'sub/key.pem', 'pipe')]


@pytest.mark.parametrize('kind', ['link', 'dangling', 'folder', 'fifo'])
def test_a_description_that_is_no_file_of_the_folder(entities, new_studies, here, tmp_path, kind):
    institute, studies = new_studies
    (here / 'f.txt').write_text('f')
    path = here / 'study.json'
    if kind == 'link':
        (tmp_path / 'config.json').write_text('{"auths": {"registry": {"auth": "secret"}}}')
        path.symlink_to(tmp_path / 'config.json')
    elif kind == 'dangling':
        path.symlink_to(tmp_path / 'annex/study.json')
    elif kind == 'folder':
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises((ValueError, OSError), match='study.json'):
        upload_study('Study', here, 'P41', institute, studies)
    assert names_in(institute, entities) == []


def test_a_folder_that_cannot_be_read_is_an_error(entities, new_studies, here, monkeypatch):
    institute, studies = new_studies
    (here / 'sub').mkdir()
    (here / 'sub/f.txt').write_text('f')
    (here / 'g.txt').write_text('g')
    scan = os.scandir

    def fail(path):
        if str(path).endswith('sub'):
            raise PermissionError(13, 'Permission denied', str(path))
        return scan(path)
    monkeypatch.setattr(os, 'scandir', fail)
    with pytest.raises(PermissionError, match='sub'):
        upload_study('Study', here, 'P42', institute, studies)
    assert names_in(institute, entities) == []


def test_files_do_not_get_to_another_study_of_the_patient(entities, new_studies, here):
    institute, studies = new_studies
    ann = {'patientId': 'ANN', 'patientName': 'ANN'}
    for part in 'AB':
        folder = described(here / part, studyId=part, patient=ann)
        (folder / f'{part}.txt').write_text(part)
        study, uploaded, _ = upload_study('Study', folder, 'ANN', institute, studies)
        assert study.study_id == part and uploaded == [f'{part}.txt']
    assert sorted(names_in(institute, entities)) == ['ANN/A', 'ANN/B']
    a, b = sorted(entities.get_studies(institute), key=lambda study: study.study_id)
    again, uploaded, skipped = upload_study('Study', here / 'A', 'ANN', institute, studies)
    assert again.study_database_id == a.study_database_id and skipped == ['A.txt']
    for fields in ({'studyDatabaseId': a.study_database_id, 'studyId': 'B', 'patient': ann},
                   {'studyDatabaseId': a.study_database_id, 'patient': {'patientId': 'BOB', 'patientName': 'BOB'}},
                   {'patient': ann}):
        with pytest.raises(LookupError):
            upload_study('Study', described(here / 'A', **fields), 'ANN', institute, studies)
    assert [[f.file_name for f in study.files] for study in (a, b)] == [['A.txt'], ['B.txt']]
    assert len(names_in(institute, entities)) == 2


def test_patients_of_one_name(entities, new_studies, here):
    institute, studies = new_studies
    for number, id_ in enumerate(('17', '18')):
        folder = described(here / id_, studyId='1', patient={'patientId': id_, 'patientName': 'Anonymous'})
        (folder / 'f.txt').write_text(id_)
        for again in range(2):
            study, _, skipped = upload_study('Study', folder, 'Anonymous', institute, studies)
            assert study.patient.patient_id == id_ and len(skipped) == again
        assert len(names_in(institute, entities)) == number + 1


def test_what_lies_beside_files_is_named(entities, new_studies, here, caplog):
    institute, studies = new_studies
    (here / 'dicom').mkdir()
    (here / 'dicom/1.dcm').write_text('d')
    with pytest.raises(ValueError, match='dicom'):
        upload_study('Study', here, 'P43', institute, studies)
    assert names_in(institute, entities) == []
    (here / 'files').mkdir()
    (here / 'files/f.txt').write_text('f')
    _, uploaded, _ = upload_study('Study', here, 'P43', institute, studies)
    assert uploaded == ['f.txt'] and f"{here / 'dicom'}: left out" in caplog.text


def test_a_folder_without_files_creates_nothing(entities, new_studies, here):
    institute, studies = new_studies
    (here / 'sub').mkdir()
    with pytest.raises(ValueError, match='no files'):
        upload_study('Study', here, 'P44', institute, studies)
    assert names_in(institute, entities) == []
    upload_study('Study', described(here, patient={'patientId': 'P44', 'patientName': 'P44'}), 'P44', institute, studies)
    assert len(names_in(institute, entities)) == 1


def test_annotations_of_a_folder_that_is_no_study(entities, here, caplog):
    for name in ('P1---oen', 'P1---one'):
        (here / 'north' / name).mkdir(parents=True)
        (here / 'north' / name / f'{name}.json').write_text('{}')
    with pytest.raises(LookupError, match='P1---oen'):
        upload_annotation_files([entities.get_institute('n')], here)
    assert 'P1---one.json' in [f.file_name for f in entities.get_study('n', 's1').annotations]


@pytest.mark.parametrize('name', ['..', '/etc', '../outside', ''])
def test_annotations_of_names_that_lead_elsewhere(entities, here, tmp_path, name):
    """Of a study, and of an institute: they are the cloud's."""
    (tmp_path / 'outside/P1---one').mkdir(parents=True)
    (tmp_path / 'outside/P1---one/secret.json').write_text('{}')
    (here / 'north/P9---other').mkdir(parents=True)
    (here / 'north/P9---other/secret.json').write_text('{}')
    institute = entities.get_institute('n')
    institute.name = name
    with pytest.raises(ValueError, match='name of a folder'):
        upload_annotation_files([institute], here)
    institute.name = 'north'
    institute.studies[0].study_id_human_readable = name
    with pytest.raises(LookupError, match='P9---other'):
        upload_annotation_files([institute], here)
    assert 'secret.json' not in str([f.key for study in ('s1', 's2') for f in entities.get_study('n', study).annotations])


def test_annotations_of_two_studies_of_one_name(entities, here):
    institute = entities.get_institute('n')
    for study in institute.studies:
        study.study_id_human_readable = 'P1/one'
    (here / 'north/P1---one').mkdir(parents=True)
    (here / 'north/P1---one/twin.json').write_text('{}')
    with pytest.raises(LookupError, match='2 studies'):
        upload_annotation_files([institute], here)
    assert 'twin.json' not in str([f.key for study in ('s1', 's2') for f in entities.get_study('n', study).annotations])


@pytest.mark.parametrize('write', [lambda root: write_file(root, 'a/b/f.txt', io.BytesIO(b'ours')),
                                   lambda root: make_folders(root, 'a/b')])
@pytest.mark.parametrize('link', ['a', 'a/b'])
def test_writing_below_a_folder_follows_no_link(tmp_path, write, link):
    (tmp_path / 'outside/b').mkdir(parents=True)
    (tmp_path / 'root' / link).parent.mkdir(parents=True)
    (tmp_path / 'root' / link).symlink_to(tmp_path / 'outside')
    with pytest.raises(OSError):
        write(tmp_path / 'root')
    assert [path.name for path in (tmp_path / 'outside').rglob('*')] == ['b']


def test_a_file_that_became_a_link_is_not_sent(entities, new_studies, here, tmp_path, monkeypatch):
    """After the folder was read."""
    institute, studies = new_studies
    (tmp_path / 'key.pem').write_text('secret')
    (here / 'f.txt').symlink_to(tmp_path / 'key.pem')
    module = sys.modules['igtcloud.client.tools.upload_project']
    monkeypatch.setattr(module, 'files_below', lambda folder: [(str(here / 'f.txt'), 'f.txt')])
    with pytest.raises(ValueError, match='f.txt'):
        upload_study('Study', here, 'P45', institute, studies)
    assert not any(file.is_completed for study in entities.get_studies(institute) for file in study.files)


# ---- commands ----

COMMAND = '''
import getpass, sys
getpass.getpass = lambda prompt: "demo"
from igtcloud.client.tools.cli import cli
cli()
'''


@pytest.fixture
def command(cloud, run_python):
    def run(*arguments, status=0):
        done = run_python('import sys; sys.argv[0] = "igtcloud"' + COMMAND, *arguments, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout
    return run


def test_commands(cloud, command, here):
    where = '--domain', cloud.url, '--user', USER
    said = command('download', here / 'd', 'demo', 'north', *where, '--ext', '.txt')
    assert f'Using url: {cloud.url}' in said and 'north/P1---one/a/one.txt' in tree(here / 'd')
    command('download', here / 'd', 'demo', '--project-files', *where)
    assert 'files/protocol.txt' in tree(here / 'd')
    (here / 'c').mkdir()
    command('csv', here / 'c', 'demo', '*', 'test', *where, '--files')
    assert len(rows_of(here / 'c/cloud_demo.csv')) == 4
    (here / 'in/P30---X').mkdir(parents=True)
    (here / 'in/P30---X/f').write_text('f')
    command('upload', here, 'up', 'in', *where)
    rest = RestClient(cloud.url).login()
    assert [s for s in rest.ok('GET', '/api/data/hospitals/i/studies') if s['studyIdHumanReadable'] == 'P30/X']


def test_commands_that_fail(cloud, command, here):
    where = '--domain', cloud.url, '--user', USER
    assert "'none'" in command('download', here, 'none', *where, status=5)
    command('download', here, status=2)
    command('download', here, 'demo', '--start', 'yesterday', *where, status=2)
    command('download', here, 'demo', '--category', 'x', status=2)
    assert 'Please login' in command('get-token', status=4)
    command('upgrade', status=1)


def test_version_and_help(command):
    from igtcloud.client import __version__
    assert command('version').strip() == __version__
    said = command('--help')
    assert [name for name in ('csv', 'download', 'get-token', 'login', 'upgrade', 'upload', 'version')
            if f'\n  {name} ' not in said] == []




def test_messages_name_arguments_and_no_options(cloud, entities, here, caplog):
    """Those of every source file of the library have a name in Python."""
    from igtcloud.client._hints import ARGUMENTS, in_python
    words = [word for path in (ROOT / 'lib').rglob('*.c') for text in re.findall(r'"(?:[^"\\\n]|\\.)*"', path.read_text())
             for word in re.findall(r'--([a-z][a-z-]+)', text)]
    assert set(words) - {'password-stdin'} - set(ARGUMENTS) == set()
    assert in_python('use --folder-structure flat, or --flat-names whole') == 'use structure="flat", or whole_flat_names=True'
    (here / 'in/P50---X').mkdir(parents=True)
    (here / 'in/P50---X/f').write_text('f')
    (here / 'in/P50---X/link').symlink_to(here / 'in/P50---X/f')
    items, said = [], []
    with caplog.at_level(logging.INFO):
        native.upload(here, 'up', 'in', on_item=items.append, on_message=said.append)
    texts = [item.reason for item in items] + said + [caplog.text]
    assert 'follow_links=True' in str(texts) and '--' not in str(texts).replace('---', ''), texts
