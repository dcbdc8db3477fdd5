# SPDX-License-Identifier: MIT
"""The package in a process: Ctrl-C, threads, forks, the end."""

import asyncio
import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import PRELOAD, USER

SIGN_IN = '''
import getpass, os, signal, sys, threading, time
getpass.getpass = lambda prompt: "demo"
from igtcloud.client.core.auth import smart_auth
from igtcloud.client.services import entities_service, set_auth
'''


def slow(cloud, seconds=30, path='/api/data/projects'):
    cloud.faults({'fault': 'silence', 'seconds': seconds, 'path': path})


def test_ctrl_c_ends_a_request_at_once_and_the_next_one_works(cloud, auth, entities):
    slow(cloud)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        entities.get_projects()
    assert time.monotonic() - started < 3
    cloud.heal()
    assert [p.name for p in entities.get_projects()] == ['demo', 'demo-epd']


@pytest.fixture
def on_usr1():
    """on_usr1(function): what SIGUSR1 calls."""
    previous = signal.getsignal(signal.SIGUSR1)
    yield lambda function: signal.signal(signal.SIGUSR1, lambda *_: function())
    signal.signal(signal.SIGUSR1, previous)


def send_later(seconds, number):
    threading.Timer(seconds, os.kill, (os.getpid(), number)).start()


def test_a_signal_handler_makes_a_request_while_one_waits(cloud, auth, entities, on_usr1):
    slow(cloud, 3)
    found = []
    on_usr1(lambda: found.append((entities.get_me().login_id, time.monotonic())))
    send_later(0.3, signal.SIGUSR1)
    started = time.monotonic()
    assert [p.name for p in entities.get_projects()] == ['demo', 'demo-epd']
    ended = time.monotonic()
    (login, moment), = found
    assert login == USER and started < moment < ended - 1 and ended - started >= 2.5


def test_ctrl_c_ends_the_request_of_a_signal_handler_and_the_one_that_waits(cloud, auth, entities, on_usr1):
    cloud.faults({'fault': 'silence', 'seconds': 30, 'path': '/api/data/projects'},
                 {'fault': 'silence', 'seconds': 30, 'path': '/api/data/users/me'})
    on_usr1(entities.get_me)
    send_later(0.3, signal.SIGUSR1)
    send_later(0.8, signal.SIGINT)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        entities.get_projects()
    assert 0.5 < time.monotonic() - started < 4
    cloud.heal()
    assert entities.get_me().login_id == USER


def test_what_a_signal_handler_raises_is_raised_by_the_request(cloud, auth, entities, on_usr1):
    slow(cloud)

    def fail():
        raise ArithmeticError('of the handler')
    on_usr1(fail)
    send_later(0.3, signal.SIGUSR1)
    with pytest.raises(ArithmeticError, match='of the handler'):
        entities.get_projects()
    cloud.heal()
    assert len(entities.get_projects()) == 2


def test_ctrl_c_at_the_very_end_of_a_call_does_not_wait_for_another_end(run_python):
    """The handler runs when the lock of the call has just been acquired."""
    assert run_python('''
import signal
from igtcloud.client import _library
signal.alarm(20)

class Late(_library._Job):
    class Lock:
        def __init__(self, lock):
            self.lock, self.release, self.late = lock, lock.release, 2

        def acquire(self):
            self.lock.acquire()
            if self.late:
                self.late -= 1
                raise KeyboardInterrupt

    def __init__(self, function):
        super().__init__(function)
        self.done = Late.Lock(self.done)

_library._Job = Late
try:
    _library.call(lambda: 1, lambda: None)
except KeyboardInterrupt:
    print("interrupted")
''') == 'interrupted\n'


def test_the_lock_of_python_is_released(cloud, auth, entities):
    slow(cloud, 1)
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.wait(0.01):
            ticks.append(1)
    thread = threading.Thread(target=tick)
    thread.start()
    entities.get_projects()
    stop.set()
    thread.join()
    assert len(ticks) > 10


def test_operations_from_many_threads(entities):
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda n: entities.get_project('demo-project').name, range(64)))
    assert names == ['demo'] * 64


