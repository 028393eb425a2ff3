// The kinds of charts. Each returns an SVG element for a width in pixels; colours are CSS variables of style.css.
import * as Plot from '@observablehq/plot';
import {axisOf, axisX, axisY, kText, lines, plot, roomOf, whiskers, widthOf} from './frame.mjs';

/** The colour of one source among others. */
export const sourceColour = (index) => `var(--source-${index % 8 + 1})`;

const labelsOf = (data) => [...new Set(data.map((datum) => datum.label))];

/** Bars of medians with whiskers: [{label, part, colour, value: {median, min, max, count}, text}], `part` counting from 0. */
export function bars(width, data, {unit}) {
  const labels = labelsOf(data), parts = 1 + Math.max(...data.map((bar) => bar.part)), thick = parts > 1 ? 18 : 26;
  const most = Math.max(...data.map((bar) => bar.value.max)) || 1;
  return lines(width, {
    labels, parts, thick, ends: data.map((bar) => bar.text), x: {domain: [0, most]}, axis: axisOf(most, unit),
    marks: (top) => [
      Plot.rect(data, {x1: 0, x2: (bar) => bar.value.median, y1: (bar) => top(bar.label, bar.part) + 2,
                       y2: (bar) => top(bar.label, bar.part) + thick - 2, fill: 'colour', rx2: 2}),
      ...whiskers(data, {thick, top: (bar) => top(bar.label, bar.part)}),
      Plot.text(data, {x: (bar) => bar.value.max, y: (bar) => top(bar.label, bar.part) + thick / 2, text: 'text', textAnchor: 'start', dx: 8, ...kText}),
    ],
  });
}

/** Bars of parts behind each other: [{label, text, parts: [{colour, value}]}]. */
export function stacks(width, data, {unit}) {
  const labels = labelsOf(data), thick = 26, most = Math.max(...data.map((bar) => bar.parts.reduce((sum, part) => sum + part.value, 0))) || 1;
  const pieces = data.flatMap((bar) => {
    let at = 0;
    return bar.parts.map((part) => ({label: bar.label, colour: part.colour, x1: at, x2: at += part.value}));
  });
  const ends = data.map((bar) => ({...bar, x: bar.parts.reduce((sum, part) => sum + part.value, 0)}));
  return lines(width, {
    labels, thick, ends: data.map((bar) => bar.text), x: {domain: [0, most]}, axis: axisOf(most, unit),
    marks: (top) => [
      Plot.rect(pieces, {x1: 'x1', x2: 'x2', y1: (piece) => top(piece.label) + 2, y2: (piece) => top(piece.label) + thick - 2, fill: 'colour',
                         stroke: 'var(--card)', strokeWidth: 1}),
      Plot.text(ends, {x: 'x', y: (bar) => top(bar.label) + thick / 2, text: 'text', textAnchor: 'start', dx: 8, ...kText}),
    ],
  });
}

/** Ratios on a logarithmic axis, a line at 1: [{label, colour, value, text}]. */
export function ratios(width, data) {
  const labels = labelsOf(data), thick = 26;
  const low = Math.min(0.8, ...data.map((dot) => dot.value.min)) * 0.9, high = Math.max(1.25, ...data.map((dot) => dot.value.max)) * 1.1;
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].filter((step) => step >= low && step <= high);
  return lines(width, {
    labels, thick, ends: data.map((dot) => dot.text), x: {type: 'log', domain: [low, high]},
    axis: {...axisOf(1, 'x'), steps},
    marks: (top) => [
      Plot.ruleX([1], {stroke: 'var(--text)', strokeWidth: 1}),
      Plot.link(data, {x1: 1, x2: (dot) => dot.value.median, y1: (dot) => top(dot.label) + thick / 2, y2: (dot) => top(dot.label) + thick / 2,
                       stroke: 'colour', strokeWidth: 7, strokeOpacity: 0.3}),
      ...whiskers(data, {thick, top: (dot) => top(dot.label)}),
      Plot.dot(data, {x: (dot) => dot.value.median, y: (dot) => top(dot.label) + thick / 2, r: 5, fill: 'colour', stroke: 'var(--card)', strokeWidth: 1.5}),
      Plot.text(data, {x: () => high, y: (dot) => top(dot.label) + thick / 2, text: 'text', textAnchor: 'start', dx: 6, ...kText}),
    ],
  });
}

