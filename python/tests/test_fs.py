# SPDX-License-Identifier: MIT
"""The file system of fsspec."""

import io
import os
import pickle

import pytest
from conftest import ROOT
from igtcloud.client.services.entities.models import Study

fsspec = pytest.importorskip('fsspec')
STUDY = 'demo/north/P0001/CTA'
ECG = f'{STUDY}/files/waveforms/ecg.bin'


@pytest.fixture(scope='module', autouse=True)
def registered():
    """As the package's entry point does, which a build folder has not."""
    fsspec.register_implementation('igt', 'igtcloud.client.fs.IgtFileSystem', clobber=True)


@pytest.fixture
def fs(auth):
    found = fsspec.filesystem('igt')
    found.invalidate_cache()
    return found


@pytest.fixture
def study(entities, fs):
    """A new study of its own."""
    name = f'Q{len(fs.ls("demo/north"))}'
    institute = fs._resolve('demo/north')[0].model
    entities.post_studies(institute.id, Study('Study', study_id=name, patient_database_id=None,
                                              _check_type=False, patient=None))
    fs.invalidate_cache()
    model = entities.get_studies(institute.id)[-1]
    return f'demo/north/{model.get("study_id_human_readable") or "id:" + model.study_database_id}'


def names(entries):
    return [entry.rsplit('/', 1)[-1] for entry in entries]


def test_the_tree(fs):
    assert {'demo', 'demo-epd'} <= set(fs.ls('', detail=False))
    assert names(fs.ls('demo', detail=False)) == ['empty', 'files', 'north', 'south']
    assert fs.ls('demo/empty') == []
    assert names(fs.ls('igt://demo/south', detail=False)) == ['P0101']
    assert names(fs.ls('demo/north/P0001', detail=False)) == ['CTA', 'Follow-up']
    assert names(fs.ls(STUDY, detail=False)) == ['annotations', 'dicom', 'files']
    assert names(fs.ls(f'{STUDY}/files', detail=False)) == ['report.txt', 'waveforms']
    assert fs.ls('demo-epd/lab', detail=False) == ['demo-epd/lab/ablation-1']


def test_info(fs):
    assert fs.info(ECG)['size'] == 262144 and fs.info(ECG)['type'] == 'file' and fs.isfile(ECG)
    assert fs.info(ECG)['name'] == ECG and fs.info(ECG)['is_completed'] is True
    for folder in ('', 'demo', 'demo/north', 'demo/north/P0001', STUDY, f'{STUDY}/files',
                   f'{STUDY}/files/waveforms'):
        assert fs.info(folder) | {'id': 0} == {'name': folder, 'size': 0, 'type': 'directory', 'id': 0}
        assert fs.isdir(folder) and fs.exists(folder)
    assert fs.info(STUDY)['id'] == fs._resolve(STUDY)[0].model.study_database_id
    for missing in ('nonsense', 'demo/west', 'demo/north/P9', f'{STUDY}/nonsense', f'{STUDY}/files/x',
                    f'{ECG}/x', 'demo/files/x'):
        assert not fs.exists(missing)
        with pytest.raises(FileNotFoundError):
            fs.ls(missing)
    assert fs.ls(ECG)[0]['name'] == ECG and fs.ukey(ECG) == fs.ukey(ECG) != fs.ukey(STUDY)


def test_find_and_glob_and_walk(fs):
    found = fs.find('demo/north')
    assert ECG in found and f'{STUDY}/dicom/series1/image1.dcm' in found
    assert f'{STUDY}/annotations/vessel.json' in found and not any(one.endswith('/files') for one in found)
    assert fs.glob('demo/north/*/*/files/report.txt') == [
        f'{STUDY}/files/report.txt', 'demo/north/P0001/Follow-up/files/report.txt']
    assert fs.du(STUDY) == 262144 + 20 + 47 + 650
    assert [top for top, _, _ in fs.walk(f'{STUDY}/files')] == [f'{STUDY}/files', f'{STUDY}/files/waveforms']


@pytest.mark.parametrize('options', [{}, {'use_listings_cache': False}, {'listings_expiry_time': 0}])
def test_what_cannot_be_listed_is_not_passed_over(fs, tmp_path, options):
    """It may be a whole study."""
    fresh = fsspec.filesystem('igt', skip_instance_cache=True, **options)
    list_files = fresh._files

    def files(node):
        if 'Follow-up' in node.path:
            raise ConnectionError('no route to the cloud')
        return list_files(node)
    fresh._files = files
    gone = 'demo/north/P0001/Follow-up/files/x'
    for act in (lambda: fresh.exists(gone), lambda: fresh.isfile(gone), lambda: fresh.isdir(gone),
                lambda: fresh.rm([gone]), lambda: fresh.find('demo/north'), lambda: fresh.glob('demo/north/**'),
                lambda: fresh.find('demo/north', maxdepth=9), lambda: list(fresh.walk('demo')),
                lambda: fresh.get('demo/north', str(tmp_path / 'x'), recursive=True)):
        with pytest.raises(ConnectionError):
            act()
    assert list(fresh.walk('demo/west')) == []