def test_operations_in_a_thread_of_asyncio(entities):
    async def work():
        return await asyncio.gather(*(asyncio.to_thread(entities.get_me) for _ in range(4)))
    assert [me.login_id for me in asyncio.run(work())] == [USER] * 4


def in_child(function):
    """What a forked child makes of it; its exit status if it fails."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.write(writer, repr(function()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, 'rb') as said:
        text = said.read().decode()
    assert os.waitpid(pid, 0)[1] == 0, text
    return text


def test_a_forked_child_has_connections_of_its_own(auth, entities):
    assert entities.get_me().login_id == USER
    assert in_child(lambda: [entities.get_me().login_id, auth.username]) == repr([USER, USER])
    assert in_child(lambda: in_child(lambda: entities.get_me().login_id)) == repr(repr(USER))
    assert entities.get_me().login_id == USER


@contextlib.contextmanager
def held(*locks):
    """Another thread has them."""
    has, end = threading.Event(), threading.Event()

    def hold():
        with contextlib.ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            has.set()
            end.wait()
    thread = threading.Thread(target=hold)
    thread.start()
    has.wait()
    yield
    end.set()
    thread.join()


def soon(function):
    """In a child, which must not wait for a thread of its parent."""
    def run():
        signal.alarm(20)
        return function()
    return in_child(run)


def test_a_child_lists_files_though_a_thread_of_the_parent_did_so_at_the_fork(entities):
    module = importlib.import_module('igtcloud.client.services.entities_service')
    with held(module._order._lock):
        assert soon(lambda: list(module.FilesCollectionWrapper('p/'))) == '[]'


def test_a_child_uses_what_a_thread_of_the_parent_used_at_the_fork(entities, auth):
    """A collection that is being loaded, a request, the session and its end."""
    names = ('core.auth', 'services._behaviour', 'services._models', 'services._endpoint')
    auth_module, behaviour, models, endpoint = (importlib.import_module(f'igtcloud.client.{name}') for name in names)
    institute = entities.get_institute('demo-north')
    assert len(institute.studies) == 3
    session = auth._session
    with held(institute._collections_lock, behaviour._locks_lock, models._lock, endpoint._lock, entities.api_client._lock,
              auth_module._foreign_lock, auth._lock, session._lock, session.periodic._lock, session.client._lock):
        assert soon(lambda: [len(institute.studies), len(institute.studies[0].files), auth.username]) == repr([3, 2, USER])
        assert soon(lambda: session.end(sign_out=True)) == 'None'
        assert soon(lambda: session.client.close()) == 'None'
        assert soon(session.client.__del__) == 'None'
    assert entities.get_me().login_id == USER


def test_a_pipe_in_place_of_the_token_file(own_environment, run_python):
    """Anybody can place one in a shared temporary folder."""
    os.mkfifo(own_environment / 'igtcloud_auth_mmap', 0o600)
    said = run_python('from igtcloud.client.core.auth import AuthHandler\n'
                      'try:\n    AuthHandler().username\nexcept RuntimeError as error:\n    print(error)')
    assert 'is not a token file' in said


def test_the_end_of_a_child_does_not_sign_the_parent_out(cloud, run_python):
    said = run_python(SIGN_IN + '''
with smart_auth(sys.argv[1], "demo@example.com") as auth:
    set_auth(auth)
    entities_service.get_me()
    pid = os.fork()
    if pid == 0:
        entities_service.get_me()
        sys.exit(0)  # through the end of the block, and the interpreter's
    os.waitpid(pid, 0)
    print(entities_service.get_me().login_id)
''', cloud.url)
    assert said == USER + '\n'


def name_of(project_id):
    from igtcloud.client.services import entities_service
    return entities_service.get_project(project_id).name


def test_a_pool_of_processes(entities):
    with multiprocessing.get_context('fork').Pool(2) as pool:
        assert pool.map(name_of, ['demo-project', 'demo-epd-project'] * 3) == ['demo', 'demo-epd'] * 3


def test_a_request_of_a_daemon_thread_does_not_hold_the_exit(cloud, run_python):
    started = time.monotonic()
    cloud.clear()
    slow(cloud, 60)
    try:
        run_python(SIGN_IN + '''
with smart_auth(sys.argv[1], "demo@example.com", auto_logout=False) as auth:
    set_auth(auth)
threading.Thread(target=entities_service.get_projects, daemon=True).start()
time.sleep(0.3)
''', cloud.url)
    finally:
        cloud.heal()
    assert time.monotonic() - started < 30


def test_async_req_does_not_hold_the_exit(cloud, run_python):
    assert run_python(SIGN_IN + '''
with smart_auth(sys.argv[1], "demo@example.com") as auth:
    set_auth(auth)
    result = entities_service.get_projects(async_req=True)
    print(len(result.get(timeout=30)), result.ready(), result.successful())
''', cloud.url) == '2 True True\n'


def test_the_example_of_the_documentation_runs(cloud, run_python, tmp_path):
    """The existing client's own example, to the letter; then the key signs in."""
    said = run_python('''
import getpass, os, sys
getpass.getpass = lambda prompt: "demo"
os.environ["CLOUD_USERNAME"] = "demo@example.com"
os.chdir(sys.argv[2])
from igtcloud.client.core.auth import smart_auth
from igtcloud.client.services import entities_service, set_auth
from igtcloud.client.services.entities.model.service import Service
from igtcloud.client.services.utils.key import save_private_key

domain = sys.argv[1]
institute_id = 'demo-north'
service_name = 'station'

with smart_auth(domain) as auth:
    set_auth(auth)

    service = entities_service.post_services(institute_id, Service(name=service_name))
    save_private_key(service.private_key, f"{service.service_id}.pem")

with open(f"{service.service_id}.pem") as key, smart_auth(domain, service.service_id, key=key.read()) as auth:
    set_auth(auth)
    print(auth.username == service.service_id, [i.name for i in entities_service.get_all_institutes()][:1])
with smart_auth(domain, service.service_id, key=service.private_key) as auth:
    print(auth.is_valid)
''', cloud.url, tmp_path)
    assert said.splitlines()[1:] == ['True'] and said.startswith('True [')
    pem, = tmp_path.glob('*.pem')
    lines = pem.read_text().splitlines()
    assert pem.stat().st_mode & 0o777 == 0o600
    assert lines[0] == '-----BEGIN RSA PRIVATE KEY-----' and {len(line) for line in lines[1:-2]} == {64}


