"""docs/events.schema.json, and as much of JSON Schema as it uses: problems(value) lists what is wrong with an event."""

import json
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
with open(os.path.join(ROOT, 'docs', 'events.schema.json'), encoding='utf-8') as _file:
    SCHEMA = json.load(_file)

KNOWN = {'$schema', '$defs', '$ref', 'title', 'description', 'type', 'required', 'properties', 'const', 'enum', 'oneOf',
         'minimum', 'maximum', 'items'}
TYPES = {'object': dict, 'array': list, 'string': str, 'integer': int, 'number': (int, float), 'null': type(None),
         'boolean': bool}


def is_type(value, name):
    return isinstance(value, TYPES[name]) and (name == 'boolean' or not isinstance(value, bool))


def problems(value, schema=SCHEMA, where='event'):
    unknown = set(schema) - KNOWN
    if unknown:
        raise ValueError(f'this validator does not know {unknown}')
    found = []
    if '$ref' in schema:
        found += problems(value, SCHEMA['$defs'][schema['$ref'].removeprefix('#/$defs/')], where)
    if 'type' in schema:
        names = schema['type'] if isinstance(schema['type'], list) else [schema['type']]
        if not any(is_type(value, name) for name in names):
            return found + [f'{where} is no {" or ".join(names)}: {value!r}']
    if 'const' in schema and (value != schema['const'] or isinstance(value, bool)):
        found.append(f'{where} is not {schema["const"]!r}: {value!r}')
    if 'enum' in schema and value not in schema['enum']:
        found.append(f'{where} is none of {schema["enum"]}: {value!r}')
    if is_type(value, 'number'):
        if value < schema.get('minimum', value) or value > schema.get('maximum', value):
            found.append(f'{where} is out of range: {value!r}')
    if isinstance(value, dict):
        found += [f'{where} lacks {name}' for name in schema.get('required', []) if name not in value]
        for name, inner in schema.get('properties', {}).items():
            if name in value:
                found += problems(value[name], inner, f'{where}.{name}')
    if isinstance(value, list) and 'items' in schema:
        for index, one in enumerate(value):
            found += problems(one, schema['items'], f'{where}[{index}]')
    if 'oneOf' in schema:
        fits = [one for one in schema['oneOf'] if not problems(value, one, where)]
        if len(fits) != 1:
            found.append(f'{where} fits {len(fits)} of the kinds: {value!r}')
    return found
