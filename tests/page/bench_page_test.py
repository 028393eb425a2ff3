"""Pages of peernet-bench in a real browser: they are drawn, readable in light and dark, on a phone and on paper, and ask nobody for anything."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import samples  # noqa: E402
from chromium import Browser  # noqa: E402

PROGRAM = os.environ.get('PEERNET_BENCH_PROGRAM', 'peernet-bench')
CHARTS = {'speedup': 4, 'speedup-local': 4, 'crowd': 4, 'engines': 4, 'rivals': 4, 'tracker': 4}
VIEWS = [('light', 1200, False), ('dark', 1200, True), ('phone', 390, False), ('dark phone', 390, True)]

# What a person would see: each text of the charts with its box, its colour and that of the card behind it.
TEXTS = """[...document.querySelectorAll('#charts svg text')].flatMap((text) =>
  (text.querySelectorAll('tspan').length ? [...text.querySelectorAll('tspan')] : [text]).filter((part) => part.textContent.trim() !== '').map((part) => {
    const box = part.getBoundingClientRect();
    return {words: part.textContent, chart: part.closest('section').id, colour: getComputedStyle(part).fill, size: parseFloat(getComputedStyle(part).fontSize),
            behind: getComputedStyle(part.closest('section')).backgroundColor, left: box.left, right: box.right, top: box.top, bottom: box.bottom};
  }))"""
# Text of the document itself, which has the card, the warning or the page behind it.
WORDS = """[...document.querySelectorAll('h1, h2, p, th, td, dt, dd, li, summary, code, footer, span.range')].filter((e) => e.textContent.trim() && e.checkVisibility()).map((e) => {
  let at = e;
  while (at && getComputedStyle(at).backgroundColor === 'rgba(0, 0, 0, 0)') at = at.parentElement;
  return {words: e.textContent, colour: getComputedStyle(e).color, behind: getComputedStyle(at).backgroundColor};
})"""

COUNTS = {
    'charts': "document.querySelectorAll('#charts section svg[role=img]').length",
    'page width': 'document.documentElement.scrollWidth',
    # A drawing has shapes, and ticks or labels.
    'poor': """[...document.querySelectorAll('#charts svg')].filter((svg) =>
        svg.querySelectorAll('path, rect, circle').length < 3 || svg.querySelectorAll('text').length < 4).length""",
    'nameless': """[...document.querySelectorAll('#charts section')].filter((section) => {
        const words = section.querySelector('svg').getAttribute('aria-labelledby').split(' ').map((id) => document.getElementById(id).textContent);
        return words.length !== 2 || words.some((text) => text.length < 10) || section.querySelectorAll('details tbody tr').length < 2;
      }).map((section) => section.id)""",
}


def contrast(one, other):
    """WCAG 2: from 1 to 21."""
    def luminance(colour):
        parts = [int(part) / 255 for part in colour[colour.index('(') + 1:-1].split(',')[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def overlaps(texts):
    found = []
    for i, one in enumerate(texts):
        for other in texts[i + 1:]:
            wide = min(one['right'], other['right']) - max(one['left'], other['left'])
            high = min(one['bottom'], other['bottom']) - max(one['top'], other['top'])
            if one['chart'] == other['chart'] and wide > 1 and high > 3:  # boxes of lines hold some air
                found.append(f"{one['chart']}: \"{one['words']}\" and \"{other['words']}\"")
    return found


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.views = {}
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.pages = {name: cls.page_of(name, result) for name, result in samples.all_of_them().items()}

    @classmethod
    def page_of(cls, name, result):
        source, page = (os.path.join(cls.folder.name, f'{name}.{ending}') for ending in ('json', 'html'))
        with open(source, 'w', encoding='utf-8') as file:
            json.dump(result, file)
        subprocess.run([PROGRAM, 'page', source, '-o', page], check=True, timeout=60)
        return page

    def in_each_view(self, check):
        """check(what was seen there) for each page in each view; a page is opened once for all tests."""
        for name, page in self.pages.items():
            for view, width, dark in VIEWS:
                if (name, view) not in self.views:
                    self.browser.open(page, width, dark)
                    self.views[name, view] = {
                        'name': name, 'width': width, 'complaints': self.complaints(), 'requests': self.requests(), 'texts': self.browser.evaluate(TEXTS),
                        'words': self.browser.evaluate(WORDS), **{key: self.browser.evaluate(expression) for key, expression in COUNTS.items()}}
                with self.subTest(page=name, view=view):
                    check(self.views[name, view])

    def complaints(self):
        """What the browser's console shows, and exceptions."""
        names = {'Runtime.consoleAPICalled', 'Runtime.exceptionThrown', 'Log.entryAdded'}
        return [parameters for name, parameters in self.browser.seen if name in names]

    def requests(self):
        return [parameters['request']['url'][:200] for name, parameters in self.browser.seen if name == 'Network.requestWillBeSent']

    def test_every_chart_is_drawn_and_nothing_is_complained_of_or_asked_for(self):
        def check(seen):
            self.assertEqual(seen['complaints'], [])
            self.assertEqual([url for url in seen['requests'] if not url.startswith(('data:', f'file://{self.pages[seen["name"]]}'))], [])
            self.assertEqual(seen['charts'], CHARTS[seen['name']])
            self.assertEqual(seen['poor'], 0)
        self.in_each_view(check)

    def test_nothing_leaves_the_page_to_the_side(self):
        def check(seen):
            self.assertLessEqual(seen['page width'], seen['width'])
            self.assertEqual([text['words'] for text in seen['texts'] if text['left'] < 0 or text['right'] > seen['width']], [])
        self.in_each_view(check)

    def test_no_text_of_a_chart_lies_on_another(self):
        self.in_each_view(lambda seen: self.assertEqual(overlaps(seen['texts']), []))

    def test_text_stands_out_from_what_is_behind_it(self):
        def check(seen):
            texts = [*seen['texts'], *seen['words']]
            self.assertGreater(len(texts), 40)
            self.assertEqual([text['words'] for text in texts if contrast(text['colour'], text['behind']) < 4.5], [])
            self.assertEqual([text['words'] for text in texts if text.get('size', 12) < 12], [])
        self.in_each_view(check)

    def test_charts_have_a_name_and_a_table_for_those_who_do_not_see_them(self):
        self.in_each_view(lambda seen: self.assertEqual(seen['nameless'], []))

    def test_charts_follow_the_width_of_the_window(self):
        self.browser.open(self.pages['rivals'], 1200)
        width = "document.querySelector('#charts svg').viewBox.baseVal.width"  # what it is drawn for; CSS alone would shrink the text too
        self.assertGreater(self.browser.evaluate(width), 800)
        self.browser.call('Emulation.setDeviceMetricsOverride', width=420, height=900, deviceScaleFactor=1, mobile=False)
        self.browser.evaluate(f"""new Promise((done) => {{
            const look = () => {width} < 400 ? done() : requestAnimationFrame(look);
            look();
          }})""")

    def test_paper_shows_the_charts(self):
        for name, page in self.pages.items():
            with self.subTest(page=name):
                self.browser.open(page, 1200, True)
                drawn = "document.querySelector('#charts svg').viewBox.baseVal.width"
                before = self.browser.evaluate(drawn)
                self.browser.evaluate(f'addEventListener("beforeprint", () => {{ window.onPaper = {drawn} }})')
                printed = os.path.join(self.folder.name, 'page.pdf')
                self.browser.print_to_pdf(printed)
                self.assertGreater(os.path.getsize(printed), 10_000)
                self.assertLess(self.browser.evaluate('window.onPaper'), 700)  # drawn anew: a chart of the window's width would shrink
                self.assertEqual(self.browser.evaluate(drawn), before)
                self.browser.call('Emulation.setEmulatedMedia', media='print', features=[{'name': 'prefers-color-scheme', 'value': 'dark'}])
                texts = self.browser.evaluate(TEXTS)
                self.browser.call('Emulation.setEmulatedMedia', media='')
                self.assertEqual({text['behind'] for text in texts}, {'rgb(255, 255, 255)'})
                self.assertEqual([text['words'] for text in texts if contrast(text['colour'], text['behind']) < 4.5], [])

    def test_a_noisy_machine_is_said_where_everybody_looks(self):
        warning = "document.querySelector('.warning')?.getBoundingClientRect().top"
        self.browser.open(self.pages['speedup-local'])
        self.assertLess(self.browser.evaluate(warning), 300)
        self.browser.open(self.pages['speedup'])
        self.assertIsNone(self.browser.evaluate(warning))

    def test_names_never_become_markup(self):
        hostile = '</script><script>window.pwned = 1</script><img src=x onerror="window.pwned = 1"><!--\u202e\u2028'
        result = samples.speedup(False)
        for row in result['rows']:
            row['label'] = row['timeline']['names'][0] = hostile
        for figure in result['figures']:
            figure['label'] = hostile
        result.update(title=hostile, notes=[hostile], command=[hostile], mode='speedup', settings={hostile: hostile}, versions={'x': hostile},
                      machine={'cpu': hostile})
        self.browser.open(self.page_of('hostile', result))
        self.assertEqual(self.complaints(), [])
        self.assertIsNone(self.browser.evaluate('window.pwned'))
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('img, script').length"), 2)  # the data and the charts
        self.assertIn('<img src=x', self.browser.evaluate("document.querySelector('h1').textContent"))
        self.assertIn('<img src=x', self.browser.evaluate("document.querySelector('#charts').textContent"))

    def test_a_script_that_is_not_ours_does_not_run(self):
        with open(self.pages['tracker'], encoding='utf-8') as file:
            text = file.read()
        path = os.path.join(self.folder.name, 'planted.html')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text.replace('</main>', '<script>window.pwned = 1</script></main>'))
        self.browser.open(path)
        self.assertIsNone(self.browser.evaluate('window.pwned'))
        self.assertTrue(self.complaints())

    def test_what_a_result_lacks_is_left_out(self):
        for name, change in {'no rows': {'rows': []}, 'rows of nothing': {'rows': [None, 3, {'id': 1, 'runs': [{}]}]}, 'one run': None,
                             'no figures': {'figures': []}, 'other mode': {'mode': 'later'}, 'words for numbers': {'settings': 'x', 'noise': [], 'machine': 3}}.items():
            with self.subTest(name):
                result = samples.rivals()
                if change is None:
                    for row in result['rows']:
                        row['runs'] = row['runs'][:1]
                else:
                    result.update(change)
                self.browser.open(self.page_of('less', result))
                self.assertEqual(self.complaints(), [])


if __name__ == '__main__':
    unittest.main()