def test_import_loads_little_and_starts_nothing(run_python):
    """How long it takes is measured elsewhere: on a busy machine a bound would fail or mean nothing."""
    said = run_python('''
import sys, threading
import igtcloud.client.services
print(threading.active_count(), [m for m in ("boto3", "requests", "tqdm", "click", "multiprocessing.pool", "pandas",
      "pydicom", "fsspec", "asyncio", "importlib.metadata", "shutil", "tempfile",
      "getpass", "signal", "json", "igtcloud.client._native", "igtcloud.client._errors", "uuid", "platform", "http", "urllib.parse", "ipaddress") if m in sys.modules])
''')
    assert said == '1 []\n'


@pytest.mark.parametrize('name', ['igtcloudclient-2.3.dist-info', 'igtcloudclient.egg-link',
                                  '__editable__.igtcloudclient-2.3.pth'])
def test_a_warning_of_the_existing_client(run_python, tmp_path, name):
    """From a look at names alone: no metadata is read, and nothing is said without it."""
    (tmp_path / 'igtcloud/other').mkdir(parents=True)
    script = f'''
import sys, warnings
sys.path.append({str(tmp_path)!r})
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import igtcloud.client
print([str(one.message).split(" (")[0] for one in caught], "importlib.metadata" in sys.modules)
'''
    assert run_python(script) == '[] False\n'
    (tmp_path / name).touch()
    assert run_python(script) == "['the existing client is installed beside this package'] False\n"


def test_ctrl_c_in_a_download_is_at_once_and_leaves_no_file(cloud, auth, entities, tmp_path):
    study = next(s for s in entities.get_studies('demo-south') if s.files)
    film = next(f for f in study.files if f.file_name == 'film.bin')
    cloud.faults({'fault': 'silence', 'seconds': 60, 'path': '**/film.bin', 'times': 0})
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        film.download(tmp_path / 'down')
    assert time.monotonic() - started < 5
    cloud.heal()
    assert [p.name for p in (tmp_path / 'down').iterdir() if not p.name.startswith('.')] == []
    assert film.download(tmp_path / 'down') is True and (tmp_path / 'down/film.bin').stat().st_size == film.file_size


