# SPDX-License-Identifier: MIT
"""Operations: their arguments, what is refused before sending, and the request that results."""

import copy
import datetime as dt
import gc
import importlib
import inspect
import json
import pickle

import pytest
from igtcloud.client.services import _endpoint, _models, _tables
from igtcloud.client.services.auth.apis import AuthApi
from igtcloud.client.services.entities.apis import (ApplicationsApi, EpdSitesApi, InstitutesApi,
                                                    OrganizationsApi, ProjectsApi, TasksApi)
from igtcloud.client.services.entities.exceptions import (ApiException, ApiTypeError, ApiValueError,
                                                          ForbiddenException, NotFoundException,
                                                          OpenApiException, ServiceException,
                                                          UnauthorizedException)
from igtcloud.client.services.entities.models import (CaseLabel, CoreLabsStudy, EpdSite, File, Project,
                                                      RootStudy, Service, Study)


class Call:
    """What an operation handed to the ApiClient."""

    def __init__(self, operation, path, query, headers, body, **more):
        self.operation, self.path, self.query = operation, path, query
        self.headers, self.body, self.more = headers, body, more


class Client:
    """An ApiClient that returns what it was called with."""

    call = Call


def api(cls):
    return cls(Client())


def operations():
    return [(service, group, name) for service, groups in _tables.OPERATIONS.items()
            for group, rows in groups.items() for name in rows]


def endpoint(service, group, name):
    module = importlib.import_module(f'igtcloud.client.services.{service}.apis')
    return getattr(getattr(module, group)(Client()), name)


# A value of each type that an argument has.
VALUES = {'str': 'x', 'int': 3, 'bool': True, 'str|bool': True, '[str]': ['a', 'b']}


def values_of(operation):
    found = {}
    for name, type_ in operation.types.items():
        if name != 'payload':
            found[name] = VALUES[type_]
        else:
            made = operation.class_of(type_.strip('[]'))
            required = ['x' if made._fields[one].type == 'str' else 3 for one in made._required]
            if made._tag:
                required = [made._derived[0]]
            found[name] = [made(*required)] if type_.startswith('[') else made(*required)
    return found


def test_there_are_103_operations_in_12_classes():
    assert len(operations()) == 103
    counts = {group: len(rows) for groups in _tables.OPERATIONS.values()
              for group, rows in groups.items()}
    assert counts == {'AuthApi': 8, 'ActionApi': 2, 'ProjectsApi': 18, 'InstitutesApi': 27,
                      'IntegrationsApi': 10, 'UsersApi': 14, 'OrganizationsApi': 6, 'ReportsApi': 1,
                      'ApplicationsApi': 9, 'CaseLabelsApi': 1, 'EpdSitesApi': 5, 'TasksApi': 2}


@pytest.mark.parametrize('service, group, name', operations())
def test_every_operation_takes_its_arguments_by_position_and_by_name(service, group, name):
    called = endpoint(service, group, name)
    operation = called.operation
    values = values_of(operation)
    positional = [values[one] for one in operation.positional]
    rest = {one: value for one, value in values.items() if one not in operation.positional}
    first, second = called(*positional, **rest), called(**values)
    assert (first.path, first.query, first.headers, first.body) == (
        second.path, second.query, second.headers, second.body)
    assert '{' not in first.path and first.path.startswith(f'/api/{first.operation.service}/')
    assert {key for key, _ in first.query} == {
        param.api_name for param in operation.params if param.place == 'query'}
    assert [param.api_name for param in operation.params if param.place == 'header'] == [
        key for key in first.headers if key not in ('Accept', 'Content-Type')]
    assert first.headers['Content-Type'] == 'application/json' and first.headers['Accept']
    if 'payload' in values:
        json.loads(first.body)
    elif service == 'entities' and operation.method != 'GET':
        assert first.body == b'{}'
    else:
        assert first.body is None
    assert first.more == {'async_req': False, 'preload': True, 'data_only': True, 'timeout': None}


@pytest.mark.parametrize('service, group, name', operations())
def test_every_operation_refuses_what_does_not_fit(service, group, name):
    called = endpoint(service, group, name)
    operation = called.operation
    values = values_of(operation)
    for one in values:
        with pytest.raises(ApiTypeError) as caught:
            called(**{**values, one: object()})
        assert f"variable '{one}'" in str(caught.value) and caught.value.path_to_item == [one]
    for one in operation.positional:
        with pytest.raises(ApiTypeError):
            called(**{**values, one: None})
        with pytest.raises(TypeError, match='missing 1 required positional argument') as caught:
            called(**{key: value for key, value in values.items() if key != one})
        assert not isinstance(caught.value, ApiTypeError)
    with pytest.raises(TypeError, match='positional argument') as caught:
        called(*[values[one] for one in operation.positional], 'surplus')
    assert not isinstance(caught.value, ApiTypeError)
    with pytest.raises(ApiTypeError, match="unexpected parameter 'nonsense' to method"):
        called(**values, nonsense=1)
    if operation.positional:
        one = operation.positional[0]
        with pytest.raises(TypeError, match='multiple values for argument'):
            called(values[one], **{one: values[one]})


