"""Every event that is printed fits docs/events.schema.json, and what does not fit is noticed."""

import copy
import json
import os
import subprocess
import unittest

import events_schema

LINES = subprocess.run([os.environ['PEERNET_EVENT_SAMPLES']], stdout=subprocess.PIPE, check=True).stdout.decode('ascii').splitlines()
EVENTS = [json.loads(line) for line in LINES]


class Events(unittest.TestCase):
    def test_every_kind_is_printed(self):
        self.assertEqual({event['event'] for event in EVENTS}, set(events_schema.SCHEMA['properties']['event']['enum']))

    def test_every_event_fits_the_schema(self):
        for event in EVENTS:
            self.assertEqual(events_schema.problems(event), [])

    def test_every_field_is_described(self):
        for event in EVENTS:
            described = set(events_schema.SCHEMA['$defs'][event['event']]['properties'])
            self.assertEqual(set(event) - {'v'}, described)

    def test_a_missing_field_is_noticed(self):
        for event in EVENTS:
            for name in event:
                broken = {key: value for key, value in event.items() if key != name}
                self.assertTrue(events_schema.problems(broken), f'{event["event"]} without {name}')

    def test_a_field_of_another_type_is_noticed(self):
        for event in EVENTS:
            for name in event:
                broken = copy.copy(event)
                broken[name] = [1]
                self.assertTrue(events_schema.problems(broken), f'{event["event"]}.{name}')

    def test_a_negative_count_is_noticed(self):
        event = next(event for event in EVENTS if event['event'] == 'progress')
        self.assertTrue(events_schema.problems({**event, 'bytes_done': -1}))

    def test_another_version_is_noticed(self):
        self.assertTrue(events_schema.problems({**EVENTS[0], 'v': 2}))


if __name__ == '__main__':
    unittest.main()