@pytest.fixture
def silent_film(cloud, auth, entities):
    """An open file whose next range does not arrive."""
    study = next(s for s in entities.get_studies('demo-south') if s.files)
    film = next(f for f in study.files if f.file_name == 'film.bin')
    raw = film.open(buffering=0)
    raw.read(10)
    raw.seek(film.file_size - 1000)
    cloud.faults({'fault': 'silence', 'seconds': 60, 'path': '**/film.bin', 'times': 0})
    yield raw
    cloud.heal()
    raw.close()


def test_ctrl_c_in_a_read_is_at_once(silent_film):
    send_later(0.3, signal.SIGINT)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        silent_film.read(10)
    assert time.monotonic() - started < 5
    silent_film.close()


def test_a_signal_handler_may_close_the_file_that_is_being_read(silent_film, on_usr1):
    on_usr1(silent_film.close)
    send_later(0.3, signal.SIGUSR1)
    with pytest.raises(Exception, match='cancelled'):
        silent_film.read(10)
    with pytest.raises(ValueError):
        silent_film.read(10)


def test_a_signal_handler_may_not_read_the_file_that_is_being_read(silent_film, on_usr1):
    on_usr1(lambda: silent_film.read(10))
    send_later(0.3, signal.SIGUSR1)
    with pytest.raises(RuntimeError, match='handler of a signal'):
        silent_film.read(10)


def test_ctrl_c_in_a_thread_pool(cloud, run_python):
    """The main thread waits in Python; what the others do ends with the process."""
    cloud.faults({'fault': 'silence', 'seconds': 60, 'path': '**/film.bin', 'times': 0})
    started = time.monotonic()
    done = run_python(SIGN_IN + '''
import tempfile
with smart_auth(sys.argv[1], "demo@example.com") as auth:
    set_auth(auth)
    file = next(f for s in entities_service.get_studies("demo-south") for f in s.files if f.file_name == "film.bin")
    thread = threading.Thread(target=file.download, args=(tempfile.mkdtemp(),), daemon=True)
    thread.start()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    thread.join()
''', cloud.url, check=False)
    cloud.heal()
    assert time.monotonic() - started < 30 and 'KeyboardInterrupt' in done.stderr
    assert done.returncode in (1, 130, -signal.SIGINT), done.stderr


LEAKS = SIGN_IN + """
import ctypes, gc, os, tempfile
from igtcloud.client import native
from igtcloud.client.services.entities.exceptions import ApiException

def is_file(number):
    # Sockets are the connections that the library keeps: their number depends on what ran concurrently.
    try:
        return not os.readlink(f"/proc/self/fd/{number}").startswith("socket:")
    except FileNotFoundError:  # of the listing itself
        return False

def memory():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * 4096, len(gc.get_objects()), sum(map(is_file, os.listdir("/proc/self/fd"))), threading.active_count()

def work(n):
    for i in range(n):
        assert entities_service.get_project("demo-project").name == "demo"
        if i % 10 == 0:
            try:
                entities_service.get_project("none")
            except ApiException:
                pass
        if i % 50 == 0:
            file.download(target)
            with file.open() as content:
                content.read(10)
        if i % 500 == 0:
            for found in native.list_studies("demo", files=True):
                break
            assert sum(len(found.files) for found in native.list_studies("demo", files=True))
            native.download(target, "demo", dry_run=True)

with smart_auth(sys.argv[1], "demo@example.com") as auth:
    set_auth(auth)
    file = min((f for s in entities_service.get_studies("demo-south") for f in s.files), key=lambda f: f.file_size)
    target = tempfile.mkdtemp()
    work(1000)
    before = memory()
    work(10_000)
    after = memory()
print(*(b - a for a, b in zip(before, after)))
"""


def test_ten_thousand_calls_keep_nothing(cloud, run_python):
    """Requests, refusals, downloads, readers, lists and transfers: memory of C, objects of Python, files, threads."""
    memory, objects, files, threads = map(int, run_python(LEAKS, cloud.url, timeout=300).split())
    assert (memory < 3 << 20 or PRELOAD) and objects < 300 and files <= 0 and threads <= 1, (memory, objects, files, threads)
