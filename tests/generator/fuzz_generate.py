#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Feeds the generator with descriptions that were changed at random: it must make code or refuse
with a place, whatever it is given.

    fuzz_generate.py [SECONDS] [SEED]

Some of the code is compiled, too. A description that fails is written to fuzz-generate.json.
"""

import copy
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / 'api'), str(HERE)]

import forms  # noqa: E402
import generate  # noqa: E402

WORDS = ['$ref', 'type', 'allOf', 'properties', 'items', 'required', 'enum', 'in', 'name', 'schema',
         'object', 'array', 'string', 'file', 'integer', 'body', 'path', 'query', '200', 'default', '',
         '*/', '"\\', 'é', '#/definitions/RootStudy', '#/definitions/Study', 'int', 'a-b', '{id}',
         'discriminator', 'readOnly', 'oneOf', 'nullable', 'anyOf', 'additionalProperties', 'x-y']
VALUES = [None, True, False, 0, -1, 1e400, [], {}, '', [[]], [{}], {'$ref': '#/definitions/Study'},
          {'type': 'string'}, {'allOf': []}, 'string', ['a', 'a'], {'': {}}, 10 ** 30]


def small(spec):
    """A handful of paths and all models: a change is likely to matter, and a run is quick."""
    spec = copy.deepcopy(spec)
    spec['paths'] = dict(list(spec['paths'].items())[:12])
    return spec


def places(node, found):
    """All containers."""
    if isinstance(node, (dict, list)) and node:
        found.append(node)
        for one in node.values() if isinstance(node, dict) else node:
            places(one, found)
    return found


def change(spec, rng):
    node = rng.choice(places(spec, []))
    key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
    value = rng.choice(VALUES + WORDS)
    what = rng.randrange(5)
    if what == 0:
        del node[key]
    elif what == 1:
        node[key] = copy.deepcopy(value)
    elif what == 2 and isinstance(node, dict):
        node[rng.choice(WORDS)] = copy.deepcopy(value)
    elif what == 3 and isinstance(node, dict):
        node[rng.choice(WORDS)] = node.pop(key)
    else:  # something from elsewhere, such as an operation where a model is expected
        node[key] = copy.deepcopy(rng.choice(places(spec, [])))


def attempt(spec, folder):
    """The files, or None where it was refused."""
    path = folder / 'spec.json'
    path.write_text(json.dumps(spec), encoding='utf-8')
    try:
        return generate.generate([str(path)])
    except generate.SpecError as error:
        assert re.match(r'spec\.json', str(error)), f'no place: {error}'
        return None


def compiles(files, folder):
    (folder / 'igtcloud').mkdir(exist_ok=True)
    for name, text in files.items():
        place = folder / ('igtcloud' if name.endswith('.h') else '.') / name
        place.write_text(text, encoding='utf-8')
    command = ['gcc', '-std=gnu17', '-Wall', '-Wextra', '-Wconversion', '-Werror', '-fsyntax-only',
               '-Wno-missing-field-initializers', '-Wno-trigraphs', '-D_GNU_SOURCE', f'-I{folder}',
               f'-I{ROOT}/include', f'-I{ROOT}/lib', str(folder / 'models.c'),
               str(folder / 'operations.c')]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def run(seed, more, compile_one_of=40):
    """Goes on while more(n) says so; (made, refused)."""
    rng = random.Random(seed)
    spec = small(json.loads((ROOT / 'api' / 'entities.json').read_text(encoding='utf-8')))
    seeds = [spec, forms.vendor(spec), forms.openapi3(spec), forms.openapi31(spec)]
    made = refused = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        while more(made + refused):
            mutant = copy.deepcopy(rng.choice(seeds))
            for _ in range(rng.randint(1, 4)):
                change(mutant, rng)
            try:
                files = attempt(mutant, folder)
                if files and made % compile_one_of == 0:
                    compiles(files, folder)
            except Exception:
                pathlib.Path('fuzz-generate.json').write_text(json.dumps(mutant), encoding='utf-8')
                raise
            made, refused = made + bool(files), refused + (not files)
    return made, refused


def main(arguments):
    seconds = float(arguments[0]) if arguments else 30
    seed = int(arguments[1]) if len(arguments) > 1 else random.randrange(2 ** 32)
    end = time.monotonic() + seconds
    print(f'seed {seed}', flush=True)
    made, refused = run(seed, lambda n: time.monotonic() < end)
    print(f'{made} made into code, {refused} refused')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
