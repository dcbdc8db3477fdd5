# SPDX-License-Identifier: MIT
"""Signing in: core.auth."""

import base64
import json
import logging
import os
import stat
import subprocess
import threading
import time

import pytest
from conftest import PASSWORD, ROOT, STATION, USER, RestClient, integration_module

from igtcloud.client.core.auth import AuthHandler, AuthRefresher, Periodic, smart_auth
from igtcloud.client.services import auth_service, entities_service, set_auth
from igtcloud.client.services.entities import ApiException

PROGRAM = os.environ.get('IGTCLOUD_BIN', str(ROOT / 'build/igtcloud'))


@pytest.fixture
def login(cloud, own_environment):
    """A running `igtcloud login`, which has the shared token file."""
    command = [PROGRAM, 'login', '-d', cloud.url, '--user', USER, '--password-stdin', '--background']
    subprocess.run(command, input=PASSWORD + '\n', text=True, check=True, stdout=subprocess.DEVNULL)
    yield own_environment / 'igtcloud_auth_mmap'
    subprocess.run([PROGRAM, 'logout'], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def own_files(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith('igtcloud_auth_mmap'))


def logins(cloud):
    return len(cloud.requests(method='POST', path='/api/auth/login'))


# ---- smart_auth ----

def test_asks_for_user_and_password_as_python_does(cloud, asked, own_environment):
    cloud.clear()
    with smart_auth(cloud.url) as auth:
        set_auth(auth)
        assert asked.questions == ['Username: ', f"{USER}@{cloud.url[7:]}'s password: "]
        assert auth.username == USER and auth.domain == cloud.url and auth.is_valid is True
        assert auth.jwt_token.count('.') == 2 and auth.csrf_token
        assert auth_service.get_introspect_resource().sub == USER
        files = own_files(own_environment)
        assert len(files) == 1 and files[0] != 'igtcloud_auth_mmap'
        assert stat.S_IMODE((own_environment / files[0]).stat().st_mode) == 0o600
    assert own_files(own_environment) == []
    assert [r['path'] for r in cloud.requests(method='POST')] == ['/api/auth/login', '/api/auth/logout']
    for use in (lambda: auth.jwt_token, lambda: auth.is_valid, entities_service.get_projects):
        with pytest.raises(ValueError, match='mmap closed or invalid'):
            use()


def test_the_user_name_comes_from_the_argument_then_the_environment(cloud, asked, monkeypatch):
    with smart_auth(cloud.url, USER) as auth:
        assert auth.username == USER
    monkeypatch.setenv('CLOUD_USERNAME', USER)
    with smart_auth(cloud.url) as auth:
        assert auth.username == USER
    assert len(asked.questions) == 2 and all('password' in question for question in asked.questions)


def test_a_running_login_is_used_and_left_alone(cloud, login, asked):
    cloud.clear()
    with smart_auth(cloud.url) as auth:
        set_auth(auth)
        assert entities_service.get_me().login_id == USER
    assert not asked.questions and logins(cloud) == 0
    assert not cloud.requests(path='/api/auth/logout')
    set_auth(None)
    assert entities_service.get_me().login_id == USER  # the default is that file


def test_a_login_of_another_user_is_not_used(cloud, login, asked):
    asked.answers['password'] = 'viewer'
    with smart_auth(cloud.url, 'viewer@example.com') as auth:
        assert auth.username == 'viewer@example.com'
    assert len(asked.questions) == 1


def test_a_login_on_another_port_or_scheme_is_not_used(cloud, login, asked):
    host, port = cloud.url.rsplit(':', 1)
    with pytest.raises(RuntimeError, match='Error during login'):  # nothing listens there
        with smart_auth(f'{host}:1', USER):
            pass
    assert len(asked.questions) == 1


def test_tokens_of_the_environment_win_and_their_session_goes_on(cloud, asked, monkeypatch, own_environment):
    other = RestClient(cloud.url).login()
    monkeypatch.setenv('CLOUD_JWT_TOKEN', other.jwt)
    monkeypatch.setenv('CLOUD_CSRF_TOKEN', other.csrf)
    cloud.clear()
    with smart_auth(cloud.url, 'somebody', key='no key') as auth:
        set_auth(auth)
        assert auth.jwt_token == other.jwt and auth.csrf_token == other.csrf and auth.username == USER
        assert entities_service.get_me().login_id == USER
    assert not asked.questions and logins(cloud) == 0
    assert cloud.requests(path='/api/auth/introspect') and not cloud.requests(path='/api/auth/logout')
    assert other.get('/api/data/projects').status == 200
    assert own_files(own_environment) == []


@pytest.mark.parametrize('form', ['wrapped', 'one line', 'spaces', 'crlf'])
def test_a_service_signs_in_with_its_key_in_any_form(cloud, asked, form):
    pem = (cloud.data / f'{STATION}.pem').read_text()
    key = {'wrapped': pem, 'one line': pem.replace('\n', ''), 'spaces': pem.replace('\n', ' '),
           'crlf': pem.replace('\n', '\r\n')}[form]
    with smart_auth(cloud.url, STATION, key=key) as auth:
        assert auth.username == STATION
    assert not asked.questions


def test_a_key_needs_the_id_of_its_service(cloud):
    with pytest.raises(RuntimeError, match='needs the id of its service'):
        with smart_auth(cloud.url, key='x'):
            pass


def test_a_failed_sign_in_says_why_and_leaves_nothing(cloud, asked, own_environment, caplog):
    asked.answers['password'] = 'wrong'
    with pytest.raises(RuntimeError, match='Error during login: .*password') as raised:
        with smart_auth(cloud.url, USER):
            raise AssertionError('signed in')
    assert raised.value.__cause__ is not None
    assert own_files(own_environment) == []
    assert [r.levelname for r in caplog.records if r.name == 'igtcloud.client.core.auth'][-1:] == ['ERROR']
    assert 'wrong' not in caplog.text.replace('user name or password is wrong', '')


def test_ctrl_c_at_the_prompt_passes(cloud, monkeypatch, own_environment):
    import getpass

    def interrupted(prompt):
        raise KeyboardInterrupt
    monkeypatch.setattr(getpass, 'getpass', interrupted)
    with pytest.raises(KeyboardInterrupt):
        with smart_auth(cloud.url, USER):
            pass
    assert own_files(own_environment) == []


def test_an_exception_of_the_block_passes_and_signs_out(cloud, asked):
    cloud.clear()
    with pytest.raises(LookupError):
        with smart_auth(cloud.url, USER):
            raise LookupError
    assert len(cloud.requests(path='/api/auth/logout')) == 1


def test_without_auto_logout_the_handler_stays_usable(cloud, asked):
    cloud.clear()
    with smart_auth(cloud.url, USER, auto_logout=False) as auth:
        set_auth(auth)
    assert auth.is_valid and entities_service.get_me().login_id == USER
    assert not cloud.requests(path='/api/auth/logout')
    auth._session.end(sign_out=False)


def test_a_slash_at_the_end_of_the_domain_is_dropped(cloud, asked):
    with smart_auth(cloud.url + '/', USER) as auth:
        set_auth(auth)
        cloud.clear()
        entities_service.get_projects()
        assert auth.domain == cloud.url
        assert [r['path'] for r in cloud.requests()] == ['/api/data/projects']


def test_two_clouds_are_never_mixed(cloud, asked):
    from conftest import Sandbox
    with Sandbox(seed='demo') as other:
        with smart_auth(cloud.url, USER) as first:
            with smart_auth(other.url, USER) as second:
                set_auth(first)
                mine = entities_service.get_project_files('demo-project').files
                set_auth(second)
                cloud.clear()
                theirs = entities_service.get_project_files('demo-project').files
                assert len(mine) == len(theirs) and not cloud.requests()
                set_auth(first)
                assert entities_service.get_projects() and cloud.requests(path='/api/data/projects')


def test_signals_of_the_program_stay_its_own(cloud, run_python):
    said = run_python('''
import getpass, os, signal, sys
from igtcloud.client.core.auth import smart_auth
getpass.getpass = lambda prompt: "demo"
before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
with smart_auth(sys.argv[1], "demo@example.com"):
    assert signal.getsignal(signal.SIGINT) is before[0]
assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
try:
    with smart_auth(sys.argv[1], "demo@example.com"):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
except SystemExit as end:
    print(end.code)
''', cloud.url)
    assert said == '143\n'


def test_nothing_keeps_the_process_alive(cloud, run_python, own_environment):
    started = time.monotonic()
    said = run_python('''
import getpass, sys
from igtcloud.client.core.auth import smart_auth
getpass.getpass = lambda prompt: "demo"
with smart_auth(sys.argv[1], "demo@example.com", auto_logout=False) as auth:
    pass
print(auth.is_valid)
''', cloud.url)
    assert said == 'True\n' and time.monotonic() - started < 30
    assert own_files(own_environment) == []


# ---- renewal ----

def test_a_session_is_renewed_while_nothing_is_sent(asked):
    from conftest import Sandbox
    with Sandbox(seed='demo', token_lifetime=2, extra=['--faults']) as short, smart_auth(short.url, USER) as auth:
        first = AuthHandler(auth._session.file.path).jwt_token
        Sandbox.wait_for(lambda: short.requests(path='/api/auth/refresh'))
        Sandbox.wait_for(lambda: AuthHandler(auth._session.file.path).jwt_token != first)
        assert auth.is_valid and auth.csrf_token == AuthHandler(auth._session.file.path).csrf_token
        time.sleep(0)
        set_auth(auth)
        assert entities_service.get_me().login_id == USER


def test_without_auto_refresh_nothing_is_renewed_in_the_background(asked):
    from conftest import Sandbox
    with Sandbox(seed='demo', token_lifetime=2, extra=['--faults']) as short:
        before = set(threading.enumerate())
        with smart_auth(short.url, USER, auto_refresh=False):
            assert not [t for t in set(threading.enumerate()) - before if t.name == 'igtcloud-periodic']


# ---- AuthHandler ----

def test_without_a_file_the_handler_says_so(own_environment):
    for name in ('jwt_token', 'csrf_token', 'access_token', 'uid', 'domain', 'username', 'is_valid'):
        with pytest.raises(RuntimeError, match='Please login using `igtcloud login`'):
            getattr(AuthHandler(), name)


def page(path, jwt_data, **more):
    record = {'sub': 'ann', 'jwt': 'a.b.c', 'jwt_data': jwt_data, 'csrf': 'x', 'domain': 'https://h', **more}
    path.write_bytes(base64.b64encode(json.dumps(record).encode()).ljust(5 * 4096, b'\0'))
    path.chmod(0o600)
    return path


def test_the_handler_reads_every_token_anew(tmp_path):
    path = page(tmp_path / 'token', {'exp': time.time() + 60, 'uid': 'u', 'access_token': 'at'})
    handler = AuthHandler(path)
    assert (handler.jwt_token, handler.csrf_token, handler.username, handler.domain, handler.uid,
            handler.access_token, handler.is_valid) == ('a.b.c', 'x', 'ann', 'https://h', 'u', 'at', True)
    with open(path, 'r+b') as file:
        file.write(base64.b64encode(b'{"jwt": "new", "jwt_data": {"exp": 1}}') + b'\0\0')
    assert handler.jwt_token == 'new' and handler.is_valid is False and handler.username is None
    handler.close()
    with pytest.raises(ValueError, match='closed'):
        handler.jwt_token


def test_a_token_that_cannot_be_decoded_gives_the_last_good_one(tmp_path, caplog):
    path = page(tmp_path / 'token', {})
    handler = AuthHandler(path)
    assert handler.jwt_token == 'a.b.c'
    with pytest.raises(TypeError):
        handler.is_valid
    with open(path, 'r+b') as file:
        file.write(b'!!!')
    assert handler.jwt_token == 'a.b.c'
    assert 'Error retrieving/decoding token' in caplog.text


@pytest.mark.parametrize('spoil, why', [
    (lambda path: path.chmod(0o644), 'can be used by others'),
    (lambda path: path.write_bytes(b''), 'is not a token file'),
    (lambda path: (path.rename(path.with_name('x')), path.symlink_to(path.with_name('x'))), 'auth file'),
])
def test_a_file_that_others_could_have_placed_is_refused(tmp_path, spoil, why):
    path = page(tmp_path / 'token', {})
    spoil(path)
    with pytest.raises(RuntimeError, match=why):
        AuthHandler(path).jwt_token


def test_objects_with_tokens_of_their_own_can_be_set(cloud):
    other = RestClient(cloud.url).login()
    mine = type('Mine', (), {'domain': cloud.url, 'jwt_token': other.jwt, 'csrf_token': other.csrf})()
    set_auth(mine)
    assert entities_service.get_me().login_id == USER
    with pytest.raises(TypeError, match='not int'):
        set_auth(3)
        entities_service.get_me()
    set_auth(None)


# ---- AuthRefresher, Periodic ----

def test_the_refresher_has_a_file_of_its_own(cloud, asked, own_environment):
    cloud.clear()
    with AuthRefresher(domain=cloud.url, username=USER) as auth:
        assert auth.username == USER and len(own_files(own_environment)) == 1
    assert own_files(own_environment) == [] and len(cloud.requests(path='/api/auth/logout')) == 1


def test_the_refresher_writes_the_shared_file(cloud, asked, own_environment):
    refresher = AuthRefresher()
    refresher.start(domain=cloud.url, username=USER, blocking=False)
    try:
        assert own_files(own_environment) == ['igtcloud_auth_mmap']
        shown = subprocess.run([PROGRAM, 'whoami'], text=True, stdout=subprocess.PIPE, check=True).stdout
        assert USER in shown  # the program uses our session
        with pytest.raises(RuntimeError, match='Error during login'):
            AuthRefresher().start(domain=cloud.url, username=USER, blocking=False)
    finally:
        refresher.stop()
    assert own_files(own_environment) == []


def test_a_periodic_task_can_stop_itself():
    calls, stopped = [], threading.Event()

    def work(word, more):
        calls.append((word, more))
        if len(calls) == 2:
            periodic.stop()
            stopped.set()
        raise ValueError('is logged')
    periodic = Periodic(0.01, work, 'a', more='b', autostart=False)
    assert periodic.interval == 0.01
    periodic.start()
    periodic.start()
    assert stopped.wait(30)
    assert calls == [('a', 'b')] * 2 and periodic._stopped.is_set()


def test_logging_names_who_signed_in_and_no_secret(cloud, asked, caplog):
    with caplog.at_level(logging.DEBUG, 'igtcloud.client'), \
            caplog.at_level(logging.DEBUG, 'igtcloud.client.services.entities'):
        with smart_auth(cloud.url, USER) as auth:
            set_auth(auth)
            entities_service.get_projects()
            secrets = [auth.jwt_token, auth.csrf_token, PASSWORD + '"']
    said = [(r.name, r.message) for r in caplog.records]
    assert ('igtcloud.client.core.auth', f'Logged in as: {USER}') in said
    assert ('igtcloud.client.core.auth', 'Logout...') in said
    assert any(name == 'igtcloud.client.services.entities.rest' for name, _ in said)
    assert not [s for s in secrets if s in caplog.text]




# ---- settings of a session ----

def test_a_proxy_has_all_requests_of_the_session(cloud, asked, own_environment, tmp_path):
    gateway = integration_module('gateway')
    with gateway.Proxy() as proxy:
        with smart_auth(cloud.url, USER, proxy=proxy.url) as auth:
            set_auth(auth)
            file = next(f for s in entities_service.get_studies('demo-south') for f in s.files)
            assert file.download(tmp_path)
            there = len(proxy.seen)
        assert there and {method for method, _, _ in proxy.seen} & {'GET', 'POST', 'CONNECT'}
        set_auth(None)
    with smart_auth(cloud.url, USER) as auth:
        set_auth(auth)
        seen = len(proxy.seen)
        entities_service.get_me()
        assert len(proxy.seen) == seen
    set_auth(None)
    with pytest.raises(RuntimeError, match='proxy'):
        with smart_auth(cloud.url, USER, proxy='http://127.0.0.1:9'):
            pass
    with pytest.raises(RuntimeError, match='URL'):
        with smart_auth(cloud.url, USER, proxy='ftp://there'):
            pass


def test_the_proxy_of_a_configuration_is_for_its_service(cloud, asked):
    gateway = integration_module('gateway')
    configuration = entities_service.api_client.configuration
    with gateway.Proxy() as proxy, smart_auth(cloud.url, USER) as auth:
        set_auth(auth)
        auth_service.get_permissions_resource()
        assert proxy.seen == []
        configuration.proxy = proxy.url
        try:
            assert entities_service.get_me().login_id == USER
        finally:
            configuration.proxy = None
        assert proxy.seen
        seen = len(proxy.seen)
        entities_service.get_me()
        assert len(proxy.seen) == seen
        set_auth(None)


def test_retries_and_time_limits(cloud, asked):
    with smart_auth(cloud.url, USER, retries=0, idle_timeout=0.5, connect_timeout=5) as auth:
        set_auth(auth)
        entities_service.get_me()
        cloud.clear()
        cloud.faults({'fault': 'silence', 'seconds': 60, 'path': '/api/data/users/me', 'times': 0})
        with pytest.raises(ConnectionError):
            entities_service.get_me()
        cloud.heal()
        assert len(cloud.requests(path='/api/data/users/me')) == 1
        configuration = entities_service.api_client.configuration
        try:
            for configuration.retries in (1, type('Retry', (), {'total': 1})()):
                cloud.clear()
                cloud.faults({'fault': 'internal-error', 'path': '/api/data/users/me', 'times': 2})
                with pytest.raises(ApiException):
                    entities_service.get_me()
                assert len(cloud.requests(path='/api/data/users/me')) == 2
        finally:
            configuration.retries = None
            cloud.heal()
            set_auth(None)


def test_settings_that_cannot_be_used(cloud, asked, tmp_path):
    for settings in ({'bandwidth': 'fast'}, {'ca_file': tmp_path / 'none.pem'}, {'idle_timeout': -1}):
        with pytest.raises((RuntimeError, OSError), match='fast|none.pem|-1'):
            with smart_auth(cloud.url, USER, **settings):
                pass
    with smart_auth(cloud.url, USER, bandwidth='20M', max_connections=4) as auth:
        assert auth.is_valid
