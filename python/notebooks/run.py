#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the notebooks of this folder against a sandbox of their own.

    python/notebooks/run.py [NAME...]    # runs them, and stores their outputs, which the documentation shows

python/tests/test_notebooks.py calls run(). Each notebook has a kernel of its own that finds a running login, as
`igtcloud login` leaves it, and in CLOUD_DOMAIN the sandbox. Needs python3-nbclient and python3-ipykernel.
"""

import base64
import contextlib
import getpass
import importlib.util
import io
import json
import os
import pathlib
import sys
import tempfile
from unittest import mock

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = pathlib.Path(os.environ.get('IGTCLOUD_PYTHON', ROOT / 'build' / 'python'))
NAMES = sorted(path.stem for path in HERE.glob('*.ipynb'))
USER, PASSWORD = 'demo@example.com', 'demo'
FRAMES, SIDE = 24, 128


def film():
    """A DICOM file of several frames, a bright disc that moves."""
    import numpy
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = '1.2.840.10008.5.1.4.1.1.12.1'  # X-ray angiography
    meta.MediaStorageSOPInstanceUID = '2.25.2001'
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made = FileDataset('film.dcm', {}, file_meta=meta, preamble=b'\0' * 128)
    made.is_little_endian, made.is_implicit_VR = True, False
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = '2.25.2002', '2.25.2003'
    made.PatientID, made.PatientName, made.StudyDate, made.Modality = 'P001', 'P001', '20250110', 'XA'
    made.NumberOfFrames, made.Rows, made.Columns, made.FrameTime = FRAMES, SIDE, SIDE, 66
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, 'MONOCHROME2'
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    y, x = numpy.mgrid[:SIDE, :SIDE]
    frames = [1000 * ((x - 20 - 4 * n) ** 2 + (y - 64) ** 2 < 300) + 8 * y for n in range(FRAMES)]
    made.PixelData = numpy.array(frames, dtype='<u2').tobytes()
    content = io.BytesIO()
    made.save_as(content, write_like_original=False)
    return content.getvalue()


def seed():
    """A project with two institutes, whose studies spread over a year."""
    def study(number, institute):
        month, day = 1 + 5 * number % 12, 3 + 7 * number % 25
        patient = f'P{number:03d}'
        files = [{'path': 'report.txt', 'text': f'Study {number}\n'},
                 {'path': 'waveforms/ecg.bin', 'size': 20000 + 1000 * number}]
        if number == 1:
            files.append({'path': 'film.dcm', 'category': 'dicom', 'base64': base64.b64encode(film()).decode()})
        return {'studyId': 'CTA' if number % 3 else 'Follow-up', 'description': 'Angiography',
                'studyDate': f'2025-{month:02d}-{day:02d}T09:00:00+00:00',
                'patient': {'patientId': patient, 'patientName': patient, 'gender': 'FM'[number % 2]}, 'files': files}
    institutes = [{'name': name, 'id': f'heart-{name}', 'studies': [study(n, name) for n in numbers]}
                  for name, numbers in (('north', range(1, 13)), ('south', range(13, 19)))]
    return {'users': [{'name': USER, 'password': PASSWORD, 'roles': ['DATA_MANAGER', 'SERVICES_MANAGER']}],
            'projects': [{'name': 'heart', 'id': 'heart', 'projectTypeName': 'IGT', 'institutes': institutes}]}


@contextlib.contextmanager
def environment(url):
    """What a kernel needs: the package, the cloud, and a session, which ends with the block."""
    if str(PACKAGE) not in sys.path:
        sys.path.insert(0, str(PACKAGE))
    from igtcloud.client.core.auth import smart_auth
    with mock.patch.object(getpass, 'getpass', lambda *_, **__: PASSWORD), smart_auth(url, USER) as auth:
        yield {**os.environ, 'PYTHONPATH': str(PACKAGE), 'CLOUD_DOMAIN': url, 'CLOUD_TOKEN_MMAP': auth._filename,
               'PYDEVD_DISABLE_FILE_VALIDATION': '1', 'MPLBACKEND': 'module://matplotlib_inline.backend_inline'}


def run(name, env, folder):
    """The notebook with its outputs, run in `folder`. nbclient.exceptions.CellExecutionError if a cell fails."""
    import nbclient
    import nbformat
    notebook = nbformat.read(HERE / f'{name}.ipynb', as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=60, kernel_name='python3', record_timing=False,
                                     resources={'metadata': {'path': str(folder)}})
    return client.execute(env=env)


def integration_module(name):
    """By its path: another module of that folder has the package's name."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / 'tests/integration' / f'{name}.py')
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def main(names):
    import nbformat
    with tempfile.TemporaryDirectory() as folder:
        seed_file = pathlib.Path(folder, 'seed.json')
        seed_file.write_text(json.dumps(seed()))
        for name in names or NAMES:
            work = pathlib.Path(folder, name)
            work.mkdir()
            os.environ.update(CLOUD_TOKEN_MMAP=str(work / 'session'), XDG_STATE_HOME=str(work / 'state'))
            with integration_module('sandbox').Sandbox(seed=seed_file) as sandbox, environment(sandbox.url) as env:
                done = run(name, env, work)
            nbformat.write(done, HERE / f'{name}.ipynb')
            print(f'{name}: its outputs are stored')


if __name__ == '__main__':
    main(sys.argv[1:])
