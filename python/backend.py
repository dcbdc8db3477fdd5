#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Packs the Python package: a wheel, and a source distribution that builds.

    python/backend.py wheel|sdist [OUTPUT_FOLDER]        as `make wheel` does
    python/backend.py info FOLDER                        writes what says what is installed, for a .deb

It is also the build backend (PEP 517) of pyproject.toml, so `pip wheel .`, `python3 -m build` and
`pip install git+https://...` work. It needs Meson, Ninja, a C compiler, cffi and the libraries of the
C side, and nothing from PyPI.

A wheel holds what the build puts together in build-wheel/python, libigtcloud, and, if patchelf is
there, all libraries behind it but the C library. Those get names of their own (libcrypto-igt.so.3):
under the plain ones Python's ssl would run on our libcrypto, or we on its. libcurl is loaded at run
time, so no tool finds it by looking: it is built in under its new name (option curl_library). Without
patchelf the wheel uses the libraries of this machine, and its tag says so.
"""

import base64
import csv
import gzip
import hashlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Of the C library and the dynamic linker, which must be the system's own.
SYSTEM = re.compile(r'(ld-linux.*|lib(c|m|pthread|dl|rt|resolv|util|nsl|anl)\.so\..*)')
CURL = 'libcurl.so.4'
SUMMARY = 'Client of the Philips IGT Cloud Datalake'
EXTRAS = {'tqdm': ['tqdm'], 'cli': ['click', 'tqdm', 'python-dateutil'], 'pandas': ['pandas'],
          'fsspec': ['fsspec'], 'dicom': ['pydicom']}
ENTRY_POINTS = {'console_scripts': {'igtcloud': 'igtcloud.client.tools.console:main'},
                'fsspec.specs': {'igt': 'igtcloud.client.fs:IgtFileSystem'}}


def version():
    return re.search(r"version: '([^']+)'", (ROOT / 'meson.build').read_text())[1]


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace', **options)
    if done.returncode:
        sys.exit(f'backend: {" ".join(map(str, command))} failed:\n{done.stdout}')
    return done.stdout


def moment():
    """The time of everything in a package: SOURCE_DATE_EPOCH, else the commit's, else now."""
    said = os.environ.get('SOURCE_DATE_EPOCH')
    if not said and (ROOT / '.git').exists():
        done = subprocess.run(['git', 'log', '-1', '--format=%ct'], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        said = done.stdout.strip()
    return max(int(said or time.time()), 315532800)  # a zip file knows no time before 1980


# ---- building ----


def build(folder, bundled):
    """Builds the package in `folder` and returns its root."""
    options = ['-Dtests=disabled', '-Dsandbox=disabled', '-Dpython=enabled', '--buildtype=debugoptimized']
    options.append(f'-Dcurl_library={renamed(CURL) if bundled else CURL}')
    # The linker's build id is a digest of all that there was before stripping: of the folder's name, too.
    options.append(f"-Dc_args='-ffile-prefix-map={ROOT}=.'")
    if (folder / 'build.ninja').exists():
        run('meson', 'configure', folder, *options)
    else:
        run('meson', 'setup', folder, ROOT, *options)
    run('ninja', '-C', folder, 'python/assembled')
    return folder / 'python'


def renamed(name):
    """libcrypto.so.3 -> libcrypto-igt.so.3."""
    stem, _, rest = name.partition('.so')
    return f'{stem}-igt.so{rest}'


def needed_by(path):
    """{soname: file} of the libraries that a file needs, and those they need; not the C library."""
    found = {}
    for name, target in re.findall(r'(\S+) => (/\S+) \(', run('ldd', path)):
        if not SYSTEM.fullmatch(name):
            found[name] = pathlib.Path(target)
    return found


def bundle(root, build_folder):
    """Copies the libraries next to the extension and makes them find each other there."""
    libs = root / 'igtcloud/client/_libs'
    libs.mkdir()
    ours = next(build_folder.glob('lib/libigtcloud.so.?'))
    curl = pathlib.Path(run('cc', f'-print-file-name={CURL}').strip())
    found = {ours.name: ours, CURL: curl, **needed_by(ours), **needed_by(curl)}
    for name, path in found.items():
        target = libs / renamed(name)
        shutil.copyfile(path, target)
        run('strip', '--strip-unneeded', target)
        run('patchelf', '--set-soname', renamed(name), '--set-rpath', '$ORIGIN', target)
    extension = root / 'igtcloud/client/_native.abi3.so'
    run('strip', '--strip-unneeded', extension)
    run('patchelf', '--set-rpath', '$ORIGIN/_libs', extension)
    for path in [*libs.iterdir(), extension]:
        wanted = run('patchelf', '--print-needed', path).split()
        for name in wanted:
            if name in found:
                run('patchelf', '--replace-needed', name, renamed(name), path)
    return found


def licences(found):
    """{file name: text} of the bundled libraries, by Debian's packages."""
    texts = {}
    for path in found.values():
        for one in (path.resolve(), path):
            done = subprocess.run(['dpkg', '-S', str(one)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            owner = done.stdout.partition(':')[0]
            text = pathlib.Path('/usr/share/doc') / owner / 'copyright'
            if owner and text.is_file():
                texts[f'{owner}.copyright'] = text.read_bytes()
                break
    return texts


# ---- the wheel ----


def tag(bundled):
    """cp39-abi3: one for all Pythons from 3.9 on. Bundled: for any Linux with a C library as new as ours."""
    machine = os.uname().machine
    libc = os.confstr('CS_GNU_LIBC_VERSION').split()[1].replace('.', '_')
    return f'cp39-abi3-manylinux_{libc}_{machine}' if bundled else f'cp39-abi3-linux_{machine}'


def metadata():
    lines = ['Metadata-Version: 2.1', 'Name: igtcloud', f'Version: {version()}', f'Summary: {SUMMARY}',
             'Home-page: https://github.com/philips-labs/igtcloud-client', 'License: MIT',
             'Classifier: Programming Language :: Python :: 3', 'Classifier: Operating System :: POSIX :: Linux',
             'Classifier: Typing :: Typed', 'Requires-Python: >=3.9', 'Requires-Dist: cffi>=1.15']
    for extra, packages in EXTRAS.items():
        lines.append(f'Provides-Extra: {extra}')
        lines += [f'Requires-Dist: {package} ; extra == "{extra}"' for package in packages]
    lines += ['Description-Content-Type: text/markdown', '', (ROOT / 'python/README.md').read_text()]
    return '\n'.join(lines)


def entry_points(groups):
    return '\n'.join(f'[{group}]\n' + ''.join(f'{name} = {place}\n' for name, place in ENTRY_POINTS[group].items())
                     for group in groups)


def dist_info(bundled, texts):
    """{file name: bytes} of the folder that says what is installed."""
    wheel = f'Wheel-Version: 1.0\nGenerator: igtcloud\nRoot-Is-Purelib: false\nTag: {tag(bundled)}\n'
    found = {'METADATA': metadata().encode(), 'WHEEL': wheel.encode(),
             'entry_points.txt': entry_points(ENTRY_POINTS).encode(),
             'licenses/LICENSE': (ROOT / 'LICENSE').read_bytes()}
    found.update({f'licenses/{name}': text for name, text in texts.items()})
    return found


def pack(root, target, info, folder_name):
    """Writes the zip file: everything below root, and the dist-info with its RECORD."""
    stamp = time.gmtime(moment())[:6]
    rows = io.StringIO()
    record = csv.writer(rows, lineterminator='\n')
    with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        def add(name, data, mode=0o644):
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, data)
        for path in sorted(root.rglob('*')):
            if path.is_file() and '__pycache__' not in path.parts:
                name, data = path.relative_to(root).as_posix(), path.read_bytes()
                add(name, data, 0o755 if '.so' in path.name else 0o644)
                record.writerow((name, digest(data), len(data)))
        for name, data in sorted(info.items()):
            add(f'{folder_name}/{name}', data)
            record.writerow((f'{folder_name}/{name}', digest(data), len(data)))
        record.writerow((f'{folder_name}/RECORD', '', ''))
        add(f'{folder_name}/RECORD', rows.getvalue())


def digest(data):
    return 'sha256=' + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517: builds the wheel and returns its file name."""
    bundled = shutil.which('patchelf') is not None
    folder = pathlib.Path((config_settings or {}).get('build-dir') or ROOT / 'build-wheel')
    made = build(folder, bundled)
    name = f'igtcloud-{version()}-{tag(bundled)}.whl'
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        shutil.copytree(made / 'igtcloud', root / 'igtcloud', ignore=shutil.ignore_patterns('__pycache__'))
        if bundled:
            texts = licences(bundle(root, folder))
        else:
            (root / 'igtcloud/client/_libs').mkdir()
            ours = next(folder.glob('lib/libigtcloud.so.?'))
            shutil.copyfile(ours, root / 'igtcloud/client/_libs' / ours.name)
            texts = {}
        pack(root, pathlib.Path(wheel_directory) / name, dist_info(bundled, texts),
             f'igtcloud-{version()}.dist-info')
    return name


# ---- the source distribution ----


def sources():
    """What belongs to the sources: what git knows; of an unpacked distribution everything."""
    if (ROOT / '.git').exists():
        return sorted(filter(None, run('git', 'ls-files', '-z', cwd=ROOT).split('\0')))
    return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob('*') if path.is_file()
                  and not path.relative_to(ROOT).parts[0].startswith('build') and '__pycache__' not in path.parts)


def build_sdist(sdist_directory, config_settings=None):
    """PEP 517: packs the sources and returns the archive's file name."""
    top = f'igtcloud-{version()}'
    target = pathlib.Path(sdist_directory) / f'{top}.tar.gz'
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode='w', format=tarfile.PAX_FORMAT) as archive:
        def add(name, content, mode):
            entry = tarfile.TarInfo(f'{top}/{name}')
            entry.size, entry.mode, entry.mtime = len(content), mode, moment()
            archive.addfile(entry, io.BytesIO(content))
        for name in sources():
            path = ROOT / name
            if name != 'PKG-INFO' and path.is_file():
                add(name, path.read_bytes(), 0o755 if os.access(path, os.X_OK) else 0o644)
        add('PKG-INFO', metadata().encode(), 0o644)
    target.write_bytes(gzip.compress(data.getvalue(), mtime=moment()))
    return target.name


def get_requires_for_build_wheel(config_settings=None):
    return []


def get_requires_for_build_sdist(config_settings=None):
    return []


def write_info(folder):
    """The dist-info of a Debian package, whose console has the C program."""
    target = pathlib.Path(folder) / f'igtcloud-{version()}.dist-info'
    target.mkdir()
    (target / 'METADATA').write_text(metadata())
    (target / 'entry_points.txt').write_text(entry_points(['fsspec.specs']))
    (target / 'INSTALLER').write_text('debian\n')
    return target


def main():
    if sys.argv[1:2] == ['info'] and len(sys.argv) == 3:
        print(write_info(sys.argv[2]))
        return
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in ('wheel', 'sdist'):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else ROOT / 'build-wheel' / 'dist')
    folder.mkdir(parents=True, exist_ok=True)
    make = build_wheel if sys.argv[1] == 'wheel' else build_sdist
    print(folder / make(folder))


if __name__ == '__main__':
    main()