def test_files_below_what_is_a_file_too(fs, monkeypatch):
    """And below an object that stands for a folder."""
    listed = {'report.txt': 'images', 'waveforms/ecg.bin': 'images/a'}
    for stands in ('images', 'images/'):
        listed['report.txt'] = stands
        monkeypatch.setattr('igtcloud.client.fs._below', lambda file, prefix: listed[file.key[len(prefix):]])
        fs.invalidate_cache()
        found = fs.find(f'{STUDY}/files')
        assert f'{STUDY}/files/images/a' in found and (f'{STUDY}/files/images' in found) is (stands == 'images')
    fs.invalidate_cache()


def test_listings_are_kept_and_forgotten(fs, cloud, auth):
    fs.ls(f'{STUDY}/files')
    cloud.clear()
    fs.info(ECG), fs.ls(f'{STUDY}/files'), fs.exists(ECG)
    assert not cloud.requests()
    fs.invalidate_cache(STUDY)
    fs.ls(f'{STUDY}/files')
    assert len(cloud.requests()) == 1
    fresh = fsspec.filesystem('igt', skip_instance_cache=True, use_listings_cache=False)
    cloud.clear()
    fresh.info(ECG), fresh.info(ECG)
    assert len(cloud.requests()) >= 2


def test_ids_stand_for_names(fs):
    study = fs.info(STUDY)['id']
    assert fs.info(f'id:demo-project/id:demo-north/id:{study}/files/report.txt')['size'] == 20


def test_names_with_slashes_and_names_twice():
    from igtcloud.client import fs as module
    from igtcloud.client.services.entities.models import Project
    found = module._named([Project(id='1', name='a/b'), Project(id='2', name='x'), Project(id='3', name='x'),
                           Project(id='4'), Project(id='5', name='..'), Project(id='6', name='a')], 'name', 'id')
    assert list(found) == ['a/b', 'id:2', 'id:3', 'id:4', 'id:5', 'a']
    assert module._longest(found, 'a/b/c')[0] == 'a/b' and module._longest(found, 'a/c')[0] == 'a'
    assert module._longest(found, 'id:1/c')[1].name == 'a/b' and module._longest(found, 'b') is None


def test_reading(fs, cloud):
    assert fs.cat(f'{STUDY}/files/report.txt') == fs.cat_file(f'igt://{STUDY}/files/report.txt')
    whole = fs.cat_file(ECG)
    assert len(whole) == 262144
    with fs.open(ECG) as file:
        assert file.read(10) == whole[:10] and file.size == 262144 and file.seekable()
        file.seek(-10, 2)
        assert file.read() == whole[-10:]
        file.seek(1000)
        assert file.read(5) == whole[1000:1005]
    with fsspec.open(f'igt://{STUDY}/files/report.txt', 'r') as file:
        assert file.read() == fs.cat(f'{STUDY}/files/report.txt').decode()
    for missing in (f'{STUDY}/files/x', STUDY, ''):
        with pytest.raises(OSError):
            fs.open(missing)
    assert fs.head(ECG, 4) == whole[:4] and fs.tail(ECG, 4) == whole[-4:]


