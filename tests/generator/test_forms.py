# SPDX-License-Identifier: MIT
"""What descriptions of other forms become: as a vendor writes Swagger 2.0, as OpenAPI 3, and small
ones with one construct each, whose code must compile without a warning."""

import json
import pathlib
import subprocess
import sys

import pytest

import forms

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = ('auth.json', 'action.json', 'entities.json')
sys.path.insert(0, str(ROOT / 'api'))

import generate  # noqa: E402

WARNINGS = ['-std=gnu17', '-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Wundef', '-Werror',
            '-Wno-missing-field-initializers', '-fsyntax-only']

pytestmark = pytest.mark.plain('the same in every build')


def compile_code(folder, files):
    """Both sources with gcc and clang, the headers as C99 and C++."""
    (folder / 'igtcloud').mkdir(exist_ok=True)
    for name, text in files.items():
        place = folder / ('igtcloud' if name.endswith('.h') else '.') / name
        place.write_text(text, encoding='utf-8')
    include = [f'-I{folder}', f'-I{ROOT}/include', f'-I{ROOT}/lib']
    sources = [str(folder / 'models.c'), str(folder / 'operations.c')]
    for compiler in ('gcc', 'clang'):
        subprocess.run([compiler, *WARNINGS, '-D_GNU_SOURCE', *include, *sources], check=True)
    for language, standard in (('c', 'c99'), ('c++', 'c++11')):
        subprocess.run(['clang', '-x', language, f'-std={standard}', '-pedantic', '-Wall', '-Wextra',
                        '-Werror', '-fsyntax-only', *include, '-include',
                        str(folder / 'igtcloud' / 'operations.h'), '/dev/null'], check=True)


def generate_all(tmp_path, turn):
    paths = []
    for name in NAMES:
        spec = turn(json.loads((ROOT / 'api' / name).read_text(encoding='utf-8')))
        paths.append(tmp_path / name)
        paths[-1].write_text(json.dumps(spec), encoding='utf-8')
    return generate.generate([str(path) for path in paths])


@pytest.mark.parametrize('turn', [forms.vendor, forms.openapi3, forms.openapi31])
def test_other_forms_make_the_same_code(tmp_path, turn):
    ours = generate.generate([str(ROOT / 'api' / name) for name in NAMES])
    theirs = generate_all(tmp_path, turn)
    for name, code in ours.items():
        assert forms.without_prose(theirs[name]) == forms.without_prose(code)
    compile_code(tmp_path, theirs)


def test_the_command_of_the_makefile(tmp_path):
    specs, build = tmp_path / 'specs', tmp_path / 'build'
    specs.mkdir()
    for name in NAMES:
        text = (ROOT / 'api' / name).read_text(encoding='utf-8')
        (specs / name).write_text(json.dumps(forms.vendor(json.loads(text))), encoding='utf-8')
    command = ['make', '-s', '-C', str(ROOT), 'generate', f'SPEC={specs}', f'BUILD={build}']
    subprocess.run(command, check=True)
    assert 'igt_get_projects' in (build / 'generated' / 'operations.h').read_text(encoding='utf-8')


# ---- one construct each ----

def swagger(definitions=None, parameters=(), responses=None, method='get', top=None):
    path = ''.join('/{' + p['name'] + '}' for p in parameters if p.get('in') == 'path')
    operation = {'operationId': 'call', 'parameters': list(parameters),
                 'responses': responses or {'200': {'description': 'well'}}}
    return {'swagger': '2.0', 'paths': {'/call' + path: {method: operation}},
            'definitions': definitions or {}, **(top or {})}


def make(tmp_path, spec):
    path = tmp_path / 'spec.json'
    path.write_text(json.dumps(spec), encoding='utf-8')
    files = generate.generate([str(path)])
    compile_code(tmp_path, files)
    return files


def model(properties, **more):
    return {'type': 'object', 'properties': properties, **more}


def test_inheritance_and_discriminators(tmp_path):
    files = make(tmp_path, swagger({
        'Leaf': {'allOf': [{'$ref': '#/definitions/Middle'}, model({'c': {'type': 'string'}},
                                                                    required=['a', 'c'])]},
        'Middle': {'allOf': [model({'b': {'type': 'integer'}}), {'$ref': '#/definitions/Root'}],
                   'required': ['kind']},
        'Root': model({'kind': {'type': 'string'}, 'a': {'type': 'string'}}, discriminator='kind'),
        'Same': {'allOf': [{'$ref': '#/definitions/Root'}, model({'a': {'type': 'string'}})]}}))
    header, tables = files['models.h'], files['models.c']
    assert header.index('struct igt_root {') < header.index('struct igt_middle {') < \
        header.index('struct igt_leaf {')
    assert 'igt_middle base;' in header
    assert '"a", 1, IGT__KIND_STRING, IGT__FIELD_REQUIRED, offsetof(igt_leaf, base.base.a)' in tables
    assert '"a", 1, IGT__KIND_STRING, 0, offsetof(igt_middle, base.a)' in tables
    assert '"kind", 4, IGT__KIND_STRING, IGT__FIELD_REQUIRED, offsetof(igt_middle' in tables
    assert header.count('igt_string_field a;') == 1  # said again, the same: not twice


