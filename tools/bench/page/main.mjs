// Puts the charts of the result in this page into it, and draws them again when their width changes.
import {chartsOf, wellFormed} from './modes.mjs';

// All text comes in as text nodes: a name in a result is never markup.
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function legendOf(entries) {
  return element('ul', {class: 'legend'}, ...entries.map(({name, colour}) => {
    const swatch = element('span', {class: 'swatch', 'aria-hidden': 'true'});
    swatch.style.background = colour;
    return element('li', {}, swatch, name);
  }));
}

function tableOf(chart) {
  const head = element('tr', {}, ...chart.head.map((cell) => element('th', {scope: 'col'}, cell)));
  const rows = chart.rows.map((row) => element('tr', {}, ...row.map((cell, i) => i === 0 ? element('th', {scope: 'row'}, cell) : element('td', {}, cell))));
  return element('details', {}, element('summary', {}, 'As a table'),
                 element('div', {class: 'wide-table'}, element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows))));
}

function labelled(svg, chart, id) {
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-labelledby', `${id}-title ${id}-desc`);
  const inside = (name, text) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    made.id = `${id}-${name}`;
    made.textContent = text;
    return made;
  };
  const words = chart.rows.map((row) => row.filter((cell) => cell !== '').join(', ')).join('; ');
  svg.prepend(inside('title', chart.title), inside('desc', `${chart.note}: ${words}`));
  return svg;
}

// While the page is printed, the width of a chart on paper: A4 and Letter are about as wide, whatever the window is.
const kPaper = 660;
let paper = false;
const drawAgain = [];

function show(chart, index, into) {
  const figure = element('figure', {}), id = `chart-${index + 1}`;
  into.append(element('section', {class: chart.wide ? 'card wide' : 'card', id}, element('h2', {}, chart.title), element('p', {class: 'note'}, chart.note),
                      ...(chart.legend?.length > 1 ? [legendOf(chart.legend)] : []), figure, tableOf(chart)));
  let drawn = 0;
  const draw = () => {
    const width = paper ? kPaper : Math.floor(figure.clientWidth);
    if (width < 1 || width === drawn) return;
    drawn = width;
    figure.replaceChildren(labelled(chart.draw(width), chart, id));
  };
  draw();
  drawAgain.push(draw);
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(figure);
}

const place = document.getElementById('charts');
const result = wellFormed(JSON.parse(document.getElementById('result').textContent));
const charts = chartsOf(result), halves = charts.filter((chart) => !chart.wide);
if (halves.length % 2) halves[halves.length - 1].wide = true;  // none stands alone beside nothing
charts.forEach((chart, index) => show(chart, index, place));
for (const [event, printing] of [['beforeprint', true], ['afterprint', false]])
  addEventListener(event, () => {
    paper = printing;
    drawAgain.forEach((draw) => draw());
  });
