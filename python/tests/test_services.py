# SPDX-License-Identifier: MIT
"""The services against a cloud: how requests are sent, what comes back, what is raised."""

import gc
import json
import os
import pickle
import socket
import threading
import time

import pytest
from conftest import PRELOAD, PASSWORD, USER, RestClient

from igtcloud.client.services import action_service, auth_service, entities_service, set_auth
from igtcloud.client.services.action.exceptions import ApiException as ActionException
from igtcloud.client.services.auth.exceptions import ApiException as AuthException
from igtcloud.client.services.entities.apis import ApplicationsApi
from igtcloud.client.services.entities.exceptions import (ApiException, ForbiddenException, NotFoundException,
                                                          ServiceException, UnauthorizedException)
from igtcloud.client.services.entities.model.project import Project


@pytest.fixture
def canned(cloud):
    """The next responses of the cloud."""
    plain = RestClient(cloud.url)
    yield lambda *responses: plain.ok('POST', '/__canned', list(responses), status=204)
    plain.ok('DELETE', '/__canned', status=204)


PROJECTS = {'method': 'GET', 'path': '/api/data/projects'}


# ---- results ----

def test_the_forms_of_a_result(entities):
    data, status, headers = entities.get_projects(_return_http_data_only=False)
    assert [p.name for p in data] == ['demo', 'demo-epd'] and status == 200
    assert headers['content-type'] == headers['Content-Type'] == 'application/json' and 'CONTENT-TYPE' in headers
    raw = entities.get_projects(_preload_content=False)
    assert raw.status == 200 and json.loads(raw.data)[0]['name'] == 'demo'
    assert raw.getheader('content-TYPE') == 'application/json' and raw.getheader('none', 'x') == 'x'
    assert entities.api_client.last_response.status == 200
    result = entities.get_projects(async_req=True)
    assert len(result.get(30)) == 2 and result.ready() and result.successful()
    failed = entities.get_project('none', async_req=True)
    with pytest.raises(NotFoundException):
        failed.get(30)


@pytest.mark.parametrize('timeout', [30, 0.5, (1, 2.5), (5, None), None])
def test_any_time_limit(entities, timeout):
    assert entities.get_projects(_request_timeout=timeout)


def test_the_time_limit_is_one(cloud, entities):
    cloud.faults({'fault': 'silence', 'seconds': 30, 'path': '/api/data/projects'})
    started = time.monotonic()
    with pytest.raises(ApiException) as raised:
        entities.get_projects(_request_timeout=0.3)
    cloud.heal()
    assert time.monotonic() - started < 10
    assert isinstance(raised.value, TimeoutError) and raised.value.status == 0 and raised.value.reason


@pytest.mark.parametrize('timeout', [-1, 'x', (1, 2, 3)])
def test_bad_time_limits(entities, timeout):
    with pytest.raises((ValueError, TypeError)):
        entities.get_projects(_request_timeout=timeout)


def test_headers_are_sent(cloud, entities, canned):
    client = entities.api_client
    client.set_default_header('X-Mine', 'one')
    try:
        assert [p.to_dict() for p in entities.get_projects(x_fields='name')] == [{'name': 'demo'}, {'name': 'demo-epd'}]
    finally:
        client.default_headers.pop('X-Mine')


def test_every_api_class_works_with_the_client_of_a_service(entities):
    assert ApplicationsApi(entities.api_client).get_applications() == entities.get_applications()
    assert entities.get_case_labels() == entities.get_case_labels()


def test_the_host_is_that_of_the_tokens(cloud, entities):
    assert entities.api_client.configuration.host == cloud.url + '/api/data'
    assert auth_service.api_client.configuration.host == cloud.url + '/api/auth'
    assert action_service.api_client.configuration.host == cloud.url + '/api/action'
    assert entities.api_client.configuration.discard_unknown_keys is True


def test_responses_without_a_described_type(entities, canned):
    canned({'method': 'GET', 'path': '/api/data/case-labels', 'body': {'a': [1, None]}, 'times': 1},
           {'method': 'GET', 'path': '/api/data/case-labels', 'body': 'no json', 'times': 1},
           {'method': 'GET', 'path': '/api/data/case-labels', 'status': 204, 'times': 1})
    assert [entities.get_case_labels() for _ in range(3)] == [{'a': [1, None]}, 'no json', None]


@pytest.mark.parametrize('disposition, name', [
    ('attachment; filename="report 1.zip"', 'report 1.zip'), ('attachment; filename=a.zip', 'a.zip'),
    ('attachment; filename="../../etc/x"', 'x'), ("attachment; filename*=UTF-8''%C3%BC.zip", '\u00fc.zip'),
    ('attachment; filename="..\\\\..\\\\w.zip"', 'w.zip'), ('attachment; filename=".."', 'download'),
    ('attachment', 'download'), ('attachment; filename="' + 'x' * 300 + '"', 'x' * 255)])
def test_a_file_is_private_and_goes_with_its_last_user(entities, canned, disposition, name):
    canned({'method': 'GET', 'path': '/api/data/projects/demo-project/download-files', 'body': 'PK content',
            'headers': {'Content-Disposition': disposition, 'Content-Type': 'application/zip'}})
    file = entities.get_project_download_file('demo-project')
    folder = os.path.dirname(file.name)
    assert os.path.basename(file.name) == name and file.read() == b'PK content' and file.mode == 'rb'
    assert os.stat(folder).st_mode & 0o777 == 0o700 and os.listdir(folder) == [name]
    file.close()
    assert not os.path.exists(folder)


