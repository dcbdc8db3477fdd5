# SPDX-License-Identifier: MIT
"""OpenAPI 3.0 and 3.1, brought into the form of Swagger 2.0 that description.py reads. What has no
counterpart there is an error that names its place in the description as it came."""

import json
import re
from urllib.parse import urlsplit

from errors import SpecError, check_keys, take

METHODS = ('get', 'put', 'post', 'delete', 'patch')
# Prose that Swagger 2.0 has not, and hints on how values are kept or shown.
SCHEMA_PROSE = {'deprecated', 'examples', 'xml', 'writeOnly', '$comment', 'contentMediaType',
                'contentEncoding'}
JSON_TYPES = re.compile(r'application/(?:[\w.+-]+\+)?json(?:\s*;.*)?')
STYLES = {('form', True): 'multi', ('form', False): 'csv', ('spaceDelimited', False): 'ssv',
          ('pipeDelimited', False): 'pipes', ('simple', False): 'csv', ('simple', True): 'csv'}


def is_null(node):
    return isinstance(node, dict) and node.get('type') == 'null'


class Schemas:
    """Turns schemas, where those of a discriminator's mapping must have their own names."""

    def turn(self, node, place, depth=0):
        if node is True:
            return {'type': 'object'}
        if not isinstance(node, dict):
            raise SpecError(place, 'a schema is expected')
        if depth > 64:
            raise SpecError(place, 'too deep')
        node = {key: value for key, value in node.items() if key not in SCHEMA_PROSE}
        node = self.without_null(node, place)
        if '$ref' in node:
            return self.turn_ref(node, place)
        out = {}
        for key, value in node.items():
            at = f'{place}/{key}'
            if key == 'properties':
                out[key] = {name: self.turn(one, f'{at}/{name}', depth + 1)
                            for name, one in take(node, key, dict, place).items()}
            elif key == 'allOf':
                out[key] = [self.turn(one, f'{at}/{n}', depth + 1)
                            for n, one in enumerate(take(node, key, list, place))]
            elif key == 'items':
                out[key] = self.turn(value, at, depth + 1)
            elif key == 'discriminator':
                out[key] = self.turn_discriminator(value, at)
            elif key == 'const':
                out['enum'] = [value]
            else:
                out[key] = value
        if out.get('type') == 'array' and 'items' not in out:
            out['items'] = {'type': 'object'}
        return out

    @staticmethod
    def turn_ref(node, place):
        match = re.fullmatch(r'#/components/schemas/(.+)', take(node, '$ref', str, place))
        if not match:
            raise SpecError(f'{place}/$ref', f'"{node["$ref"]}" does not lead to a schema')
        return {**node, '$ref': '#/definitions/' + match[1]}

    @staticmethod
    def turn_discriminator(node, place):
        check_keys(node, {'propertyName', 'mapping'}, place)
        for name, target in take(node, 'mapping', dict, place).items():
            if not isinstance(target, str) or target.rsplit('/', 1)[-1] != name:
                raise SpecError(f'{place}/mapping/{name}', 'a mapping must have the name of its schema')
        return take(node, 'propertyName', str, place)

    @staticmethod
    def without_null(node, place):
        """Every field may be null: the ways to say so are left out."""
        node = dict(node)
        if isinstance(node.pop('nullable', True), bool) is False:
            raise SpecError(f'{place}/nullable', 'true or false is expected')
        if isinstance(node.get('type'), list):
            kinds = [kind for kind in node['type'] if kind != 'null']
            if len(kinds) != 1:
                raise SpecError(f'{place}/type', f'{json.dumps(node["type"])} is not supported')
            node['type'] = kinds[0]
        for key in ('anyOf', 'oneOf'):
            choices = node.get(key)
            if isinstance(choices, list) and len(choices) - sum(map(is_null, choices)) == 1:
                (only,) = [one for one in choices if not is_null(one)]
                del node[key]
                if isinstance(only, dict):
                    node = {**node, **only}
            elif key in node:
                raise SpecError(f'{place}/{key}', 'a choice of several schemas is not supported')
        return node