@pytest.mark.parametrize('service, group, name', operations())
def test_every_operation_describes_itself(service, group, name):
    called = endpoint(service, group, name)
    assert called.settings['operation_id'] == called.__name__ == name
    assert called.settings['http_method'] in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')
    assert called.settings['endpoint_path'].startswith('/')
    own = set(called.location_map)
    assert own == set(called.operation.types) and set(called.attribute_map) == own - {'payload'}
    assert set(called.params_map['all']) == set(called.openapi_types) >= own
    assert called.params_map['required'] == called.operation.positional
    assert set(inspect.signature(called).parameters) == set(called.params_map['all'])
    doc = inspect.getdoc(called)
    assert called.operation.path in doc and all(f'{one}:' in doc for one in own)
    assert repr(called) == f'<operation {name}: {called.operation.method} {called.operation.path}>'


def test_the_services_have_all_operations():
    from igtcloud.client.services import action_service, auth_service, entities_service
    for service, owner in (('entities', entities_service), ('auth', auth_service),
                           ('action', action_service)):
        names = {name for rows in _tables.OPERATIONS[service].values() for name in rows}
        found = {name for name in dir(owner) if isinstance(getattr(owner, name), _endpoint.Endpoint)}
        assert found == names
    assert len(_tables.OPERATIONS['entities']) == 10
    assert entities_service.get_task is entities_service.get_task  # of TasksApi (P4)
    assert TasksApi(entities_service.api_client).get_task.api_client is entities_service.api_client


def test_an_endpoint_is_made_once_and_the_class_has_the_operation():
    projects = api(ProjectsApi)
    assert projects.get_projects is projects.get_projects
    assert isinstance(ProjectsApi.get_projects, _endpoint.Operation)
    assert 'get_projects' in dir(projects) and api(ProjectsApi).get_projects is not projects.get_projects
    assert ProjectsApi.__module__ == 'igtcloud.client.services.entities.api.projects_api'
    assert 'get_projects' in ProjectsApi.__doc__


def test_the_login_has_a_name_that_python_takes():
    from igtcloud.client.services.auth.models import LoginModel
    call = api(AuthApi).post_login_resource_login(LoginModel(username='u'), includes3creds=True)
    assert call.path == '/api/auth/login' and call.query == [('$includes3creds', 'True')]
    assert json.loads(call.body) == {'username': 'u'} and call.operation.open


def test_paths_are_encoded_in_full():
    call = api(ProjectsApi).get_project_file_content('a/b?c d', 'ä&#%')
    assert call.path == '/api/data/projects/a%2Fb%3Fc%20d/files/%C3%A4%26%23%25/content'


@pytest.mark.parametrize('name', ['', '.', '..', '\ud800'])
def test_a_path_is_never_left(name):
    with pytest.raises(ApiValueError):
        api(ProjectsApi).get_project(name)


def test_queries_and_headers():
    institutes = api(InstitutesApi)
    assert institutes.delete_study_files('h', 's', keys=['a&', 'b']).query == [('keys', 'a&'),
                                                                             ('keys', 'b')]
    assert institutes.delete_study_files('h', 's').query == []
    call = institutes.get_study_files('h', 's', auxiliary=True, completed=False, x_fields='{id}')
    assert call.query == [('auxiliary', 'True'), ('completed', 'False')]
    assert call.headers['X-Fields'] == '{id}'
    assert institutes.get_studies('h', filter='x').query == [('$filter', 'x')]
    assert institutes.get_studies('h', filter=None).query == []
    with pytest.raises(ApiValueError):
        institutes.get_study_files('h', 's', x_fields='a\r\nX-Evil: 1')


def test_bodies():
    institutes = api(InstitutesApi)
    sent = json.loads(institutes.post_studies('h', Study(
        'Study', study_date=dt.datetime(2020, 1, 2, tzinfo=dt.timezone.utc), other=1)).body)
    assert sent == {'studyType': 'Study', 'studyDate': '2020-01-02T00:00:00+00:00', 'other': 1}
    assert json.loads(institutes.post_study_files('h', 's', [File('k', 1)]).body) == [
        {'key': 'k', 'fileSize': 1}]
    assert json.loads(institutes.post_study_case_labels('h', 's', CaseLabel(case_labels=['ä'])).body) \
        == {'caseLabels': ['ä']}
    institutes.put_study('h', 's', CoreLabsStudy('CoreLabsStudy'))
    for payload in ({'studyType': 'Study'}, File('k', 1), [Study('Study')], 'x'):
        with pytest.raises(ApiTypeError):
            institutes.post_studies('h', payload)
    with pytest.raises(ApiValueError, match='no form in JSON'):
        institutes.post_studies('h', Study('Study', other=float('nan')))


