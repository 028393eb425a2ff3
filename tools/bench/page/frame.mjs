// What all charts share: the look of a plot, and the layout of charts that have a line for each case.
import * as Plot from '@observablehq/plot';
import {scaleOf} from './words.mjs';

const kFont = 13, kLetter = 7.3, kNarrow = 480;
export const kText = {fill: 'var(--text)', fontSize: kFont};

/** Pixels that the longest of these texts needs, roughly. */
export const widthOf = (texts) => Math.max(0, ...texts.map((text) => text.length)) * kLetter;

export function plot(width, options) {
  const style = {background: 'none', color: 'var(--muted)', fontFamily: 'inherit', fontSize: `${kFont}px`, overflow: 'visible'};
  return Plot.plot({width, style, ...options});
}

/** Words for the ticks of an axis whose largest value this is: one unit for all, "50" and not "50.0". */
export function axisOf(most, unit) {
  const {unit: name, factor} = scaleOf(most, unit);
  return {name: name === 'x' ? '' : name, suffix: name === 'x' ? 'x' : '', format: (value) => String(Number((value * factor).toPrecision(4)))};
}

/** How many ticks an axis of that many pixels has room for. */
export const ticksIn = (pixels) => Math.max(2, Math.round(pixels / 90));

/** The horizontal axis at the foot of a chart, with lines up through it; its last tick names the unit. */
export function axisX(pixels, {name, suffix, format, steps}) {
  const common = {ticks: steps ?? ticksIn(pixels)};
  const words = (value, i, all) => format(value) + suffix + (i === all.length - 1 && name !== '' ? `\u00a0${name}` : '');
  return [Plot.gridX({stroke: 'var(--grid)', strokeOpacity: 1, ...common}), Plot.axisX({label: null, tickSize: 0, text: words, ...common})];
}

/** The vertical axis, the same way; its unit stands above it. */
export function axisY({name, suffix, format}, ticks = 5) {
  return [Plot.gridY({stroke: 'var(--grid)', strokeOpacity: 1, ticks}),
          Plot.axisY({label: name || null, labelAnchor: 'top', labelArrow: 'none', tickSize: 0, text: (value) => format(value) + suffix, ticks})];
}

/** Where the labels of a chart of lines stand, and how many pixels are left for its values. */
export function roomOf(width, labels, ends) {
  const beside = Math.ceil(widthOf(labels)) + 14, above = width < kNarrow || beside > width * 0.36;
  const marginLeft = above ? 4 : beside, marginRight = Math.min(width * 0.45, widthOf(ends) + 12);
  return {above, marginLeft, marginRight, inner: width - marginLeft - marginRight};
}

/**
 * A chart of lines below each other. `labels` names the cases, each has `parts` lines of `thick` pixels. Labels stand
 * beside their lines, or above them where the page is narrow. `marks(top)` draws, top(label, part) being the upper
 * pixel of a line; `ends` are texts that stand to the right of the largest value.
 */
export function lines(width, {labels, parts = 1, thick = 24, ends = [], x, axis, marks}) {
  const {above, marginLeft, marginRight, inner} = roomOf(width, labels, ends), marginTop = 4, marginBottom = 30;
  const head = above ? 20 : 0, gap = above || parts > 1 ? 12 : 8, each = head + parts * thick + gap;
  const start = (label) => marginTop + labels.indexOf(label) * each;
  const top = (label, part = 0) => start(label) + head + part * thick;
  return plot(width, {
    height: marginTop + labels.length * each + marginBottom, marginLeft, marginRight, marginTop, marginBottom,
    x: {nice: false, ...x}, y: {type: 'identity', axis: null},
    marks: [
      ...axisX(inner, axis),
      ...marks(top),
      Plot.text(labels, {text: (label) => label, lineAnchor: 'middle', textAnchor: above ? 'start' : 'end', frameAnchor: 'left', dx: above ? 0 : -10,
                         y: (label) => above ? start(label) + head / 2 : start(label) + parts * thick / 2, ...kText, stroke: 'var(--card)', strokeWidth: 4}),
    ],
  });
}

/** A line from the smallest to the largest value with a stroke at each end, in the middle of a line `thick` pixels high. */
export function whiskers(data, {thick, top, value = (datum) => datum.value}) {
  const middle = (datum) => top(datum) + thick / 2, some = data.filter((datum) => value(datum).count > 1);
  const end = (side) => Plot.link(some, {x1: (d) => value(d)[side], x2: (d) => value(d)[side], y1: (d) => middle(d) - 4, y2: (d) => middle(d) + 4,
                                         stroke: 'var(--text)', strokeWidth: 1.25});
  return [Plot.link(some, {x1: (d) => value(d).min, x2: (d) => value(d).max, y1: middle, y2: middle, stroke: 'var(--text)', strokeWidth: 1.25}),
          end('min'), end('max')];
}