def test_ranges(fs, cloud):
    whole = fs.cat_file(ECG)
    assert fs.cat_file(ECG, 5, 9) == whole[5:9] and fs.cat_file(ECG, -4) == whole[-4:]
    assert fs.cat_file(ECG, 262140, 999999) == whole[-4:] and fs.cat_file(ECG, 9, 5) == b''
    cloud.clear()
    starts = list(range(0, 200000, 20000))
    found = fs.cat_ranges([ECG] * 10, starts, [start + 10 for start in starts])
    assert found == [whole[start:start + 10] for start in starts]
    assert all(one['range'] for one in cloud.requests(path='*/ecg.bin'))
    bad = fs.cat_ranges([ECG, f'{STUDY}/files/x'], 0, 4)
    assert bad[0] == whole[:4] and isinstance(bad[1], FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges([f'{STUDY}/files/x'], 0, 4, on_error='raise')
    with pytest.raises(ValueError):
        fs.cat_ranges([ECG], [0, 1], [1])


def test_many_at_once(fs):
    found = fs.cat(f'{STUDY}/files', recursive=True)
    assert set(found) == {ECG, f'{STUDY}/files/report.txt'} and len(found[ECG]) == 262144
    assert list(fs.cat([ECG, f'{STUDY}/files/x'], on_error='omit')) == [ECG]
    assert isinstance(fs.cat([ECG, f'{STUDY}/files/x'], on_error='return')[f'{STUDY}/files/x'], OSError)


def test_getting(fs, tmp_path):
    fs.get(ECG, str(tmp_path / 'x' / 'ecg'))
    assert (tmp_path / 'x' / 'ecg').read_bytes() == fs.cat_file(ECG)
    fs.get(STUDY, str(tmp_path / 'study'), recursive=True)
    assert (tmp_path / 'study/files/waveforms/ecg.bin').stat().st_size == 262144
    assert (tmp_path / 'study/annotations/vessel.json').stat().st_size == 47
    buffer = io.BytesIO()
    fs.get_file(ECG, buffer)
    assert buffer.getvalue() == fs.cat_file(ECG)
    seen = fsspec.Callback()
    fs.get_file(ECG, str(tmp_path / 'again'), callback=seen)
    assert seen.size == seen.value == 262144


@pytest.mark.parametrize('name', ['../../evil.txt', '../evil.txt', 'a/../../evil.txt'])
def test_a_name_of_the_cloud_leads_out_of_no_folder(fs, tmp_path, monkeypatch, name):
    monkeypatch.setattr('igtcloud.client.fs._below', lambda file, prefix: name if file.key.endswith('ecg.bin') else 'ok')
    with pytest.raises(OSError, match='lead out'):
        fs.get(f'{STUDY}/files', str(tmp_path / 'in' / 'here'), recursive=True)
    assert not list(tmp_path.rglob('evil*')) and list(tmp_path.rglob('ok'))


@pytest.mark.parametrize('where', ['study', 'study/files', 'study/files/waveforms', 'study/files/report.txt'])
def test_links_that_others_planted_are_not_followed(fs, tmp_path, where):
    outside, link = tmp_path / 'outside', tmp_path / 'target' / where
    (outside / 'sub').mkdir(parents=True)
    (outside / 'mine').write_text('mine')
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / 'mine' if where.endswith('.txt') else outside)
    try:
        fs.get('demo/north/P0001', str(tmp_path / 'target'), recursive=True)
    except OSError:
        pass
    assert sorted(path.name for path in outside.rglob('*')) == ['mine', 'sub'] and (outside / 'mine').read_text() == 'mine'


def test_putting_and_removing(fs, study, tmp_path):
    (tmp_path / 'tree/sub').mkdir(parents=True)
    (tmp_path / 'tree/a.txt').write_text('a')
    (tmp_path / 'tree/sub/b.txt').write_text('bb')
    fs.put(str(tmp_path / 'tree/a.txt'), f'{study}/files/one.txt')
    fs.put(str(tmp_path / 'tree'), f'{study}/files/', recursive=True)
    assert fs.cat_file(f'{study}/files/one.txt') == b'a'
    assert {one.split('/files/')[1] for one in fs.find(study)} >= {'one.txt', 'tree/sub/b.txt'}
    (tmp_path / 'tree/a.txt').write_text('changed')
    fs.put_file(str(tmp_path / 'tree/a.txt'), f'{study}/files/one.txt')
    assert fs.cat_file(f'{study}/files/one.txt') == b'changed' and fs.info(f'{study}/files/one.txt')['size'] == 7
    fs.cp_file(f'{study}/files/one.txt', f'{study}/files/two.txt')
    assert fs.cat_file(f'{study}/files/two.txt') == b'changed'
    fs.rm(f'{study}/files/two.txt')
    fs.rm(f'{study}/files/tree', recursive=True)
    assert names(fs.find(study)) == ['one.txt']


def test_putting_a_folder_with_links(fs, study, tmp_path, caplog, monkeypatch):
    (tmp_path / 'private').mkdir()
    (tmp_path / 'private/key.pem').write_text('secret')
    (tmp_path / 'tree/sub').mkdir(parents=True)
    (tmp_path / 'tree/a.txt').write_text('a')
    (tmp_path / 'tree/sub/b.txt').write_text('b')
    (tmp_path / 'tree/link').symlink_to(tmp_path / 'private/key.pem')
    (tmp_path / 'tree/folder').symlink_to(tmp_path / 'private')
    fs.put(str(tmp_path / 'tree'), f'{study}/files/', recursive=True)
    assert {one.split('/files/')[1] for one in fs.find(study)} == {'tree/a.txt', 'tree/sub/b.txt'}
    assert 'tree/link: left out' in caplog.text and 'tree/folder: left out' in caplog.text
    scan = os.scandir

    def fail(path):
        if str(path).endswith('sub'):
            raise PermissionError(13, 'Permission denied', str(path))
        return scan(path)
    monkeypatch.setattr(os, 'scandir', fail)
    with pytest.raises(PermissionError):
        fs.put(str(tmp_path / 'tree'), f'{study}/files/', recursive=True)


