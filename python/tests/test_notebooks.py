# SPDX-License-Identifier: MIT
"""The notebooks of python/notebooks run, and show what their texts say."""

import importlib.util
import json
import os

import pytest
from conftest import ROOT, Sandbox

pytest.importorskip('nbclient')
pytest.importorskip('ipykernel')
spec = importlib.util.spec_from_file_location('notebooks', ROOT / 'python/notebooks/run.py')
notebooks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(notebooks)


@pytest.fixture
def run(own_environment, tmp_path, monkeypatch):
    """Runs a notebook against a new sandbox -> its outputs as text, cell by cell, and the folder it ran in."""
    # What Debian's Jupyter warns of, in the tests' development mode, is not ours.
    monkeypatch.delenv('PYTHONDEVMODE', raising=False)
    monkeypatch.setenv('IPYTHONDIR', str(own_environment / 'ipython'))
    monkeypatch.setenv('JUPYTER_RUNTIME_DIR', str(own_environment / 'jupyter'))
    seed = tmp_path / 'seed.json'
    seed.write_text(json.dumps(notebooks.seed()))

    def work(name):
        with Sandbox(seed=seed) as cloud, notebooks.environment(cloud.url) as env:
            done = notebooks.run(name, env, tmp_path)
        return [text_of(cell) for cell in done.cells if cell.cell_type == 'code'], tmp_path
    return work


def text_of(cell):
    """What a cell shows: printed text, the text of its value, and the types of pictures. No warnings."""
    shown = []
    for one in cell.outputs:
        if one.get('name') == 'stderr':
            assert 'font cache' in one.text, one.text  # matplotlib says so if it takes long, the first time
            continue
        data = one.get('data', {})
        shown += [one.get('text', ''), data.get('text/plain', ''), *(kind for kind in data if kind.startswith('image/'))]
    return '\n'.join(filter(None, shown))


def test_a_cohort_is_found_and_plotted(run):
    shown, folder = run('cohort')
    rows = [row for row in notebooks.seed()['projects'][0]['institutes'] for row in row['studies']
            if row['patient']['gender'] == 'F' and '2025-04' <= row['studyDate'] < '2025-11']
    assert 'P001/CTA' in shown[1] and 'datetime64[ns, UTC]' in shown[2]
    assert len(rows) and sum(int(line.split()[-1]) for line in shown[3].splitlines()[1:-1]) == len(rows)
    assert 'image/png' in shown[4]
    assert shown[6] == str((len(rows), 2 * len(rows)))
    assert len([path for path in (folder / 'cohort').rglob('*') if path.is_file()]) == 2 * len(rows)
    assert not (folder / 'all').exists()


def test_headers_and_frames_are_read_by_ranges(run):
    shown, _ = run('dicom-headers')
    assert shown[2].splitlines()[0] == 'XA 24 frames of 128 by 128'
    fetched, size = (int(word.replace(',', '')) for word in shown[2].splitlines()[1].split() if word[0].isdigit())
    assert fetched < size / 10
    assert shown[3] == f'((128, 128), {1000 + 8 * 81})' and 'image/png' in shown[4]  # the disc's lowest row
    assert shown[5] == "[('P001', 'XA', 128)]"


def test_a_service_identity_uploads(run):
    shown, folder = run('service-upload')
    assert shown[0] == "'0o600'"
    assert shown[2] == str(([True] * 5, [False] * 5))
    assert shown[3].count('True') == 5 and 'run-4.csv' in shown[3]
    assert not list(folder.glob('*.pem'))


def test_an_old_script_runs_and_its_successor_agrees(run):
    shown, folder = run('migrate')
    assert shown[0] == '24' and shown[1] == '(True, True, True)'
    assert shown[2] == '(24, 24, 0)'
    assert shown[3].startswith('the script ') and shown[3].count(' ms') == 2
    old, new = (sorted(path.read_bytes() for path in (folder / name).rglob('*')
                       if path.is_file() and path.name != 'study.json') for name in ('old', 'new'))
    assert old == new and len(old) == 24


def test_their_stored_outputs_are_of_a_complete_run():
    """The documentation shows them: scripts that were changed are run again with python/notebooks/run.py."""
    for name in notebooks.NAMES:
        cells = json.loads((ROOT / f'python/notebooks/{name}.ipynb').read_text())['cells']
        counts = [cell['execution_count'] for cell in cells if cell['cell_type'] == 'code']
        assert counts == list(range(1, len(counts) + 1))
        assert os.path.expanduser('~') not in json.dumps(cells) and 'BEGIN' not in json.dumps(cells)
    assert notebooks.NAMES == ['cohort', 'dicom-headers', 'migrate', 'service-upload']
