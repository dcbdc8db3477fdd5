# SPDX-License-Identifier: MIT
"""The project's descriptions in the forms that others would write them: Swagger 2.0 as the vendor's
framework does, and OpenAPI 3. All must generate the same C."""

import copy
import re

METHODS = ('get', 'put', 'post', 'delete', 'patch')


def reversed_keys(node, keep=False):
    """Another order of what has no order. Properties, models and paths keep theirs: C has one."""
    if isinstance(node, list):
        return [reversed_keys(one) for one in node]
    if not isinstance(node, dict):
        return node
    ordered = {key: reversed_keys(value, not keep and key in ('properties', 'paths', 'definitions'))
               for key, value in node.items()}
    return ordered if keep else dict(reversed(ordered.items()))


# ---- as flask-restx writes it ----

def vendor(spec):
    spec = copy.deepcopy(spec)
    spec['basePath'] = '/api' + spec['basePath'] + '/'
    spec['host'] = 'cloud.example'
    spec['tags'] = [{'name': 'default', 'description': 'Default namespace'}]
    spec['x-generated-by'] = {'any': ['thing']}
    spec['responses'] = {'MaskError': {'description': "When any error occurs on mask"},
                         'ParseError': {'description': "When a mask can't be parsed"}}
    for name, node in spec['definitions'].items():
        node['x-model'] = name
        for part in node.get('allOf', [node]):
            for key, field in part.get('properties', {}).items():
                part['properties'][key] = vendor_field(field, key)
    for item in spec['paths'].values():
        for method in METHODS:
            if method in item:
                vendor_operation(item[method])
    return reversed_keys(spec)


def vendor_field(field, key):
    if '$ref' in field:  # prose beside a reference
        read_only = {'readOnly': True} if field.get('readOnly') else {}
        return {'description': f'The {key}', 'allOf': [{'$ref': field['$ref']}], **read_only}
    field = {**field, 'title': key, 'example': 'an example', 'x-nullable': True}
    if field.get('type') == 'object':
        field['additionalProperties'] = {'type': 'string'}
    if field.get('type') == 'integer':
        field.update(minimum=0, exclusiveMaximum=False)
    return field


def vendor_operation(node):
    node['tags'] = ['default']
    node['consumes'] = ['application/json']
    node['responses']['default'] = {'description': 'Error', 'schema': {'$ref': '#/definitions/Error'}}
    for param in node.get('parameters', []):
        if param['name'] == 'X-Fields':
            param['format'] = 'mask'
        if param['in'] in ('query', 'header'):
            param['allowEmptyValue'] = False
    for code, response in node['responses'].items():
        if code[0] == '2':
            response['headers'] = {'X-Request-Id': {'type': 'string'}}
    for code in ('401', '403'):
        node['responses'].setdefault(code, {'$ref': '#/responses/ParseError'})


# ---- OpenAPI 3 ----

def openapi3(spec):
    out = {'openapi': '3.0.3', 'info': spec['info'], 'servers': [
               {'url': '{scheme}://cloud.example/api' + spec['basePath'],
                'variables': {'scheme': {'default': 'https', 'enum': ['https'], 'description': 'how'}}}],
           'security': spec['security'], 'paths': {},
           'components': {'schemas': {name: schema3(node) for name, node in spec['definitions'].items()},
                          'securitySchemes': {'jwt': {'type': 'apiKey', 'in': 'header', 'name': 'X-JWT'}},
                          'parameters': {}, 'responses': {}, 'requestBodies': {}}}
    for path, item in spec['paths'].items():
        out['paths'][path] = {'summary': 'Things'}
        if 'parameters' in item:
            out['paths'][path]['parameters'] = [parameter3(p, out) for p in item['parameters']]
        for method in METHODS:
            if method in item:
                out['paths'][path][method] = operation3(item[method], out)
    return out


def schema3(node):
    if isinstance(node, list):
        return [schema3(one) for one in node]
    if not isinstance(node, dict):
        return node
    if '$ref' in node:
        ref = {'$ref': node['$ref'].replace('#/definitions/', '#/components/schemas/')}
        rest = {key: value for key, value in node.items() if key != '$ref'}
        return {'nullable': True, 'allOf': [ref], **rest} if rest else ref
    out = {key: schema3(value) for key, value in node.items()}
    if isinstance(out.get('discriminator'), str) and 'properties' in out:
        out['discriminator'] = {'propertyName': out['discriminator']}
    if isinstance(out.get('type'), str) and 'properties' not in out and out['type'] != 'object':
        out['nullable'] = True
    return out


def parameter3(param, out):
    plain = {key: param[key] for key in ('name', 'in', 'required', 'description') if key in param}
    plain['schema'] = {key: schema3(param[key]) for key in ('type', 'format', 'items', 'default', 'enum')
                       if key in param}
    if param.get('collectionFormat') == 'multi':
        plain.update(style='form', explode=True)
    if param['name'] != 'X-Fields':
        return plain
    out['components']['parameters']['mask'] = plain
    return {'$ref': '#/components/parameters/mask'}


def operation3(node, out):
    made = {key: node[key] for key in ('operationId', 'summary', 'description', 'security') if key in node}
    for param in node.get('parameters', []):
        if param['in'] == 'body':
            made['requestBody'] = {'required': True, 'content': {
                'application/json; charset=utf-8': {'schema': schema3(param['schema'])}}}
        else:
            made.setdefault('parameters', []).append(parameter3(param, out))
    made['responses'] = {}
    for code, response in node['responses'].items():
        one = {'description': response['description']}
        schema = response.get('schema')
        if schema == {'type': 'file'}:
            one['content'] = {kind: {'schema': {'type': 'string', 'format': 'binary'}}
                              for kind in node['produces']}
        elif schema:
            one['content'] = {'application/json': {'schema': schema3(schema)}}
        made['responses'][code] = one
    return made


# ---- OpenAPI 3.1 says null in another way ----

def openapi31(spec):
    def turn(node):
        if isinstance(node, list):
            return [turn(one) for one in node]
        if not isinstance(node, dict):
            return node
        node = {key: turn(value) for key, value in node.items()}
        if node.pop('nullable', False):
            if 'type' in node and isinstance(node['type'], str):
                node['type'] = [node['type'], 'null']
            elif 'allOf' in node:
                node['oneOf'] = node.pop('allOf') + [{'type': 'null'}]
        return node
    out = turn(openapi3(spec))
    out['openapi'] = '3.1.0'
    return out


def without_prose(code):
    """Of C: comments say what descriptions say, in their own words."""
    return ' '.join(re.sub(r'/\*.*?\*/', '', code, flags=re.S).split())