def test_writing(fs, study):
    with fs.open(f'{study}/files/w.txt', 'wb') as file:
        file.write(b'one')
        file.write(b'two')
    assert fs.cat_file(f'{study}/files/w.txt') == b'onetwo'
    fs.pipe(f'{study}/files/p.bin', b'\0' * 1000)
    assert fs.info(f'{study}/files/p.bin')['size'] == 1000
    with fsspec.open(f'igt://{study}/files/t.txt', 'w') as file:
        file.write('ä')
    assert fs.cat_file(f'{study}/files/t.txt') == 'ä'.encode()
    with pytest.raises(FileExistsError):
        fs.open(f'{study}/files/w.txt', 'xb')


def test_a_child_leaves_the_file_that_its_parent_writes(fs, study):
    with fs.open(f'{study}/files/w.txt', 'wb') as file:
        file.write(b'one')
        pid = os.fork()
        if pid == 0:
            file.__del__()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        file.write(b'two')
    assert fs.cat_file(f'{study}/files/w.txt') == b'onetwo'


def test_a_failed_write_uploads_nothing(fs, study, own_environment):
    with pytest.raises(RuntimeError):
        with fs.open(f'{study}/files/half.txt', 'wb') as file:
            file.write(b'half')
            raise RuntimeError
    opened = fs.open(f'{study}/files/lost.txt', 'wb')
    opened.write(b'half')
    del opened
    assert fs.find(study) == [] and not list(own_environment.glob('igtcloud-*'))


@pytest.mark.parametrize('act', [
    lambda fs: fs.open('demo/north/x', 'wb'), lambda fs: fs.open('demo/new/files/x', 'wb'),
    lambda fs: fs.pipe(f'{STUDY}/x', b''), lambda fs: fs.pipe(f'{STUDY}/files/../x', b''),
    lambda fs: fs.rm(STUDY, recursive=True), lambda fs: fs.rm('demo', recursive=True),
    lambda fs: fs.makedirs('demo/north/P0009/New'),
    lambda fs: fs.put_file(str(ROOT / 'LICENSE'), 'demo/LICENSE')])
def test_what_is_refused(fs, act):
    before = fs.find('demo')
    with pytest.raises(OSError):
        act(fs)
    fs.invalidate_cache()
    assert fs.find('demo') == before


def test_pandas_reads_and_writes(fs, study):
    pandas = pytest.importorskip('pandas')
    table = pandas.DataFrame({'a': [1, 2], 'b': ['x', 'ä']})
    table.to_csv(f'igt://{study}/files/table.csv', index=False)
    assert pandas.read_csv(f'igt://{study}/files/table.csv').equals(table)


def test_dask_reads(fs, study):
    dask = pytest.importorskip('dask.bytes')
    fs.pipe(f'{study}/files/part-1.txt', b'x' * 100)
    fs.pipe(f'{study}/files/part-2.txt', b'y' * 50)
    _, blocks = dask.read_bytes(f'igt://{study}/files/part-*.txt', blocksize=40)
    assert b''.join(part.compute() for blocks_of in blocks for part in blocks_of) == b'x' * 100 + b'y' * 50


def test_zarr_reads_and_writes(fs, study):
    zarr = pytest.importorskip('zarr')
    numpy = pytest.importorskip('numpy')
    store = fs.get_mapper(f'{study}/files/volume.zarr')
    made = zarr.open(store, mode='w', shape=(100, 100), chunks=(50, 50), dtype='i4')
    made[:] = numpy.arange(10000).reshape(100, 100)
    again = zarr.open(fs.get_mapper(f'{study}/files/volume.zarr'), mode='r')
    assert (again[40:60, 40:60] == made[40:60, 40:60]).all()


def test_local_copies_are_kept(fs, tmp_path):
    cached = fsspec.filesystem('filecache', target_protocol='igt', cache_storage=str(tmp_path / 'cache'))
    with cached.open(ECG) as file:
        assert file.read() == fs.cat_file(ECG)
    assert any(path.stat().st_size == 262144 for path in (tmp_path / 'cache').iterdir())


def test_it_goes_to_other_processes(fs):
    assert pickle.loads(pickle.dumps(fs)).info(ECG)['size'] == 262144