@pytest.mark.parametrize('schema, c_type', [
    ({'type': 'string'}, 'igt_string_field'),
    ({'type': 'string', 'format': 'date-time'}, 'igt_time_field'),
    ({'type': 'string', 'format': 'date'}, 'igt_string_field'),
    ({'type': 'string', 'enum': ['a', 'b*/']}, 'igt_string_field'),
    ({'enum': ['a']}, 'igt_string_field'),
    ({'type': 'integer', 'format': 'int64', 'minimum': 0, 'exclusiveMinimum': True}, 'igt_integer_field'),
    ({'type': 'number', 'format': 'float', 'multipleOf': 0.5}, 'igt_number_field'),
    ({'type': 'boolean', 'default': True}, 'igt_boolean_field'),
    ({'type': 'object'}, 'igt_json_field'),
    ({'type': 'object', 'additionalProperties': {'type': 'string'}}, 'igt_json_field'),
    ({}, 'igt_json_field'),
    ({'type': 'array', 'items': {'type': 'string'}, 'maxItems': 3}, 'igt_string_list_field'),
    ({'type': 'array', 'items': {'type': 'integer'}}, 'igt_integer_list_field'),
    ({'type': 'array', 'items': {'type': 'boolean'}}, 'igt_json_field'),
    ({'type': 'array', 'items': {'type': 'array', 'items': {'type': 'string'}}}, 'igt_json_field'),
    ({'$ref': '#/definitions/Alias'}, 'igt_string_list_field'),
    ({'$ref': '#/definitions/Word'}, 'igt_string_field'),
    ({'$ref': '#/definitions/Other'}, 'igt_other *v;'),
    ({'allOf': [{'$ref': '#/definitions/Other'}], 'description': 'x', 'readOnly': True}, 'igt_other *v;'),
    ({'type': 'array', 'items': {'$ref': '#/definitions/Other'}}, 'igt_other **v;'),
    (model({'in': {'type': 'string'}}), 'igt_thing_x *v;'),
    ({'type': 'array', 'items': model({'in': {'type': 'string'}})}, 'igt_thing_x **v;')])
def test_kinds_of_fields(tmp_path, schema, c_type):
    files = make(tmp_path, swagger({
        'Thing': model({'x': schema}), 'Other': model({}), 'Word': {'type': 'string', 'enum': ['a']},
        'Alias': {'type': 'array', 'items': {'$ref': '#/definitions/Word'}}}))
    thing = files['models.h'].split('struct igt_thing {')[1].split('\n};')[0]
    assert c_type in thing


def test_names_that_c_has_already(tmp_path):
    names = ['int', 'class', 'model', 'base', '$ref-like', 'a-b', 'a_b', '2nd', 'Ünï', 'NULL', 'is']
    files = make(tmp_path, swagger({
        'Error': model({name: {'type': 'string'} for name in names}), 'Text': model({}),
        'struct': model({}), 'Model': model({'error': {'$ref': '#/definitions/Error'}})},
        parameters=[{'name': '$filter', 'in': 'query', 'type': 'string'},
                    {'name': 'register', 'in': 'query', 'type': 'string'},
                    {'name': 'X-Client', 'in': 'header', 'type': 'string'},
                    {'name': 'err', 'in': 'query', 'type': 'string'}]))
    for name in ('int_;', 'class_;', 'model_;', 'base_;', 'ref_like;', 'a_b;', 'a_b_;', '_2nd;', 'n;'):
        assert f'igt_string_field {name}' in files['models.h']
    for name in ('igt_error_', 'igt_text_', 'igt_model_', 'igt_struct'):
        assert f'struct {name} {{' in files['models.h']
    for name in ('filter', 'register_', 'x_client', 'err_'):
        assert f'const char *{name};' in files['operations.h']


@pytest.mark.parametrize('how, separator', [('multi', r"'\0'"), ('csv', "','"), ('pipes', "'|'"),
                                            ('tsv', r"'\t'"), ('ssv', "' '"), (None, "','")])
