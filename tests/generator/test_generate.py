# SPDX-License-Identifier: MIT
"""The generator: what it makes of the API, and what it refuses."""

import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPECS = [ROOT / 'api' / name for name in ('auth.json', 'action.json', 'entities.json')]
sys.path.insert(0, str(ROOT / 'api'))

import generate  # noqa: E402

BASE = {
    'swagger': '2.0', 'basePath': '/x', 'security': [{'jwt': []}],
    'paths': {
        '/things/{thing_id}': {
            'get': {
                'operationId': 'get_thing',
                'parameters': [
                    {'name': 'thing_id', 'in': 'path', 'required': True, 'type': 'string'},
                    {'name': '$filter', 'in': 'query', 'type': 'string'}],
                'responses': {'200': {'schema': {'$ref': '#/definitions/Thing'}}}}}},
    'definitions': {
        'Thing': {'type': 'object', 'required': ['kind'], 'discriminator': 'kind',
                  'properties': {'kind': {'type': 'string'},
                                 'operator': {'type': 'string'},
                                 'model': {'type': 'integer'},
                                 'on': {'type': 'string', 'format': 'date-time'}}},
        'BigThing': {'allOf': [{'$ref': '#/definitions/Thing'},
                               {'type': 'object',
                                'properties': {'parts': {'type': 'array',
                                                         'items': {'$ref': '#/definitions/Thing'}}}}]}}}

pytestmark = pytest.mark.plain('the same in every build')


def make(tmp_path, spec):
    path = tmp_path / 'spec.json'
    path.write_text(json.dumps(spec), encoding='utf-8')
    return generate.generate([str(path)])


def change(where, value):
    """BASE with one thing set; None removes it."""
    spec = copy.deepcopy(BASE)
    node = spec
    for key in where[:-1]:
        node = node[key]
    if value is None:
        del node[where[-1]]
    else:
        node[where[-1]] = value
    return spec


THING = ['definitions', 'Thing']
GET = ['paths', '/things/{thing_id}', 'get']


