# SPDX-License-Identifier: MIT
"""What scripts do with a cloud, one row each, for any client with this interface.

    scripts.py PACKAGE_FOLDER OUTPUT.json URL USER PASSWORD FOLDER

Runs the rows in order against the sandbox at URL, whose demo they change, and writes what each gave.
test_reference.py compares two clients by this, each with a sandbox of its own."""

import getpass
import io
import json
import os
import pathlib
import re
import sys

from rows import failure, normal

# (row, defect of the existing client or None). Later rows build on earlier ones.
ROWS = [(text, None) for text in '''
sorted(one.name for one in service.get_projects())
service.get_project(project.id).to_dict(), project.name, project.id
type(project.institutes).__name__, type(service.get_projects()) is list
[one.name for one in project.institutes]
project.institutes is project.institutes
service.get_institute(north.id).to_dict()
len(north.studies), bool(north.studies), [one.study_id_human_readable for one in north.studies[:2]], type(north.studies[:2]) is list
[type(one).__name__ for one in north.studies], study.patient.to_dict()
{key: value for key, value in study.to_dict().items() if key not in ('files', 'series')}
sorted(north.studies.to_dict(lambda one: one.study_id_human_readable))
[one.to_dict() for one in study.files]
study.files is study.files, study.files.s3_prefix, study.files.category
[(one.key, one.file_size, one.category) for one in study.dicom], study.dicom.category, study.dicom.s3_prefix
[(one.key, one.file_size, one.category) for one in study.annotations], study.annotations.category
[(one.file_name, one.category) for one in project.files], project.files.s3_prefix
north.dicom, len(north.dicom), north.dicom.category, north.dicom.s3_prefix
list(study.series), type(study.series).__name__
ecg in study.files, study.files.index(ecg), File(ecg.key, 1) in study.files, ecg.key in study.files
study.files.index('text')
study.files.index(File('nonsense', 1))
study.files.append(File(ecg.key, 1))
study.files.clear()
study.files.pop()
study.files.copy() == list(study.files), type(study.files.copy()) is list, type(study.files + []) is list
study.dicom.append(File('x', 1))
study.dicom.remove(study.dicom[0])
project.institutes.remove(north)
north.dicom.remove(File('x', 1))
ecg.credentials('GET').bucket, sorted(ecg.credentials('GET').to_dict())
study.files.get_credentials('PUT') is study.files.get_credentials('PUT')
ecg.download(folder), content('waveforms/ecg.bin')
ecg.download(folder, overwrite=False), ecg.download(folder, overwrite=True)
counted(lambda count: ecg.download(folder, callback=count))
counted(lambda count: ecg.download(folder, overwrite=False, callback=count))
ecg.download(folder / 'a' / 'b', include_modified_date=True), content('a/b/waveforms/ecg.bin')
renamed(ecg, 'other.bin').download(folder), content('other.bin')
File(ecg.key, ecg.file_size, file_name='hand.bin', is_completed=True).download(folder), content('hand.bin')
File(ecg.key, ecg.file_size, file_name='hand.bin', is_completed=False).download(folder)
written(ecg.download_fileobj)
named(study.files, 'report.txt').download(folder / 'other.bin')
study.files.upload(local('up.txt', b'one')), named(study.files, 'up.txt').to_dict()
study.files.upload(local('up.txt', b'one'))
study.files.upload(local('up.txt', b'two'), overwrite=True), read_back('up.txt')
study.files.upload(local('up.txt', b'one'), 'deep/key.txt'), named(study.files, 'deep/key.txt').to_dict()
counted(lambda count: study.files.upload(local('many.bin', b'x' * 100000), callback=count))
counted(lambda count: study.files.upload(local('many.bin', b'x' * 100000), callback=count))
study.files.upload('/nonexistent/file')
study.files.upload(local('quiet.txt', b'q'), trigger_action=False)
project.files.upload(local('p.txt', b'p')), named(project.files, 'p.txt').to_dict()
study.annotations.upload(local('mark.json', b'{}')), [one.key for one in study.annotations]
study.files.remove(named(study.files, 'up.txt')), [one.file_name for one in study.files]
study.files.reload(), [one.file_name for one in study.files]
made(north.studies.append(Study('Study', study_id='made')))
len(north.studies), north.studies.remove(north.studies[-1]), len(north.studies)
made(south.studies.insert(0, Study('Study', study_id='first')))
south.studies.extend([Study('Study', study_id='x'), Study('Study', study_id='y')]), len(south.studies)
south.studies.clear()
project.institutes.append(Institute(name='new')).name, [one.name for one in project.institutes]
find_project_by_name('demo').name, find_project_by_name('nonsense')
find_institute_by_name('north').name, find_institute_by_name('north', project.id).name, find_institute_by_name('nonsense')
find_project_and_institutes('demo', 'north')[1][0].name, len(find_project_and_institutes('demo')[1])
find_project_and_institutes('nonsense')
filter_by_ext(None), filter_by_ext('.txt')(named(study.files, 'report.txt')), filter_by_ext('.bin')(named(study.files, 'report.txt'))
filter_by_study_date(None, None), filter_by_study_date('2024-01-01', '2024-02-01')(study), filter_by_study_date('2030-01-01', None)(study)
study_key(study), [study_key(one) for one in epd.institutes[0].studies]
flatten_dict({'a': 1, 'b': ['x', 'y'], 'patient': {'patientId': 5, 'givenName': 'z'}})
service.get_project('nonsense')
service.get_study(north.id, 'nonsense')
error_of(lambda: service.get_project('nonsense'))
async_result(service.get_projects)
raw_of(service.get_project)
Project().institutes
Institute().studies
Study('Study').files
sorted(service.study_type_classes), sorted(service.series_type_classes)
auth.domain == url, auth.username, auth.is_valid, bool(auth.jwt_token), bool(auth.csrf_token)
'''.strip().splitlines()] + [
    ("study.files.remove(File(named(study.files, 'quiet.txt').key, 1))", 'P14'),
    ('category_after_reload(study.dicom)', 'P20'),
    ('named(study.files, "deep/key.txt").open().read()', 'D8'),
    ('grown(study.files)', 'P15'),
    ("'institutes' in project.to_dict()", 'P10'), ("study.to_dict().keys() & {'files', 'dicom', 'annotations', 'series'}", 'P10'),
]