def test_lists_in_queries(tmp_path, how, separator):
    param = {'name': 'keys', 'in': 'query', 'type': 'array', 'items': {'type': 'string'}}
    files = make(tmp_path, swagger(parameters=[{**param, **({'collectionFormat': how} if how else {})}]))
    assert f'{{"keys", IGT__PARAM_STRING_LIST, {separator}, false, false' in files['operations.c']
    assert 'size_t keys_count;' in files['operations.h']


def test_parameters_of_each_kind_and_place(tmp_path):
    limit = {'name': 'limit', 'in': 'query', 'type': 'integer'}
    files = make(tmp_path, swagger(parameters=[
        {'$ref': '#/parameters/limit'}, {'name': 'id', 'in': 'path', 'type': 'integer', 'required': True},
        {'name': 'name', 'in': 'path', 'type': 'string', 'required': True},
        {'name': 'near', 'in': 'query', 'type': 'number'},
        {'name': 'deep', 'in': 'query', 'type': 'boolean', 'default': False, 'required': True},
        {'name': 'X-JWT', 'in': 'header', 'type': 'string', 'required': True}],
        top={'parameters': {'limit': limit}}))
    header = files['operations.h']
    assert 'int64_t id, const char *name' in ' '.join(header.split())
    assert 'igt_number_field near;' in header and 'igt_integer_field limit;' in header
    assert 'x_jwt' not in header  # the session sends it


@pytest.mark.parametrize('schema, argument', [
    ({'$ref': '#/definitions/Thing'}, 'const igt_thing *body'),
    ({'type': 'array', 'items': {'$ref': '#/definitions/Thing'}}, 'const igt_thing *const *body'),
    (model({'a': {'type': 'string'}}), 'const igt_call_body *body'),
    ({'type': 'array', 'items': model({'a': {'type': 'string'}})}, 'const igt_call_body *const *body'),
    ({'allOf': [{'$ref': '#/definitions/Thing'}, model({'b': {'type': 'string'}})]},
     'const igt_call_body *body')])
def test_bodies(tmp_path, schema, argument):
    files = make(tmp_path, swagger({'Thing': model({'t': {'type': 'string'}})}, method='post',
                                   parameters=[{'name': 'payload', 'in': 'body', 'schema': schema}]))
    assert argument in files['operations.h']


@pytest.mark.parametrize('responses, argument', [
    ({'200': {'schema': {'$ref': '#/definitions/Thing'}}}, 'igt_thing **out'),
    ({'200': {'schema': {'type': 'array', 'items': {'$ref': '#/definitions/Thing'}}}},
     'igt_thing_list **out'),
    ({'200': {'schema': {'type': 'array', 'items': {'type': 'string'}}}}, 'igt_string_list **out'),
    ({'200': {'schema': {'type': 'array', 'items': {'type': 'integer'}}}}, 'igt_text **out'),
    ({'200': {'schema': {'type': 'string'}}}, 'igt_text **out'),
    ({'200': {'schema': {'type': 'boolean'}}}, 'igt_text **out'),
    ({'200': {'schema': model({'a': {'type': 'string'}})}}, 'igt_call_response **out'),
    ({'200': {'schema': {'type': 'array', 'items': model({'a': {'type': 'string'}})}}},
     'igt_call_element_list **out'),
    ({'200': {'schema': {'type': 'file'}}}, 'igt_write_fn write'),
    ({'400': {}}, 'igt_text **out'),
    ({'200': {'$ref': '#/responses/good'}}, 'igt_thing **out')])
def test_responses(tmp_path, responses, argument):
    good = {'good': {'schema': {'$ref': '#/definitions/Thing'}}}
    spec = swagger({'Thing': model({})}, responses=responses, top={'responses': good})
    assert argument in make(tmp_path, spec)['operations.h']


def test_files_without_a_schema(tmp_path):
    spec = swagger()
    spec['paths']['/call']['get']['produces'] = ['application/pdf', 'image/png']
    files = make(tmp_path, spec)
    assert 'igt_write_fn write' in files['operations.h']
    assert '.accept = "application/pdf, image/png"' in files['operations.c']


@pytest.mark.parametrize('base, path', [('/x', '/api/x/call'), ('/api/x/', '/api/x/call'),
                                        ('/', '/api/call'), (None, '/api/call'), ('/api', '/api/call')])
def test_the_path_of_a_url(tmp_path, base, path):
    spec = {**swagger(), **({'basePath': base} if base else {})}
    assert f'.path = "{path}"' in make(tmp_path, spec)['operations.c']


@pytest.mark.parametrize('whole, own, is_open', [
    ([{'jwt': []}], None, False), ([{'jwt': []}], [], True), (None, None, False),
    (None, [{'jwt': []}], False), ([], None, True), ([], [{'jwt': []}], False)])
