# SPDX-License-Identifier: MIT
"""What scripts do with models and operations, one row each, for any client with this interface.

    rows.py PACKAGE_FOLDER OUTPUT.json [URL]

Evaluates the rows with the client in PACKAGE_FOLDER and writes what each gave, in a form that does not
depend on the client. With URL, also calls every operation, with the server there and the tokens of
CLOUD_JWT_TOKEN and CLOUD_CSRF_TOKEN. test_reference.py compares two clients by this."""

import copy
import datetime
import importlib
import json
import pickle
import sys

# (row, defect of the existing client or None). Equal in both clients unless it names a defect.
ROWS = [(text, None) for text in '''
File()
File('k')
File('k', 1)
File('k', 1).to_dict()
list(File(file_name='n', file_size=1, key='k', type='t').to_dict())
File('k', '1')
File('k', None)
File('k', True)
File('k', 1.0)
File('k', 1, 2)
File('k', 1, nonsense=2)
File('k', 1, key='k')
File(fileSize=1, key='k')
File(fileSize=1, key='k', _spec_property_naming=True)
str(File('k', 1)), repr(File('k', 1)), File('k', 1).to_str()
File('k', 1) == File('k', 1), File('k', 1) != File('k', 1), File('k', 1) == File('k', 2), File('k', 1) == 5
'key' in File('k', 1), 'type' in File('k', 1), 5 in File('k', 1), File('k', 1)['key']
File('k', 1).get('type'), File('k', 1).get('type', 3), File('k', 1).get('key', 3)
File('k', 1).type
File('k', 1)['type']
File('k', 1)[0]
hasattr(File('k', 1), 'type'), getattr(File('k', 1), 'type', 4)
list(File('k', 1))
len(File('k', 1))
hash(File('k', 1))
bool(File('k', 1))
delete_field(File('k', 1), 'key')
delete_item(File('k', 1), 'key')
assign(File('k', 1), 'file_size', 'x')
assign(File('k', 1), 'file_size', 5)
assign(File('k', 1), 'nonsense', 5)
assign_item(File('k', 1), 'file_name', 'n')
assign_item(File('k', 1), 'nonsense', 'n')
FileUploadCompleted('p')
FileUploadCompleted()
UserRequest()
UserRequest('g', 'f', 'e', 'l')
Project('x')
Project(name=5)
Project(name=None)
Project(name=5, _check_type=False)
Project(nonsense=1, _check_type=False)
Project(name=5, nonsense=1, _configuration=configuration)
Project(continents=['a'])
Project(continents='a')
Project(continents=['a', 1])
Project(continents=('a',))
Project().name
Institute(has_series=1)
Institute(has_series=True)
UserSettings(training_start_date=datetime.date(2020, 1, 1))
UserSettings(training_start_date=datetime.datetime(2020, 1, 1))
Patient(date_of_birth=datetime.date(2020, 1, 1))
Patient(date_of_birth=datetime.datetime(2020, 1, 1))
Patient(date_of_birth='2020-01-01T00:00:00Z')
HsdpDetails(coding=5)
HsdpDetails(coding={'a': 1})
ProjectReportData(study_date={'a': object()})
ProjectReportData(study_date={'a': [1, 'x', None, {}]})
ProjectReportData(study_date='x')
User(profile={'a': 1})
User(profile=Profile(given_name='x'))
Files(files=[File('k', 1)])
Files(files=[{}])
Study()
Study('Study')
Study(5)
Study('Nonsense')
Study('Study', 6)
Study('Study', study_id=5)
Study('Study', study_id=None)
Study('Study', patient={'id': '1'})
Study('Study', patient=5)
Study('Study', patient=Patient(given_name='x'))
Study('Study', study_date='2020-01-01T00:00:00Z')
Study('Study', study_date=datetime.datetime(2020, 1, 1))
Study('Study', other=1)
Study('Study', other=object())
Study('Study', other={'a': [1]})
list(Study(study_id='a', study_type='Study').to_dict())
Study('Study').patient
assign(Study('Study'), 'study_id', 5)
assign(Study('Study'), 'study_id', None)
assign(Study('Study'), 'patient', {'a': 1})
assign(Study('Study'), 'other', object())
RootStudy()
RootStudy(study_type='Nonsense')
RootStudy(study_type='EpdStudy', duration=5)
type(RootStudy(study_type='EpdStudy')).__name__
type(RootStudy(study_type='CoreLabsStudy', study_name='n')).__name__
RootStudy(studyType='EpdStudy', _spec_property_naming=True)
Study(studyType='Study', studyDate='2020-01-01T00:00:00Z', _spec_property_naming=True)
Study(studyType='Study', patient={'givenName': 'x'}, _spec_property_naming=True)
Study(studyType='Study', patient={'givenName': 'x'}, _spec_property_naming=True, _configuration=configuration)
Series(series_type='EchoNavSeries')
Series(series_type='Nonsense')
Series()
AISuiteProject(nonsense=1)
AISuiteResource(nonsense=1)
convert(STUDY)
convert(STUDY).created_on
convert(STUDY).patient.given_name
convert({**STUDY, 'createdOn': None, 'patient': None})
convert({**STUDY, 'createdOn': None}).created_on, 'created_on' in convert({**STUDY, 'createdOn': None})
list(convert({'createdOn': None, 'zzz': 'a', 'studyType': 'Study', 'state': 's'}).to_dict())
convert({**STUDY, 'other': {'a': 'b'}}).to_dict()
sanitize(convert({**STUDY, 'other': {'a': 'b'}}))
model_to_dict(convert(STUDY), serialize=True)
convert({**STUDY, 'createdOn': '2020-01-02T03:04:05.123+02:00'}).created_on
convert({**STUDY, 'createdOn': '2020-01-02T03:04:05.123456789Z'}).created_on
convert({**STUDY, 'createdOn': '2020-01-02 03:04:05'}).created_on
convert({**STUDY, 'createdOn': '20200102T030405'}).created_on
convert({**STUDY, 'createdOn': 'Thu, 02 Jan 2020 03:04:05 GMT'}).created_on
convert({'id': 'a', 'name': 'n', 'nonsense': 1}, Project)
sanitize(convert({'id': 'a', 'name': 'n', 'nonsense': 1}, Project))
convert({'fileSize': 1, 'key': 'k', 'type': None}, File)
convert({'fileSize': '1', 'key': 'k'}, File)
convert({'files': [{'key': 'k', 'fileSize': 1}], 'dicom': []}, Files)
convert([{'key': 'k', 'fileSize': 1}], [File])
convert({'trainingStartDate': '2020-01-02'}, UserSettings).training_start_date
assign(convert(STUDY), 'study_id', 5)
assign(convert({'id': 'a'}, Project), 'name', 5)
assign(convert({'id': 'a'}, Project), 'nonsense', 5)
assign(convert(STUDY), 'study_date', '2020-01-01T00:00:00Z')
assign(convert(STUDY), 'patient', {'givenName': 'Eve'})
assign(convert(STUDY), 'study_date', None)
sanitize(assign(convert(STUDY), 'study_date', '2020-01-01T00:00:00Z')[1])
sanitize(object())
sanitize(None), sanitize(5), sanitize('x'), sanitize(True)
sanitize({'a': datetime.datetime(2020, 1, 1), 'b': (1, 2), 'c': datetime.date(2020, 1, 1)})
sanitize([File('k', 1), Study('Study', patient=Patient(given_name='x'))])
File.attribute_map, list(File.attribute_map)
sorted(RootStudy.discriminator['study_type']), sorted(Series.discriminator['series_type'])
Study.discriminator, File.discriminator, File.allowed_values, Study.validations
type(convert(STUDY)).__name__, type(convert(STUDY)).__module__
isinstance(convert(STUDY), Study), isinstance(convert(STUDY), CoreLabsStudy)
convert(STUDY).get('_data_store').keys() == convert(STUDY).to_dict().keys()
ApiException(404, 'Not Found'), ApiException(404, 'Not Found').status, str(ApiException(404, 'Not Found'))
str(ApiTypeError('m', ['a', 0])), str(ApiValueError('m', ['a'])), str(ApiAttributeError('m'))
issubclass(ApiTypeError, TypeError), issubclass(ApiValueError, ValueError), issubclass(ApiAttributeError, AttributeError)
service.get_project()
service.get_project('a', 'b')
service.get_project('a', nonsense=1)
service.get_project('a', project_id='b')
service.get_project.attribute_map
service.get_institute.params_map
service.get_institute.location_map
service.get_project.settings['endpoint_path'], service.get_project.settings['http_method']
'''.strip().splitlines()] + [
    ("copy.copy(File('k', 1))", 'P19'), ("copy.deepcopy(File('k', 1))", 'P19'),
    ("pickle.loads(pickle.dumps(File('k', 1)))", 'P19'),
    ("convert({**STUDY, 'createdOn': '2020-01-02'}).created_on", 'P11'),
    ("convert({**STUDY, 'other': 1}).other", 'P12'),
    ("convert({**STUDY, 'other': [{'a': 1}]}).to_dict()", 'P12'),
    ("convert({**STUDY, 'studyType': 'Hologram'})", 'P13'),
    ("assign(convert(STUDY), 'study_date', '2020-01-01')", 'P11'),
    ("change_patient(convert(STUDY))", 'P17'), ("assign(convert(STUDY), 'new', 1)", 'P18'),
    ("assign(Study('Study'), 'new', 1)", 'P18'),
    ("service.get_studies(None, _request_timeout=1)", 'P7'),
]