/** Several values of one thing on a logarithmic line, rising: [{label, points: [{value, colour, text}]}]. */
export function spreads(width, data, {unit}) {
  const labels = labelsOf(data), thick = 44, values = data.flatMap((line) => line.points.map((point) => point.value));
  const low = Math.min(...values) / 1.6, high = Math.max(...values) * 1.6, ends = ['00'], {inner} = roomOf(width, labels, ends);
  const place = (value) => Math.log(value / low) / Math.log(high / low) * inner;
  // A text that would touch the one before it is left to the table.
  const points = data.flatMap(({label, points: all}) => {
    let free = -Infinity;
    return all.map((point) => {
      const half = widthOf([point.text]) / 2, shown = place(point.value) - half > free;
      if (shown) free = place(point.value) + half;
      return {...point, label, text: shown ? point.text : ''};
    });
  });
  const powers = Array.from({length: 16}, (_, i) => i - 9), decades = Math.log10(high / low);
  const steps = powers.flatMap((power) => (decades > 2.5 || inner < 400 ? [1] : [1, 2, 5]).map((digit) => Number(`${digit}e${power}`)));
  return lines(width, {
    labels, thick, ends, x: {type: 'log', domain: [low, high]}, axis: {...axisOf(high, unit), steps: steps.filter((step) => step >= low && step <= high)},
    marks: (top) => [
      Plot.link(data, {x1: (line) => line.points[0].value, x2: (line) => line.points[line.points.length - 1].value,
                       y1: (line) => top(line.label) + 30, y2: (line) => top(line.label) + 30, stroke: 'var(--axis)', strokeWidth: 2}),
      Plot.dot(points, {x: 'value', y: (point) => top(point.label) + 30, r: 5.5, fill: 'colour', stroke: 'var(--card)', strokeWidth: 1.5}),
      Plot.text(points, {x: 'value', y: (point) => top(point.label) + 14, text: 'text', ...kText}),
    ],
  });
}

/**
 * Curves over a whole number of parties: [{name, colour, points: [{x, value, text}]}], points rising in x, and `ideal`,
 * [[x, y], ...], as a dashed line. The values of the highest of several curves stand above it, all others below.
 */