@pytest.mark.parametrize('where, value, place, problem', [
    (['swagger'], '1.2', 'spec.json/swagger', 'only Swagger 2.0'),
    (['openapi'], '4.0.0', 'spec.json', ''),
    (['definitions'], [], 'spec.json/definitions', 'an object is expected'),
    (['paths'], 7, 'spec.json/paths', 'an object is expected'),
    (['basePath'], 'x', 'spec.json/basePath', 'slash'),
    (['webhooks'], {}, 'spec.json/webhooks', 'not supported'),
    (THING + ['anyOf'], [], 'spec.json/definitions/Thing/anyOf', 'not supported'),
    (THING + ['properties', 'kind', 'type'], 'null', 'properties/kind/type', 'not supported'),
    (THING + ['properties', 'kind', 'nullable'], True, 'properties/kind/nullable', 'not supported'),
    (THING + ['properties', 'kind'], {'type': 'array'}, 'properties/kind/items', 'requires items'),
    (THING + ['properties', 'kind'], {'type': 'array', 'items': {'type': 'null'}},
     'properties/kind/items/type', 'not supported'),
    (THING + ['properties', 'kind', 'type'], ['string'], 'properties/kind/type', 'not supported'),
    (THING + ['properties', 'kind', 'items'], {}, 'properties/kind/items', 'only an array'),
    (THING + ['properties', '$'], {'type': 'string'}, 'properties/$', 'no C name'),
    (THING + ['properties', 'kind'], 7, 'properties/kind', 'an object is expected'),
    (THING + ['properties', 'kind'], {'$ref': '#/definitions/None'}, 'properties/kind',
     'no definition of None'),
    (THING + ['properties', 'Kind'], {'type': 'string'}, 'properties/Kind', None),
    (THING + ['required'], ['nothing'], 'Thing/required', 'nothing is not a property'),
    (THING + ['required'], [7], 'Thing/required', 'names'),
    (THING + ['type'], 'array', 'definitions/Thing/type', 'must be an object'),
    (THING + ['discriminator'], {'propertyName': 'kind'}, 'Thing/discriminator', 'a name'),
    (['definitions', 'thing'], {'type': 'object'}, 'definitions/thing', 'the same name in C'),
    (['definitions', 'Pair'], {'type': 'array', 'items': {'$ref': '#/definitions/Pair'}}, '', None),
    (['definitions', 'GetThing'], {'type': 'object'}, 'definitions/GetThing', 'declared twice in C'),
    (GET + ['x-c-name'], 'client_new', 'get', 'declared twice in C'),
    (GET + ['x-c-name'], 'Look Up', 'x-c-name', 'not a C name'),
    (['definitions', '???'], {'type': 'object'}, 'definitions/???', 'no C name'),
    (THING + ['discriminator'], 'nothing', 'definitions/Thing', 'discriminator'),
    (['definitions', 'BigThing', 'allOf'], [{'$ref': '#/definitions/Thing'}] * 2,
     'BigThing/allOf', 'more than one reference'),
    (['definitions', 'BigThing', 'allOf', 1, 'oneOf'], [], 'BigThing/allOf/1/oneOf', 'not supported'),
    (['definitions', 'BigThing', 'allOf', 0, '$ref'], '#/definitions/BigThing', 'BigThing',
     'extend itself'),
    (['definitions', 'BigThing', 'allOf', 1, 'properties', 'kind'], {'type': 'integer'},
     'BigThing', 'inherited'),
    (GET + ['operationId'], None, 'things/{thing_id}/get', 'operationId'),
    (GET + ['callbacks'], {}, 'get/callbacks', 'not supported'),
    (GET + ['parameters', 1, 'in'], 'cookie', 'parameters/1/in', 'not supported'),
    (GET + ['parameters', 1, 'type'], 'file', 'parameters/1/type', 'not supported'),
    (GET + ['parameters', 1, 'in'], 'formData', 'parameters/1/in', 'not supported'),
    (GET + ['parameters', 1], {'$ref': '#/parameters/none'}, 'parameters/1/$ref', 'lead'),
    (GET + ['parameters', 0, 'type'], 'boolean', 'parameters/0/type', 'not supported'),
    (GET + ['parameters', 1, 'name'], 7, 'parameters/1/name', 'a string'),
    (GET + ['parameters', 1], {'name': 'a', 'in': 'query', 'type': 'array', 'items': {'type': 'object'}},
     'parameters/1/items', 'plain values'),
    (GET + ['parameters', 1], {'name': 'a', 'in': 'query', 'type': 'array',
                               'items': {'type': 'string'}, 'collectionFormat': 'odd'},
     'parameters/1/collectionFormat', 'not supported'),
    (GET + ['parameters', 0, 'name'], 'other', 'things/{thing_id}/get', 'path'),
    (GET + ['parameters', 1], {'name': 'b', 'in': 'body', 'schema': {'type': 'string'}},
     'parameters/1/schema', 'a body must be'),
    (GET + ['responses', '201'], {'schema': {'type': 'string'}}, 'get/responses',
     'several types'),
    (GET + ['responses', '200'], {'schema': {'type': 'null'}}, 'responses/200/schema', 'type of response'),
    (GET + ['responses', '200'], {'$ref': '#/responses/none'}, 'responses/200/$ref', 'lead'),
    (GET + ['responses', '200', 'content'], {}, 'responses/200/content', 'not supported'),
    (['paths', '/things/{thing_id}', 'head'], {}, 'things/{thing_id}/head', 'not supported'),
])
def test_what_is_not_known_is_refused_by_place(tmp_path, where, value, place, problem):
    if problem is None:  # not refused
        text = make(tmp_path, change(where, value))['models.h']
        assert where[-1] != 'Kind' or 'kind;' in text and 'kind_;' in text
        return
    with pytest.raises(generate.SpecError) as error:
        make(tmp_path, change(where, value))
    assert place in str(error.value)
    assert problem in str(error.value)


def test_names_that_c_or_cpp_keep_get_an_underscore(tmp_path):
    files = make(tmp_path, BASE)
    assert 'igt_string_field operator_;' in files['models.h']
    assert 'igt_integer_field model_;' in files['models.h']
    assert '"operator", 8, IGT__KIND_STRING' in files['models.c']


@pytest.mark.parametrize('name, want', [
    ('studyDatabaseId', 'study_database_id'), ('CSRFToken', 'csrf_token'), ('$filter', 'filter'),
    ('userUUID', 'user_uuid'), ('s3Prefix', 's3_prefix'), ('FCS', 'fcs'),
    ('X-AUTHORIZATION-CODE', 'x_authorization_code'), ('AISuiteProject', 'ai_suite_project'),
    ('IGuideUStudy', 'i_guide_u_study'), ('4xxMessage', '4xx_message'),
    ('post_login_resource_/login', 'post_login_resource_login'),
    ('implant1Manufacturer', 'implant1_manufacturer')])
