# SPDX-License-Identifier: MIT
"""Tables of pandas, pictures in notebooks, and DICOM headers without downloading."""

import base64
import datetime as dt
import re

import pydicom
import pytest
from igtcloud.client import frames, notebook
from igtcloud.client.services import _models
from igtcloud.client.services.entities.models import File, Patient, Project, Study
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

pandas = pytest.importorskip('pandas')
SIDE = 2048  # 8 MiB of pixels


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    """A DICOM file: a short header, and then pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = tmp_path_factory.mktemp('dicom') / 'image.dcm'
    made = FileDataset(str(path), {}, file_meta=meta, preamble=b'\0' * 128)
    made.is_little_endian, made.is_implicit_VR = True, False
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.PatientID, made.PatientName, made.StudyID, made.Modality = 'P7', 'A^B', 'S7', 'CT'
    made.Rows = made.Columns = SIDE
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, 'MONOCHROME2'
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.PixelData = bytes(2 * SIDE * SIDE)
    made.save_as(path, write_like_original=False)
    return path


@pytest.fixture
def north(entities):
    project, = (one for one in entities.get_projects() if one.name == 'demo')
    return next(one for one in project.institutes if one.name == 'north')


@pytest.fixture
def imported(north, image, cloud):
    """The study that an import makes of the image."""
    north.dicom.upload(image)
    return cloud.wait_for(lambda: [one for one in reload(north.studies) if 'P7' in str(one.patient)
                                   and list(one.dicom)])[0]


def reload(collection):
    collection.reload()
    return collection


# ---- pydicom ----


def test_a_header_costs_one_small_range(cloud, imported, image):
    file, = imported.dicom
    cloud.clear()
    with file.open() as opened:
        header = pydicom.dcmread(opened, stop_before_pixels=True)
        fetched = opened.raw.fetched
    assert header.PatientID == 'P7' and header.Rows == SIDE and 'PixelData' not in header
    asked = cloud.requests(method='GET', path='*/image.dcm')
    assert len(asked) == 1 and asked[0]['range'] and fetched <= 70_000 < image.stat().st_size


def test_the_whole_image_is_read_too(imported, image):
    file, = imported.dicom
    with file.open() as opened:
        assert pydicom.dcmread(opened).PixelData == pydicom.dcmread(image).PixelData


# ---- pandas ----


def test_a_project_as_a_table(entities):
    project, = (one for one in entities.get_projects() if one.name == 'demo')
    table = project.to_dataframe()
    assert len(table) == sum(len(one.studies) for one in project.institutes)
    assert list(table.columns[:3]) == ['project', 'institute', 'study_database_id']
    assert set(table.institute) == {'north', 'south'} and set(table.project) == {'demo'}
    assert str(table.study_date.dtype) == 'datetime64[ns, UTC]'
    assert str(table.patient_id.dtype) == 'string' and 'patient_gender' in table
    row = table[table.study_id_human_readable == 'P0001/CTA'].iloc[0]
    assert row.study_date == pandas.Timestamp('2024-01-15T10:15Z') and row.patient_id == 'P0001'


def test_an_institutes_files_as_a_table(north):
    table = north.to_dataframe(files=True)
    assert 'project' not in table and set(table.institute) == {'north'}
    assert str(table.file_size.dtype) == 'Int64' and str(table.file_is_completed.dtype) == 'boolean'
    sizes = table[table.file_name == 'waveforms/ecg.bin'].groupby('study_id_human_readable').file_size.sum()
    assert sizes['P0001/CTA'] == 262144 and sizes['P0002/CTA'] == 1048576
    assert len(table) == sum(max(1, len(one.files)) for one in north.studies)


def study_of(**fields):
    return _models.deserialize({'studyType': 'Study', **fields}, 'RootStudy')


class Place:
    name = 'here'

    def __init__(self, *studies):
        self.studies = list(studies)

    def get(self, name):
        return getattr(self, name, None)


def test_types_of_columns():
    table = frames.studies([Place(
        study_of(studyDate='2020-01-02T03:04:05+02:00', purpose=['a'], extra={'b': 1}),
        study_of(studyDate='2020-01-02', state=None, patient={'givenName': 'Ada'}),
        study_of(studyDate='0001-01-01T00:00:00Z', studyId='x'), study_of(studyDate='n/a', studyId='y'))])
    assert list(table.study_date.dropna()) == [pandas.Timestamp('2020-01-02T01:04:05Z'),
                                               pandas.Timestamp('2020-01-02T00:00Z')]
    assert table.purpose[0] == ['a'] and table.extra[0] == {'b': 1} and table.extra[1] is None
    assert table.patient_given_name[1] == 'Ada' and table.patient_given_name.isna().sum() == 3
    assert str(table.study_id.dtype) == 'string' and table.columns[-1] == 'extra'
    assert str(frames.models([File('k', 1, is_new=True)]).is_new.dtype) == 'boolean'


def test_values_of_other_types_than_described_stay():
    table = frames.models([_models.deserialize({'key': 5, 'fileSize': 'big'}, 'File')])
    assert table.key[0] == 5 and table.file_size[0] == 'big'


def test_tables_of_nothing():
    assert frames.models([]).empty and frames.studies([]).empty and frames.files([Place()]).empty
    assert list(frames.studies([Place()]).columns) == ['institute']


def test_a_failing_list_of_files_is_raised():
    class Broken:
        def __getattr__(self, name):
            raise RuntimeError('no list')
    with pytest.raises(RuntimeError):
        frames.files([Place(Broken())])


def test_collections_as_tables(north):
    assert list(north.studies.to_dataframe().study_type.unique()) == ['Study']
    assert 'key' in north.studies[0].files.to_dataframe()


# ---- HTML ----


def text_of(page):
    return re.sub('<[^>]*>', ' ', page)


def test_a_model_is_a_table_of_its_fields():
    page = Study('Study', patient=Patient(given_name='Ada'), purpose=['a', 'b'],
                 study_date=dt.datetime(2020, 1, 2))._repr_html_()
    assert page.startswith('<div><table>') and '<b>Study</b>' in page
    assert 'given_name: Ada' in page and 'a, b' in page and '2020-01-02 00:00:00' in page


def test_nothing_of_the_cloud_is_markup():
    evil = '<script>alert(1)</script>"\'&'
    page = notebook.models([_models.deserialize({'name': evil, evil: evil}, 'Project'),
                            study_of(**{evil: evil, 'patient': {'givenName': evil}})])
    page += study_of(**{evil: evil, 'studyId': evil})._repr_html_()
    assert '<script' not in page and '&lt;script&gt;' in page


def test_a_list_is_a_table_and_says_how_much_of_it():
    page = notebook.models([Project(id=str(n), name=f'project {n}', s3_prefix='p/') for n in range(30)])
    assert '30 Project, the first 20' in page and 'project 19' in page and 'project 20' not in page
    assert re.findall('<th>([a-z][a-z0-9_]+)</th>', page) == ['name', 'id', 's3_prefix']
    assert notebook.models([]) == '<div><p>0 items</p><table><th></th></table></div>'


def test_collections_and_lists_in_a_notebook(entities, north):
    assert 'P0001/CTA' in north.studies._repr_html_()
    formatting = pytest.importorskip('IPython.core.formatters')
    formatter = formatting.HTMLFormatter()

    class Shell:
        display_formatter = type('Formatter', (), {'formatters': {'text/html': formatter}})
    notebook.load_ipython_extension(Shell)
    assert 'demo' in formatter(entities.get_projects())
    assert formatter([1, 2]) is None and formatter([]) is None
    notebook.unload_ipython_extension(Shell)
    assert formatter(entities.get_projects()) is None


def test_previews_are_shown(imported):
    for page in (imported._repr_html_(), imported.series._repr_html_(), notebook.models([imported])):
        data = re.search('src="data:image/jpeg;base64,([^"]+)"', page)[1]
        assert base64.b64decode(data).startswith(b'\xff\xd8')


def test_showing_never_fails_and_does_not_wait(cloud, imported, monkeypatch):
    monkeypatch.setattr(notebook, 'seconds', 0.2)
    cloud.faults({'fault': 'internal-error', 'path': '**/preview.jpg', 'times': 9})
    assert 'P7' in imported._repr_html_() and 'img' not in imported._repr_html_()
    cloud.heal()
    assert 'P7' in study_of(studyId='P7')._repr_html_()  # without an id no series can be listed
    monkeypatch.setattr(notebook, 'previews', 0)
    assert 'img' not in imported._repr_html_()


@pytest.mark.parametrize('url', ['', 'http://[', 'https://evil.example/x.jpg', None, 5,
                                 '/hospitals/../series/x/y'])
def test_a_preview_elsewhere_is_not_fetched(url, entities, cloud):
    series = _models.deserialize({'seriesType': 'IgtCloudSeries', 'previewUrl': url}, 'Series')
    cloud.clear()
    assert 'img' not in series._repr_html_()
    assert not cloud.requests(path='*evil*')