export function curves(width, data, {unit, ideal, idealName, xName}) {
  const counts = [...new Set(data.flatMap((curve) => curve.points.map((point) => point.x)))].sort((a, b) => a - b);
  const first = counts[0], last = counts[counts.length - 1];
  const ends = [...data.map(({name, points: all}) => ({y: all[all.length - 1].value.median, text: name})), {y: ideal[ideal.length - 1][1], text: idealName}];
  const height = Math.max(260, Math.min(380, width * 0.5)), marginLeft = 44, marginTop = 28, marginBottom = 42;
  const marginRight = Math.min(width * 0.3, widthOf(ends.map((end) => end.text)) + 14);
  // Beside the first and the last point there is room for half of a value.
  const inner = width - marginLeft - marginRight, beside = Math.min(inner * 0.2, widthOf(data.flatMap((curve) => curve.points.map((point) => point.text))) / 2 + 4);
  const perUnit = (inner - 2 * beside) / (last - first || 1), spare = beside / perUnit;
  // From the last point to the first: a text that would touch the one after it is left to the table.
  const top = (x) => Math.max(...data.flatMap((curve) => curve.points.filter((point) => point.x === x).map((point) => point.value.median)));
  const points = data.flatMap((curve) => {
    let free = Infinity;
    return [...curve.points].reverse().map((point) => {
      const half = widthOf([point.text]) / 2 + 2, shown = point.x * perUnit + half < free;
      if (shown) free = point.x * perUnit - half;
      return {...point, colour: curve.colour, name: curve.name, above: data.length > 1 && point.value.median === top(point.x), text: shown ? point.text : ''};
    });
  });
  const most = Math.max(...points.map((point) => point.value.max), ...ideal.map(([, y]) => y));
  const values = (above) => Plot.text(points.filter((point) => point.above === above), {
    x: 'x', y: (point) => above ? point.value.max : point.value.min, text: 'text', dy: above ? -13 : 15, ...kText, stroke: 'var(--card)', strokeWidth: 4});
  return plot(width, {
    height, marginLeft, marginTop, marginBottom, marginRight, x: {domain: [first - spare, last + spare]}, y: {domain: [0, most * 1.04]},
    marks: [
      ...axisY(axisOf(most, unit)),
      Plot.axisX(counts, {label: xName, labelAnchor: 'center', labelArrow: 'none', labelOffset: 38, tickSize: 0, tickFormat: String}),
      Plot.ruleY([0], {stroke: 'var(--axis)'}),
      Plot.line(ideal, {stroke: 'var(--muted)', strokeWidth: 1.5, strokeDasharray: '5 4'}),
      Plot.line(points, {x: 'x', y: (point) => point.value.median, z: 'name', stroke: 'colour', strokeWidth: 2.5}),
      Plot.ruleX(points.filter((point) => point.value.count > 1), {x: 'x', y1: (point) => point.value.min, y2: (point) => point.value.max,
                                                                   stroke: 'var(--text)', strokeWidth: 1.25}),
      Plot.dot(points, {x: 'x', y: (point) => point.value.median, fill: 'colour', r: 4.5, stroke: 'var(--card)', strokeWidth: 1.5}),
      values(true), values(false),
      Plot.text(apart(ends, most * 18 / (height - marginTop - marginBottom)),
                {x: () => last + spare, y: 'y', text: 'text', textAnchor: 'start', dx: 6, ...kText}),
    ],
  });
}

// Moves texts at the right end up, so that each is at least `step` above the one below it.
function apart(texts, step) {
  const sorted = texts.sort((a, b) => a.y - b.y);
  for (let i = 1; i < sorted.length; ++i) sorted[i].y = Math.max(sorted[i].y, sorted[i - 1].y + step);
  return sorted;
}

/** What each source sent over time, stacked; a panel for each case: [{label, rates: [{seconds, source, rate}]}]. */
export function streams(width, data) {
  const sums = new Map();
  for (const panel of data)
    for (const {seconds, rate} of panel.rates) sums.set(`${panel.label} ${seconds}`, (sums.get(`${panel.label} ${seconds}`) ?? 0) + rate);
  const most = Math.max(...sums.values()) || 1, end = Math.max(...data.flatMap((panel) => panel.rates.map((point) => point.seconds))) || 1;
  const y = axisOf(most, 'B/s'), x = axisOf(end, 's'), marginLeft = 44, marginRight = 16;
  const points = data.flatMap((panel) => panel.rates.map((point) => ({...point, label: panel.label})));
  return plot(width, {
    height: 56 + data.length * (data.length > 1 ? 104 : 200), marginLeft, marginRight, marginTop: 28, marginBottom: 30,
    x: {domain: [0, end * 1.01]}, y: {domain: [0, most * 1.05]}, fy: {domain: labelsOf(data), axis: null, padding: data.length > 1 ? 0.24 : 0},
    marks: [
      ...axisY(y, data.length > 1 ? 2 : 4),
      ...axisX(width - marginLeft - marginRight, x),
      Plot.areaY(points, {x: 'seconds', y: 'rate', z: 'source', fy: 'label', fill: (point) => sourceColour(point.source), order: 'source',
                          stroke: 'var(--card)', strokeWidth: 0.5, curve: 'monotone-x'}),
      Plot.ruleY([0], {stroke: 'var(--axis)'}),
      data.length > 1 ? Plot.text(labelsOf(data), {fy: (label) => label, text: (label) => label, frameAnchor: 'top-right', dy: -16, ...kText}) : null,
    ],
  });
}