def test_names_become_snake_case(name, want):
    assert generate.snake(name) == want


def test_prose_cannot_end_a_comment(tmp_path):
    spec = change(GET + ['summary'], 'evil */ int x; /* more')
    assert '*/ int x' not in make(tmp_path, spec)['operations.h']


def test_strings_cannot_end_a_literal():
    assert generate.c_string('a"b\\\n?') == '"a\\042b\\134\\012?"'


def test_every_operation_and_model_is_there():
    files = generate.generate([str(path) for path in SPECS])
    specs = [json.loads(path.read_text(encoding='utf-8')) for path in SPECS]
    ids = [operation['operationId'] for spec in specs for item in spec['paths'].values()
           for method, operation in item.items() if method != 'parameters']
    assert len(ids) == 103
    names = json.loads((ROOT / 'api' / 'names.json').read_text(encoding='utf-8'))
    assert set(names) < set(ids), 'names.json names an operation that does not exist'
    for name in ids:
        c_name = names.get(name, generate.snake(name))
        assert re.search(rf'igt_status\s+igt_{c_name}\(', files['operations.h'])
    assert not re.search(r'igt_(post|put|patch)_|_resource', files['operations.h'])
    models = {name for spec in specs for name in spec['definitions']}
    assert sum(len(spec['definitions']) for spec in specs) == 78
    for name in models:
        assert f'struct igt_{generate.snake(name)} {{' in files['models.h']


def test_a_description_names_its_operation_in_c(tmp_path):
    header = make(tmp_path, change(GET + ['x-c-name'], 'look_up_thing'))['operations.h']
    assert 'igt_look_up_thing(' in header and 'igt_look_up_thing_options' in header
    assert 'igt_get_thing' not in header


def test_two_operations_cannot_have_one_name_in_c(tmp_path):
    spec = change(GET + ['x-c-name'], 'look_up')
    node = copy.deepcopy(spec['paths']['/things/{thing_id}']['get'])
    node['operationId'] = 'find_thing'
    spec['paths']['/things/{thing_id}']['put'] = node
    with pytest.raises(generate.SpecError, match='find_thing and get_thing have the same name in C'):
        make(tmp_path, spec)


@pytest.mark.parametrize('text, problem', [
    ('', 'not JSON'), ('{', 'not JSON'), ('[]', 'an object is expected'), ('[' * 5000, 'not JSON'),
    ('{"swagger": "2.0", "swagger": "2.0"}', 'swagger: this name appears twice')])
def test_what_is_no_description_is_refused(tmp_path, text, problem):
    path = tmp_path / 'spec.json'
    path.write_text(text, encoding='utf-8')
    with pytest.raises(generate.SpecError, match=problem) as error:
        generate.generate([str(path)])
    assert str(error.value).startswith('spec.json: ')


def test_the_same_description_makes_the_same_code():
    paths = [str(path) for path in SPECS]
    assert generate.generate(paths) == generate.generate(paths)


def test_the_program_says_what_is_wrong(tmp_path):
    path = tmp_path / 'spec.json'
    path.write_text(json.dumps(change(['swagger'], '1.2')), encoding='utf-8')
    done = subprocess.run([sys.executable, str(ROOT / 'api' / 'generate.py'), str(tmp_path / 'out'),
                           str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == 'generate.py: spec.json/swagger: only Swagger 2.0 and OpenAPI 3 are supported\n'
    assert not (tmp_path / 'out').exists()


HEADERS = [('cc', ['-std=c99']), ('c++', ['-std=c++11', '-x', 'c++'])]


@pytest.mark.parametrize('compiler, flags', HEADERS)
def test_the_headers_compile_alone(tmp_path, compiler, flags):
    if not shutil.which(compiler):
        pytest.fail(f'{compiler} is needed')
    (tmp_path / 'igtcloud').mkdir()
    for name, text in generate.generate([str(path) for path in SPECS]).items():
        (tmp_path / 'igtcloud' / name).write_text(text, encoding='utf-8')
    source = tmp_path / 'all.c'
    source.write_text('#include "igtcloud/igtcloud.h"\nint main(void) { return 0; }\n',
                      encoding='utf-8')
    subprocess.run([compiler, *flags, '-pedantic', '-Wall', '-Wextra', '-Werror', '-fsyntax-only',
                    f'-I{ROOT}/include', f'-I{tmp_path}', str(source)], check=True)