# ---- exceptions ----

def test_a_refusal_has_status_reason_body_and_headers(entities):
    with pytest.raises(NotFoundException) as raised:
        entities.get_project('none')
    error = raised.value
    assert (error.status, error.reason) == (404, 'Not Found')
    assert json.loads(error.body)['message'] and error.headers['content-type'] == 'application/json'
    lines = str(error).splitlines()
    assert lines[0] == '(404)' and lines[1] == 'Reason: Not Found' and lines[2].startswith('HTTP response headers: ')
    assert lines[3].startswith('HTTP response body: {') and isinstance(error, (AuthException, ActionException))


@pytest.mark.parametrize('status, kind', [(403, ForbiddenException), (404, NotFoundException), (418, ApiException),
                                          (500, ServiceException), (503, ServiceException)])
def test_each_status_has_its_exception(entities, canned, status, kind):
    canned({**PROJECTS, 'method': 'POST', 'status': status, 'body': {'message': 'why'}})
    with pytest.raises(ApiException) as raised:
        entities.post_projects(Project(name='x'))
    assert type(raised.value) is kind and raised.value.status == status
    assert json.loads(raised.value.body) == {'message': 'why'}


def test_an_ended_session(cloud, asked):
    from igtcloud.client.core.auth import smart_auth
    with smart_auth(cloud.url, USER) as auth:
        set_auth(auth)
        rest = RestClient(cloud.url)
        rest.jwt, rest.csrf = auth.jwt_token, auth.csrf_token
        rest.ok('POST', '/api/auth/logout')
        other = type('Mine', (), {'domain': cloud.url, 'jwt_token': auth.jwt_token, 'csrf_token': auth.csrf_token})()
        set_auth(other)
        with pytest.raises(UnauthorizedException) as raised:
            entities_service.get_projects()
        assert raised.value.status == 401 and raised.value.reason
    set_auth(None)


def test_no_connection(entities):
    import urllib3.exceptions  # a program that catches this has imported it
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        nobody = f'http://127.0.0.1:{taken.getsockname()[1]}'
        set_auth(type('Mine', (), {'domain': nobody, 'jwt_token': 'a.b.c', 'csrf_token': 'x'})())
        with pytest.raises(ApiException) as raised:
            entities.get_projects(_request_timeout=2)
    error = raised.value
    assert isinstance(error, (ConnectionError, urllib3.exceptions.MaxRetryError)) and error.status == 0
    assert isinstance(error, ConnectionError) and isinstance(error, urllib3.exceptions.MaxRetryError)
    assert error.reason and str(error) == error.reason and error.body is None
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error)


def test_a_response_that_is_cut_off(cloud, entities):
    cloud.faults({'fault': 'reset-in-body', 'path': '/api/data/projects', 'times': 0})
    with pytest.raises(ApiException) as raised:
        entities.get_projects(_request_timeout=1)
    cloud.heal()
    assert isinstance(raised.value, ConnectionError)
    assert entities.get_projects()


def test_not_tls(entities, cloud):
    set_auth(type('Mine', (), {'domain': cloud.url.replace('http:', 'https:'), 'jwt_token': 'a.b.c',
                               'csrf_token': 'x'})())
    began = time.monotonic()
    with pytest.raises(ApiException) as raised:
        entities.get_projects(_request_timeout=2)
    assert raised.value.status == 0
    assert time.monotonic() - began < 20  # the limit includes the request that checks the token


# ---- one for the whole process ----

def test_set_auth_sets_all_services(cloud, auth):
    for service in (entities_service, auth_service, action_service):
        assert service.auth_handler is auth
    set_auth(None)
    with pytest.raises(RuntimeError, match='Please login'):
        entities_service.get_projects()


def test_concurrent_services_of_two_users(cloud, asked, entities, auth):
    """A service of its own beside the global one."""
    from igtcloud.client.core.auth import smart_auth
    from igtcloud.client.services._api_client import ApiClient
    from igtcloud.client.services.entities_service import EntitiesService
    asked.answers['password'] = 'viewer'
    mine = EntitiesService(ApiClient())
    with smart_auth(cloud.url, 'viewer@example.com') as other:
        mine.auth_handler = other
        who = []
        threads = [threading.Thread(target=lambda service=service: who.extend(
            service.get_me().login_id for _ in range(20))) for service in (mine, entities)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(who) == [USER] * 20 + ['viewer@example.com'] * 20 and PASSWORD


def test_calls_leave_nothing_behind(entities):
    """10,000 calls in `bench`; here enough to see one object of each call."""
    def rss():
        with open('/proc/self/statm', encoding='ascii') as file:
            return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    def calls(n):
        for _ in range(n):
            entities.get_projects()
            with pytest.raises(NotFoundException):
                entities.get_project('none')
        gc.collect()
    calls(100)
    objects, before = len(gc.get_objects()), rss()
    calls(300)
    assert len(gc.get_objects()) - objects < 200 and (rss() - before < 3_000_000 or PRELOAD)