STUDY = {'studyType': 'Study', 'studyDatabaseId': 'd', 'createdOn': '2020-01-02T03:04:05Z',
         'studyDate': '2020-01-02T03:04:05', 'purpose': ['a', 'b'], 's3Prefix': 'a/b/',
         'patient': {'givenName': 'Ada', 'dateOfBirth': '1990-01-02T00:00:00+01:00'}}


def normal(value):
    """What a row gave, the same for equal values of any client."""
    if hasattr(value, 'to_dict') and hasattr(value, 'attribute_map'):
        return [type(value).__name__, normal(value.to_dict())]
    if isinstance(value, dict):
        return {str(key): normal(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [normal(one) for one in value]
    if isinstance(value, datetime.datetime):
        zone = value.utcoffset()
        return ['datetime', value.replace(tzinfo=None).isoformat(), None if zone is None else str(zone)]
    if isinstance(value, Exception):
        return failure(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def failure(error):
    """An exception: the names of its classes, and its message where no defect is in it."""
    names = [cls.__name__ for cls in type(error).__mro__]
    return ['raises', names[:names.index('object')]]


def assign(model, name, value):
    setattr(model, name, value)
    return getattr(model, name), model


def assign_item(model, name, value):
    model[name] = value
    return model[name], model


def delete_field(model, name):
    delattr(model, name)


def delete_item(model, name):
    del model[name]


def change_patient(study):
    study.patient.given_name = 'Eve'
    return study.patient.given_name, study.to_dict()['patient']


def namespace():
    """The names that the rows use."""
    base = 'igtcloud.client.services.entities.'
    names = {}
    exec(f'from {base}models import *', names)
    exec(f'from {base}exceptions import *', names)
    utils = importlib.import_module(base + 'model_utils')
    services = importlib.import_module('igtcloud.client.services')
    service = services.entities_service
    settings = service.api_client.configuration

    def convert(value, kind=names['RootStudy']):
        return utils.validate_and_convert_types(copy.deepcopy(value), (kind,), ['received_data'], True,
                                                True, configuration=settings)
    names.update(globals(), convert=convert, service=service, configuration=settings,
                 model_to_dict=utils.model_to_dict,
                 sanitize=service.api_client.sanitize_for_serialization)
    return names


def evaluate(text, names):
    try:
        return normal(eval(text, names))
    except Exception as error:  # any: what it is, is the result
        return failure(error)


# ---- operations ----


def argument(name, types, names):
    kind = types[0]
    if isinstance(kind, list):
        return [argument(name, (kind[0],), names)]
    if kind in (str, bool, int, datetime.datetime):
        text = f'{name} /?&=%' + 'ä' * (not name.startswith('x_'))  # headers: ASCII
        return {str: text, bool: True, int: 7}[kind]
    made = {'File': ('k', 1), 'FileUploadCompleted': ('p',), 'UserRequest': ('g', 'f', 'e', 'l')}
    if kind.__name__ in ('RootStudy', 'Series'):
        word = {'RootStudy': 'study_type', 'Series': 'series_type'}[kind.__name__]
        return kind(**{word: kind.__name__.replace('Root', '').replace('Series', 'EchoNavSeries')})
    return kind(*made.get(kind.__name__, ()))


def call_all(url, names):
    """Every operation at the server: what it returned, or raised."""
    from igtcloud.client.core.auth import smart_auth
    from igtcloud.client.services import (action_service, auth_service, entities_service, set_auth)
    apis = importlib.import_module('igtcloud.client.services.entities.apis')
    groups = [auth_service, action_service, entities_service]
    groups += [getattr(apis, one)(entities_service.api_client)
               for one in ('ApplicationsApi', 'CaseLabelsApi', 'EpdSitesApi', 'TasksApi')]
    results = {}
    with smart_auth(url) as auth:
        set_auth(auth)
        for group in groups:
            for name in sorted(dir(group)):
                endpoint = getattr(group, name)
                if type(endpoint).__name__ == 'Endpoint' and name not in results:
                    results[name] = call(endpoint, names)
    return results


def call(endpoint, names):
    types = endpoint.openapi_types
    wanted = [one for one in endpoint.params_map['all'] if one in endpoint.location_map]
    values = {one: argument(one, types[one], names) for one in wanted}
    try:
        found = endpoint(**values, _return_http_data_only=False)
        data, status, _ = found
        return ['returned', data.read().decode() if hasattr(data, 'read') else normal(data), status]
    except Exception as error:
        return [failure(error), getattr(error, 'status', None), str(getattr(error, 'body', None))]


def main(package, output, url=None):
    sys.path.insert(0, package)
    names = namespace()
    found = {'rows': {text: evaluate(text, names) for text, _ in ROWS}}
    if url:
        found['operations'] = call_all(url, names)
    with open(output, 'w', encoding='utf-8') as file:
        json.dump(found, file)


if __name__ == '__main__':
    main(*sys.argv[1:])