def test_which_operations_need_a_session(tmp_path, whole, own, is_open):
    spec = swagger()
    if whole is not None:
        spec['security'] = whole
    if own is not None:
        spec['paths']['/call']['get']['security'] = own
    assert ('.open = true' in make(tmp_path, spec)['operations.c']) is is_open


def test_models_of_two_descriptions(tmp_path):
    """The same model in other words is one; another model of the name is refused."""
    one = swagger({'Message': model({'message': {'type': 'string', 'description': 'what'}})})
    two = {**swagger({'Message': model({'message': {'type': 'string'}}, description='other')}), 'paths': {}}
    three = {**swagger({'Message': model({'message': {'type': 'integer'}})}), 'paths': {}}
    for number, spec in enumerate((one, two, three)):
        (tmp_path / f'{number}.json').write_text(json.dumps(spec), encoding='utf-8')
    paths = [str(tmp_path / f'{number}.json') for number in range(3)]
    assert generate.generate(paths[:2])['models.h'].count('struct igt_message {') == 1
    with pytest.raises(generate.SpecError, match='2.json/definitions/Message: another description defines Message'):
        generate.generate([paths[0], paths[2]])


# ---- OpenAPI 3: what is refused, by its place there ----

def openapi(**more):
    return {'openapi': '3.0.0', 'info': {}, 'paths': {}, **more}


def path(operation):
    return {'paths': {'/call': {'get': {'operationId': 'call', 'responses': {}, **operation}}}}


@pytest.mark.parametrize('more, place, problem', [
    ({'openapi': '2.9'}, 'spec.json/openapi', '3.0 and 3.1'),
    ({'webhooks': {}}, 'spec.json/webhooks', 'not supported'),
    ({'components': {'callbacks': {}}}, 'spec.json/components/callbacks', 'not supported'),
    ({'components': {'schemas': {'A': {'oneOf': [{'type': 'string'}, {'type': 'integer'}]}}}},
     'spec.json/components/schemas/A/oneOf', 'a choice'),
    ({'components': {'schemas': {'A': {'properties': {'b': {'anyOf': []}}}}}},
     'spec.json/components/schemas/A/properties/b/anyOf', 'a choice'),
    ({'components': {'schemas': {'A': {'type': ['string', 'integer']}}}},
     'spec.json/components/schemas/A/type', 'not supported'),
    ({'components': {'schemas': {'A': {'properties': {'b': {'not': {}}}}}},},
     'spec.json/components/schemas/A/properties/b/not', 'not supported'),
    ({'components': {'schemas': {'A': {'$ref': 'other.json#/A'}}}},
     'spec.json/components/schemas/A/$ref', 'lead to a schema'),
    ({'components': {'schemas': {'A': {'type': 'object', 'properties': {'k': {'type': 'string'}},
                                       'discriminator': {'propertyName': 'k', 'mapping': {
                                           'b': '#/components/schemas/A'}}}}}},
     'spec.json/components/schemas/A/discriminator/mapping/b', 'name of its schema'),
    (path({'callbacks': {}}), 'spec.json/paths//call/get/callbacks', 'not supported'),
    (path({'parameters': [{'name': 'a', 'in': 'cookie'}]}), 'get/parameters/0/in', 'not supported'),
    (path({'parameters': [{'name': 'a', 'in': 'query', 'content': {}}]}), 'parameters/0/content', 'supported'),
    (path({'parameters': [{'name': 'a', 'in': 'query', 'style': 'deepObject',
                           'schema': {'type': 'array', 'items': {'type': 'string'}}}]}),
     'get/parameters/0/style', 'lists'),
    (path({'parameters': [{'$ref': '#/components/parameters/none'}]}), 'parameters/0/$ref', 'lead to'),
    (path({'requestBody': {'content': {'multipart/form-data': {}}}}), 'requestBody/content', 'JSON'),
    (path({'responses': {'200': {'$ref': '#/components/responses/none'}}}), 'responses/200/$ref', 'lead to')])
def test_openapi_is_refused_by_place(tmp_path, more, place, problem):
    spec = tmp_path / 'spec.json'
    spec.write_text(json.dumps(openapi(**more)), encoding='utf-8')
    with pytest.raises(generate.SpecError) as error:
        generate.generate([str(spec)])
    assert place in str(error.value) and problem in str(error.value)


def test_descriptions_that_were_damaged(tmp_path, monkeypatch):
    """A short and always equal run of fuzz_generate.py."""
    import fuzz_generate
    monkeypatch.chdir(tmp_path)  # where it would leave what it found
    made, refused = fuzz_generate.run(7, lambda n: n < 250, compile_one_of=20)
    assert made > 20 and refused > 100
