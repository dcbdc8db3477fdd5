# SPDX-License-Identifier: MIT
"""Any JSON as models, any values as arguments: the exceptions of the interface or a result, and nothing
lost on the way (hypothesis)."""

import copy
import datetime as dt
import json
import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from igtcloud.client.services import _exceptions, _models, _tables, _types
from igtcloud.client.services.entities import apis, models
from igtcloud.client.services.entities.model_utils import validate_and_convert_types

FAST = settings(max_examples=30, deadline=None, database=None, derandomize=True,
                suppress_health_check=[HealthCheck.too_slow])
CLASSES = sorted((service, name) for service, rows in _tables.MODELS.items() for name in rows)
OURS = (_exceptions.OpenApiException, TypeError)

texts = st.text(max_size=8)
dates = st.one_of(st.datetimes().map(str), st.dates().map(str), st.sampled_from(
    ['2020-01-02T03:04:05Z', '2020-01-02T03:04:05.123456789+02:00', '2020-02-31T00:00:00Z', '0000-00-00']))
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts, dates)
any_json = st.recursive(plain, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)), max_leaves=8)
anything = st.one_of(any_json, st.binary(max_size=3), st.complex_numbers(), st.datetimes(), st.dates(),
                     st.just(object()), st.tuples(plain), st.sets(st.integers(), max_size=2),
                     st.just(float('nan')), st.just(models.File('k', 1)), st.just('\ud800'))


@st.composite
def objects(draw, cls):
    """JSON for a model: its own fields with any values, and others."""
    names = st.one_of(st.sampled_from(sorted(cls._by_json)), texts) if cls._by_json else texts
    found = draw(st.dictionaries(names, any_json, max_size=6))
    if cls._tag and draw(st.booleans()):
        found[cls._fields[cls._tag].json] = draw(st.sampled_from(cls._derived or (cls._schema,)))
    return found


@FAST
@given(st.data())
@pytest.mark.parametrize('service, name', CLASSES[::8] + [('entities', 'RootStudy'), ('entities', 'Project')])
def test_any_json_is_a_model(service, name, data):
    cls = _models.load(service, name)
    value = data.draw(objects(cls))
    model = _models.deserialize(copy.deepcopy(value), name, service)
    kept = _models.to_dict(model, serialize=True)
    sent = _models.sanitize(model)
    assert set(kept) == set(sent) == {key for key in value if key in model._by_json or model._additional}
    assert sent == _models.sanitize(model) and json.loads(json.dumps(sent)) == sent
    for field in model.to_dict():
        assert field in model and model.get(field) == model[field]
    for key in value:
        assert key in model or key in model._by_json
    twins = [copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model)),
             _models.deserialize(copy.deepcopy(value), name, service)]
    assert all(twin == model and not twin != model and repr(twin) == repr(model) for twin in twins)
    again = _models.deserialize(json.loads(json.dumps(sent)), name, service)
    assert _models.sanitize(again) == sent


@FAST
@given(value=any_json, name=st.sampled_from(['Project', 'RootStudy', 'File[]', 'string', 'integer',
                                             'string[]', 'number', 'boolean', 'any', '', 'Files[]']))
def test_any_json_as_any_response(value, name):
    try:
        _models.deserialize(copy.deepcopy(value), name)
    except _exceptions.ApiTypeError as error:
        assert 'received_data' in str(error)


@FAST
@given(st.data())
@pytest.mark.parametrize('service, name', CLASSES[1::8])
def test_any_arguments_make_a_model_or_an_exception_of_ours(service, name, data):
    cls = _models.load(service, name)
    names = st.one_of(st.sampled_from(sorted(cls._fields) or ['x']), texts)
    args = data.draw(st.lists(anything, max_size=3))
    kwargs = data.draw(st.dictionaries(names, anything, max_size=4))
    try:
        model = cls(*args, **kwargs)
    except OURS:
        return
    _models.sanitize(model)
    assert copy.deepcopy(model) == model or 'nan' in repr(model)
    for key, value in kwargs.items():
        assert key in model or key in model._by_json
        try:
            model[key] = value
        except OURS:
            pass


@FAST
@given(st.data())
@pytest.mark.parametrize('name', ['InstitutesApi', 'ProjectsApi', 'ApplicationsApi', 'IntegrationsApi'])
def test_any_arguments_of_an_operation(name, data):
    sent = []

    class Client:
        def call(self, operation, path, query, headers, body, **more):
            sent.append((operation, path, query, headers, body))
    api = getattr(apis, name)(Client())
    operation = data.draw(st.sampled_from(sorted(_tables.OPERATIONS['entities'][name])))
    endpoint = getattr(api, operation)
    names = [*endpoint.operation.types, '_request_timeout', '_check_input_type', 'async_req']
    kwargs = data.draw(st.fixed_dictionaries(
        {one: anything for one in endpoint.operation.positional},
        optional={one: anything for one in names if one not in endpoint.operation.positional}))
    try:
        endpoint(**kwargs)
    except OURS:
        return
    (operation, path, query, headers, body), = sent
    assert path.isascii() and path.count('/') == operation.path.count('/')
    assert not any(step in ('', '.', '..') for step in path.split('/')[1:])
    assert all(isinstance(one, str) for pair in query for one in pair)
    assert all('\n' not in value and '\r' not in value for value in headers.values())
    assert body is None or json.loads(body) is not ...


@FAST
@given(value=anything, kind=st.sampled_from([int, str, bool, dt.datetime, dt.date, dict, list, models.File,
                                             models.RootStudy, [str], [models.File], {str: (int,)}]),
       decoded=st.booleans(), check=st.booleans())
def test_any_value_validated(value, kind, decoded, check):
    try:
        validate_and_convert_types(value, (kind,), ['x'], decoded, check)
    except OURS as error:
        assert str(error)


@FAST
@given(st.datetimes(min_value=dt.datetime(1000, 1, 1), timezones=st.one_of(st.none(), st.just(
    dt.timezone.utc), st.integers(-1400, 1400).map(lambda n: dt.timezone(dt.timedelta(minutes=n // 2))))))
def test_dates_go_round(moment):
    text = moment.isoformat()
    found = _types.parse_datetime(text)
    assert found == moment and found.utcoffset() == moment.utcoffset() and _types.iso(text, 'datetime') == text


def test_deep_json_is_refused_or_kept_and_never_crashes():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(_exceptions.ApiValueError, match='no form in JSON'):
        apis.InstitutesApi(type('Client', (), {'call': None})()).post_studies('h', models.Study('Study', other=deep))
    model = _models.deserialize({'studyType': 'Study', 'other': deep}, 'RootStudy')
    assert type(model.other) is list
    with pytest.raises(RecursionError):
        model.to_dict()