UUID = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}')
TIME = re.compile(r'20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?')


def masked(value):
    """Without ids and times of this run."""
    text = UUID.sub('UUID', json.dumps(value))
    return json.loads(TIME.sub(lambda found: found[0][:4] if found[0] < '2026' else 'TIME', text))


class Script:
    """The names that rows use."""

    def __init__(self, url, folder):
        from igtcloud.client.services import entities_service
        from igtcloud.client.services.entities import models
        try:
            from igtcloud.client.tools import common
        except ModuleNotFoundError:
            common = None
        self.folder = folder
        projects = {one.name: one for one in entities_service.get_projects()}
        project = projects['demo']
        places = {one.name: one for one in project.institutes}
        study = next(one for one in places['north'].studies if one.study_id == 'CTA')
        tools = {name: getattr(common, name, None) for name in (
            'find_project_by_name', 'find_institute_by_name', 'find_project_and_institutes', 'filter_by_ext',
            'filter_by_study_date', 'flatten_dict', 'study_key')}
        classes = {name: getattr(models, name) for name in ('File', 'Study', 'Project', 'Institute')}
        own = {name: getattr(self, name) for name in dir(self) if not name.startswith('_')}
        self.names = {**tools, **classes, **own, 'service': entities_service, 'project': project, 'url': url,
                      'epd': projects['demo-epd'], 'north': places['north'], 'south': places['south'],
                      'study': study, 'ecg': self.named(study.files, 'waveforms/ecg.bin'), 'folder': folder,
                      'File': models.File}

    @staticmethod
    def named(files, name):
        return next(one for one in files if one.file_name == name)

    def local(self, name, data):
        path = self.folder / 'local' / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return str(path)

    def content(self, name):
        """Whether it is the object's, which each sandbox fills with bytes of its own."""
        target = io.BytesIO()
        self.names['ecg'].download_fileobj(target)
        data = (self.folder / name).read_bytes()
        return len(data), data == target.getvalue()

    def read_back(self, name):
        study = self.names['study']
        self.named(study.files, name).download(self.folder / 'back')
        return (self.folder / 'back' / name).read_text()

    @staticmethod
    def counted(work):
        numbers = []
        return work(numbers.append), sum(numbers)

    @staticmethod
    def written(work):
        target = io.BytesIO()
        work(target)
        return len(target.getvalue())

    @staticmethod
    def renamed(file, name):
        twin = type(file)(file.key, file.file_size, is_completed=True)
        twin.file_name = name
        return twin

    @staticmethod
    def made(study):
        return None if study is None else (type(study).__name__, study.study_id, bool(study.study_database_id))

    @staticmethod
    def error_of(work):
        try:
            work()
        except Exception as error:
            return (error.status, error.reason, json.loads(error.body), error.headers['content-type'],
                    str(error).splitlines()[:2])

    @staticmethod
    def async_result(endpoint):
        waiting = endpoint(async_req=True)
        return type(waiting).__name__, len(waiting.get(30)), waiting.ready(), waiting.successful()

    def raw_of(self, endpoint):
        raw = endpoint(self.names['project'].id, _preload_content=False)
        return raw.status, json.loads(raw.data), raw.getheader('Content-Type'), 'content-type' in [
            name.lower() for name in raw.getheaders()]

    @staticmethod
    def category_after_reload(files):
        files.reload()
        return files[0].category

    def grown(self, files):
        files.upload(self.local('grown.txt', b'1'))
        files.upload(self.local('grown.txt', b'12345'))
        return self.named(files, 'grown.txt').file_size


def use_endpoint_of_environment():
    """boto3 before 1.28 does not read AWS_ENDPOINT_URL itself. For the existing client."""
    try:
        import boto3
    except ImportError:
        return
    make = boto3.client
    boto3.client = lambda *args, **more: make(*args, endpoint_url=os.environ['AWS_ENDPOINT_URL'], **more)


def main(package, output, url, user, password, folder, existing=None):
    sys.path.insert(0, package)
    if existing:
        use_endpoint_of_environment()
    getpass.getpass = lambda *_, **__: password
    from igtcloud.client.core.auth import smart_auth
    from igtcloud.client.services import set_auth
    results = {}
    with smart_auth(url, user) as auth:
        set_auth(auth)
        names = {**Script(url, pathlib.Path(folder)).names, 'auth': auth}
        for text, _ in ROWS:
            try:
                results[text] = masked(normal(eval(text, names)))
            except Exception as error:  # any: what it is, is the result
                results[text] = failure(error)
    with open(output, 'w', encoding='utf-8') as file:
        json.dump(results, file)


if __name__ == '__main__':
    main(*sys.argv[1:])