def test_without_checks_anything_but_none_is_sent():
    institutes = api(InstitutesApi)
    call = institutes.post_studies(7, {'studyType': 'New'}, _check_input_type=False)
    assert call.path == '/api/data/hospitals/7/studies' and json.loads(call.body) == {'studyType': 'New'}
    with pytest.raises(ApiValueError, match='Value may not be None for non-nullable parameter'):
        institutes.get_studies(None, _check_input_type=False)


def test_integers_in_paths():
    assert api(ApplicationsApi).get_application_specific(5).path == '/api/data/applications/5'
    assert api(EpdSitesApi).put_epd_site_specific(5, EpdSite(id=5)).path == '/api/data/epd-sites/5'
    for wrong in ('5', True, 5.0):
        with pytest.raises(ApiTypeError):
            api(ApplicationsApi).get_application_specific(wrong)


@pytest.mark.parametrize('given, sent', [
    (None, None), (5, 5), (0.5, 0.5), ((1, 2), (1, 2)), ([0.5, 2], (0.5, 2)), ((None, 3), (None, 3)),
    ((None, None), None), (0, None)])
def test_time_limits(given, sent):
    assert api(TasksApi).get_task('t', _request_timeout=given).more['timeout'] == sent


@pytest.mark.parametrize('given, error', [
    ('5', ApiTypeError), (True, ApiTypeError), ((1, 2, 3), ApiTypeError), ((1, 'x'), ApiTypeError),
    (-1, ApiValueError), (float('inf'), ApiValueError), (float('nan'), ApiValueError)])
def test_what_is_no_time_limit(given, error):
    with pytest.raises(error):
        api(TasksApi).get_task('t', _request_timeout=given)


def test_the_other_arguments_of_every_operation():
    get = api(TasksApi).get_task
    call = get('t', async_req=True, _preload_content=False, _return_http_data_only=False,
               _check_return_type=False, _host_index=0)
    assert call.more == {'async_req': True, 'preload': False, 'data_only': False, 'timeout': None}
    for name in ('async_req', '_preload_content', '_return_http_data_only', '_check_input_type',
                 '_check_return_type', '_host_index'):
        with pytest.raises(ApiTypeError):
            get('t', **{name: 'x'})


def test_responses_have_types():
    def response(cls, name):
        return getattr(api(cls), name).settings['response_type']
    assert response(InstitutesApi, 'get_studies') == ([RootStudy],)
    assert response(ProjectsApi, 'post_projects') == ([Project],)
    assert response(OrganizationsApi, 'post_services') == (Service,)
    assert response(ProjectsApi, 'get_project_types') == ([str],)
    assert response(AuthApi, 'get_login_aud_resource') == (str,)
    assert response(ProjectsApi, 'delete_project') is None
    assert response(InstitutesApi, 'get_study_download_file')[0].__name__ == 'IOBase'


def test_ten_thousand_calls_keep_nothing():
    institutes = api(InstitutesApi)
    payload = Study('Study', other={'a': [1]})

    def work():
        institutes.post_studies('h', payload, _request_timeout=(1, 2))
        made = _models.deserialize({'studyType': 'Study', 'patient': {'givenName': 'x'},
                                    'createdOn': '2020-01-02T00:00:00Z'}, 'RootStudy')
        made.patient, made.created_on, made.to_dict(), copy.deepcopy(made), repr(made)
        with pytest.raises(ApiTypeError):
            institutes.get_studies(5)
    for _ in range(200):
        work()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(10_000):
        work()
    gc.collect()
    assert len(gc.get_objects()) - before < 200


# ---- exceptions ----


@pytest.mark.parametrize('status, kind', [
    (401, UnauthorizedException), (403, ForbiddenException), (404, NotFoundException),
    (500, ServiceException), (503, ServiceException), (400, ApiException), (409, ApiException)])
def test_a_refusal_is_the_exception_of_its_status(status, kind):
    from igtcloud.client.services._exceptions import from_response
    error = from_response(status, 'Reason', '{"message": "no"}', {'X-Id': '1'})
    assert type(error) is kind and isinstance(error, OpenApiException)
    assert (error.status, error.reason, error.body, error.headers) == (
        status, 'Reason', '{"message": "no"}', {'X-Id': '1'})
    assert str(error) == (f"({status})\nReason: Reason\nHTTP response headers: {{'X-Id': '1'}}\n"
                          'HTTP response body: {"message": "no"}\n')
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


def test_the_services_share_their_exceptions():
    for name in ('ApiException', 'ForbiddenException', 'ApiTypeError', 'ApiKeyError'):
        found = {getattr(importlib.import_module(f'igtcloud.client.services.{service}.exceptions'), name)
                 for service in ('auth', 'entities', 'action')}
        assert len(found) == 1
    from igtcloud.client.services.action import ApiAttributeError, ApiKeyError
    assert issubclass(ApiAttributeError, AttributeError) and issubclass(ApiKeyError, KeyError)
    assert issubclass(ApiTypeError, TypeError) and issubclass(ApiValueError, ValueError)
    assert str(ApiKeyError('no', ['a', 0])) == "no at ['a'][0]"