class Converter:
    def __init__(self, spec, name):
        self.spec = spec
        self.name = name
        self.schemas = Schemas()
        self.components = take(spec, 'components', dict, name)

    def follow(self, node, kind, place):
        """A component instead of a reference to it, and its place."""
        for _ in range(8):
            if not isinstance(node, dict) or '$ref' not in node:
                return node, place
            match = re.fullmatch(rf'#/components/{kind}/(.+)', take(node, '$ref', str, place))
            known = take(self.components, kind, dict, f'{self.name}/components')
            if not match or match[1] not in known:
                raise SpecError(f'{place}/$ref', f'it does not lead to an element of components/{kind}')
            node, place = known[match[1]], f'{self.name}/components/{kind}/{match[1]}'
        raise SpecError(place, 'circular references')

    def whole(self):
        spec, name = self.spec, self.name
        check_keys(spec, {'openapi', 'info', 'servers', 'paths', 'components', 'security',
                          'jsonSchemaDialect'}, name)
        if not re.match(r'3\.[01](\.|$)', take(spec, 'openapi', str, name)):
            raise SpecError(f'{name}/openapi', 'only OpenAPI 3.0 and 3.1 are supported')
        check_keys(self.components, {'schemas', 'parameters', 'responses', 'requestBodies', 'headers',
                                     'securitySchemes', 'examples', 'links'}, f'{name}/components')
        schemas = take(self.components, 'schemas', dict, f'{name}/components')
        out = {'swagger': '2.0', 'basePath': self.base_path(), 'paths': {},
               'definitions': {key: self.schemas.turn(node, f'{name}/components/schemas/{key}')
                               for key, node in schemas.items()}}
        if 'security' in spec:
            out['security'] = spec['security']
        for path, item in take(spec, 'paths', dict, name).items():
            if not path.startswith('x-'):
                out['paths'][path] = self.path_item(item, f'{name}/paths/{path}')
        return out

    def base_path(self):
        """Of the first server; what stands for a variable is its default."""
        servers = take(self.spec, 'servers', list, self.name)
        if not servers:
            return ''
        place = f'{self.name}/servers/0'
        check_keys(servers[0], {'url', 'variables'}, place)
        url = take(servers[0], 'url', str, place)
        for key, node in take(servers[0], 'variables', dict, place).items():
            url = url.replace('{' + key + '}', take(node, 'default', str, f'{place}/variables/{key}'))
        try:
            path = urlsplit(url).path
        except ValueError as error:
            raise SpecError(f'{place}/url', f'this is not a URL: {error}') from error
        return path if path.startswith('/') or not path else '/' + path

    def path_item(self, item, place):
        check_keys(item, set(METHODS) | {'parameters'}, place)
        out = {'parameters': self.parameters(item, place)} if 'parameters' in item else {}
        for method in METHODS:
            if method in item:
                out[method] = self.operation(item[method], f'{place}/{method}')
        return out

    def operation(self, node, place):
        check_keys(node, {'operationId', 'parameters', 'requestBody', 'responses', 'security',
                          'deprecated'}, place)
        out = {key: node[key] for key in ('operationId', 'x-c-name', 'security', 'summary',
                                        'description') if key in node}
        out['parameters'] = self.parameters(node, place)
        if 'requestBody' in node:
            out['parameters'].append(self.body(node['requestBody'], f'{place}/requestBody'))
        out['responses'], produces = {}, []
        for code, response in take(node, 'responses', dict, place).items():
            at = f'{place}/responses/{code}'
            out['responses'][code], kinds = self.response(response, at)
            produces += kinds if code[:1] in ('2', '3') else []
        if produces:
            out['produces'] = produces
        return out

    def parameters(self, node, place):
        return [self.parameter(param, f'{place}/parameters/{n}')
                for n, param in enumerate(take(node, 'parameters', list, place))]

    def parameter(self, node, place):
        node, place = self.follow(node, 'parameters', place)
        check_keys(node, {'name', 'in', 'required', 'schema', 'style', 'explode', 'deprecated',
                          'allowEmptyValue', 'examples'}, place)
        out = {key: node[key] for key in ('name', 'in', 'required', 'description') if key in node}
        schema = self.plain(node.get('schema', {'type': 'string'}), f'{place}/schema')
        for key in ('type', 'format', 'items', 'enum', 'default'):
            if key in schema:
                out[key] = schema[key]
        if schema.get('type') == 'array':
            out['items'] = self.plain(schema['items'], f'{place}/schema/items', turned=True)
            out['collectionFormat'] = self.style(node, place)
        return out

    def plain(self, node, place, turned=False):
        """The schema behind a reference: parameters have it in themselves."""
        schema = node if turned else self.schemas.turn(node, place)
        for _ in range(8):
            if '$ref' not in schema:
                return schema
            key = schema['$ref'].rsplit('/', 1)[1]
            known = take(self.components, 'schemas', dict, f'{self.name}/components')
            if key not in known:
                raise SpecError(place, f'there is no schema {key}')
            schema = self.schemas.turn(known[key], f'{self.name}/components/schemas/{key}')
        raise SpecError(place, 'circular references')

    @staticmethod
    def style(node, place):
        query = node.get('in') == 'query'
        style = node.get('style', 'form' if query else 'simple')
        explode = node.get('explode', style == 'form')
        if not isinstance(style, str) or (style, bool(explode)) not in STYLES:
            raise SpecError(f'{place}/style', 'this style of lists is not supported')
        return STYLES[style, bool(explode)]

    def body(self, node, place):
        node, place = self.follow(node, 'requestBodies', place)
        check_keys(node, {'content', 'required'}, place)
        content = take(node, 'content', dict, place)
        for kind, media in content.items():
            if JSON_TYPES.fullmatch(kind):
                at = f'{place}/content/{kind}'
                check_keys(media, {'schema', 'examples', 'encoding'}, at)
                schema = self.schemas.turn(media.get('schema', True), f'{at}/schema')
                return {'name': 'body', 'in': 'body', 'required': node.get('required', False),
                        'schema': schema}
        raise SpecError(f'{place}/content', 'only JSON bodies are supported')

    def response(self, node, place):
        """The response, and its media types where it is a file."""
        node, place = self.follow(node, 'responses', place)
        check_keys(node, {'content', 'headers', 'links'}, place)
        out = {'description': node.get('description', '')}
        content = take(node, 'content', dict, place)
        for kind, media in content.items():
            if JSON_TYPES.fullmatch(kind):
                check_keys(media, {'schema', 'examples', 'encoding'}, f'{place}/content/{kind}')
                if 'schema' in media:
                    out['schema'] = self.schemas.turn(media['schema'],
                                                      f'{place}/content/{kind}/schema')
                return out, []
        if content:
            out['schema'] = {'type': 'file'}
        return out, list(content)


def to_swagger(spec, name):
    return Converter(spec, name).whole()
