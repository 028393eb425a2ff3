// Which charts a result has: [{title, note, legend, draw(width), head, rows, wide}]. `head` and `rows` are the same data as a table.
import {bars, curves, ratios, sourceColour, spreads, stacks, streams} from './charts.mjs';
import {ofRuns, ratesOf, ratioOf, receiverCpu, sourceCpu} from './numbers.mjs';
import {digits, say, sayRange, sizeOf} from './words.mjs';

const kOurs = 'var(--ours)', kOther = 'var(--other)', kSource = 'var(--source)', kReceiver = 'var(--receiver)';
const kSides = [{name: 'source', colour: kSource}, {name: 'receiver', colour: kReceiver}];
const kWhiskers = 'bars are medians, whiskers the smallest and largest of the runs';

const isOurs = (row) => row.group === 'peernet' || /^peernet\b/.test(row.id);
const groupName = (group) => ({http: 'HTTP', https: 'HTTPS'}[group] ?? group);
const sizeText = (result) => result.settings.size_bytes > 0 ? sizeOf(result.settings.size_bytes) : 'the file';

// Wall time of each case. Colour: peernet among other tools, or all the same.
function times(result, rows, title, note) {
  const data = rows.map((row) => ({row, label: row.label, part: 0, value: ofRuns(row, 'wall_seconds')})).filter((bar) => bar.value);
  if (data.length === 0) return [];
  const mixed = data.some((bar) => !isOurs(bar.row));
  const most = Math.max(...data.map((bar) => bar.value.max));
  for (const bar of data) {
    bar.text = say(bar.value.median, 's', most);
    bar.colour = isOurs(bar.row) || !mixed ? kOurs : kOther;
  }
  return [{title, note, draw: (width) => bars(width, data, {unit: 's'}), head: ['', 'time', 'runs'],
           rows: data.map((bar) => [bar.label, sayRange(bar.value, 's'), String(bar.value.count)])}];
}

function cpu(rows) {
  const data = rows.map((row) => ({label: row.label, source: ofRuns(row, sourceCpu), receiver: ofRuns(row, receiverCpu)}))
    .filter((bar) => bar.source || bar.receiver);
  if (data.length === 0) return [];
  for (const bar of data) {
    bar.parts = [{colour: kSource, value: bar.source?.median ?? 0}, {colour: kReceiver, value: bar.receiver?.median ?? 0}];
    bar.text = digits(bar.parts[0].value + bar.parts[1].value);
  }
  return [{title: 'CPU time for each GB moved', note: 'seconds of CPU per GB of content, medians of the runs', legend: kSides,
           draw: (width) => stacks(width, data, {unit: 's/GB'}), head: ['', 'source', 'receiver', 'both'],
           rows: data.map((bar) => [bar.label, bar.source ? sayRange(bar.source, 's/GB') : '', bar.receiver ? sayRange(bar.receiver, 's/GB') : '',
                                    `${bar.text}\u00a0s/GB`])}];
}

function memory(rows) {
  const data = rows.flatMap((row) => kSides.map(({name, colour}, part) => ({label: row.label, part, name, colour, value: ofRuns(row, `${name}_memory_bytes`)})))
    .filter((bar) => bar.value);
  if (data.length === 0) return [];
  const most = Math.max(...data.map((bar) => bar.value.max));
  for (const bar of data) bar.text = say(bar.value.median, 'B', most);
  return [{title: 'Peak memory of one process', note: kWhiskers, legend: kSides, draw: (width) => bars(width, data, {unit: 'B'}),
           head: ['', 'side', 'peak memory'], rows: data.map((bar) => [bar.label, bar.name, sayRange(bar.value, 'B')])}];
}

function throughput(rows) {
  const panels = rows.filter((row) => row.timeline).map((row) => ({label: row.label, names: row.timeline.names, rates: ratesOf(row.timeline)}))
    .filter((panel) => panel.rates.length > 0);
  if (panels.length === 0) return [];
  const names = panels.reduce((most, panel) => panel.names.length > most.length ? panel.names : most, []);
  const mean = (panel, source) => {
    const own = panel.rates.filter((point) => point.source === source);
    return own.reduce((sum, point) => sum + point.rate, 0) / own.length;
  };
  return [{title: names.length > 1 ? 'What each source sends, over time' : 'What the source sends, over time', wide: true,
           note: 'content bytes per second since the start of the receiving command, in the run of median time',
           legend: names.map((name, index) => ({name, colour: sourceColour(index)})), draw: (width) => streams(width, panels),
           head: ['', 'source', 'mean rate'],
           rows: panels.flatMap((panel) => panel.names.map((name, source) => [panel.label, name, say(mean(panel, source), 'B/s')]))}];
}

// Points by number of parties of one group, with what `value` makes of each row.
function curveOf(rows, value, unit) {
  return rows.filter((row) => Number.isFinite(row.parties)).map((row) => ({x: row.parties, row, value: value(row)})).filter((point) => point.value)
    .sort((a, b) => a.x - b.x).map((point, i, all) => ({...point, text: say(point.value.median, unit, Math.max(...all.map(({value: other}) => other.max)))}));
}

function speedup(result) {
  const rows = result.rows, single = rows.find((row) => row.parties === 1);
  const points = single ? curveOf(rows, (row) => ratioOf(result, `${row.id}.speedup`, single, row), 'x') : [];
  const charts = [];
  if (points.length > 1) {
    const last = points[points.length - 1], times = last.value.median;
    charts.push({
      title: times > 1.05 ? `${last.x} sources: ${digits(times)} times as fast as one`
        : times < 0.95 ? `${last.x} sources: ${digits(1 / times)} times as slow as one` : `${last.x} sources are as fast as one`,
      note: 'time of 1 to 1 divided by the time of N to 1; the dashed line is N times as fast', wide: true,
      draw: (width) => curves(width, [{name: 'measured', colour: kOurs, points}],
                              {unit: 'x', ideal: points.map(({x}) => [x, x]), idealName: 'ideal', xName: 'sources'}),
      head: ['transfer', 'total time', 'average speed of a source', 'combined speed', 'speedup'],
      rows: points.map(({row, value, x}) => {
        const rate = ofRuns(row, (run) => run.bytes / run.wall_seconds);
        return [row.label, sayRange(ofRuns(row, 'wall_seconds'), 's'), rate ? say(rate.median / x, 'B/s') : '', rate ? say(rate.median, 'B/s') : '',
                sayRange(value, 'x')];
      })});
  }
  return [...charts, ...throughput(rows), ...(points.length > 1 ? [] : times(result, rows, `Time of ${sizeText(result)}`, kWhiskers)),
          ...cpu(rows), ...memory(rows)];
}

function crowd(result) {
  const groups = [...new Set(result.rows.map((row) => row.group))].map((group) => result.rows.filter((row) => row.group === group));
  const data = groups.map((rows) => ({name: groupName(rows[0].group), colour: isOurs(rows[0]) ? kOurs : 'var(--rival)', ours: isOurs(rows[0]),
                                      points: curveOf(rows, (row) => ofRuns(row, 'wall_seconds'), 's')})).filter((curve) => curve.points.length > 0);
  const ours = data.find((curve) => curve.ours) ?? data[0], charts = [];
  if (ours && ours.points.length > 1) {
    const first = ours.points[0], last = ours.points[ours.points.length - 1], counts = data.flatMap((curve) => curve.points.map((point) => point.x));
    const low = Math.min(...counts), high = Math.max(...counts), other = data.find((curve) => curve !== ours);
    const rival = other?.points.find((point) => point.x === last.x), base = other?.points.find((point) => point.x === first.x);
    charts.push({
      title: `${last.x} receivers: the last is done after ${digits(last.value.median / first.value.median)} times the time of ${first.x}` +
        (rival && base ? `, over ${other.name} ${digits(rival.value.median / base.value.median)} times` : ''),
      note: 'time until the last of N receivers has everything from one source; the dashed line is the time of one', wide: true,
      draw: (width) => curves(width, data, {unit: 's', ideal: [[low, first.value.median], [high, first.value.median]], idealName: 'ideal',
                                            xName: 'receivers'}),
      head: ['', 'receivers', 'time of the last'],
      rows: data.flatMap((curve) => curve.points.map((point) => [curve.name, String(point.x), sayRange(point.value, 's')]))});
  }
  const own = result.rows.filter(isOurs);
  return [...charts, ...throughput(own), ...(charts.length ? [] : times(result, result.rows, `Time of ${sizeText(result)}`, kWhiskers)),
          ...cpu(result.rows), ...memory(result.rows)];
}

// A chart of ratios: [{label, value}], blue where less than one.
function ratioChart(data, {title, note, less, more, head}) {
  for (const dot of data) {
    dot.text = say(dot.value.median, 'x');
    dot.colour = dot.value.median <= 1 ? kOurs : 'var(--rival)';
  }
  return {wide: true, title, note, legend: [{name: less, colour: kOurs}, {name: more, colour: 'var(--rival)'}], draw: (width) => ratios(width, data),
          head, rows: data.map((dot) => [dot.label, sayRange(dot.value, 'x')])};
}

function engines(result) {
  const ratioIn = (row, name) => result.figures.find((figure) => figure.id === `${row.id}.${name}` && figure.min > 0);
  const data = result.rows.map((row) => ({label: row.label, value: ratioIn(row, 'ratio')})).filter((dot) => dot.value);
  const compared = data.length === 0 ? [] : [ratioChart(data, {
    title: 'What each change costs or saves', note: 'time with the change divided by the time of the default, neighbouring runs',
    less: 'faster than the default', more: 'slower', head: ['', 'time / default']})];
  return [...times(result, result.rows, `Time of ${sizeText(result)} by engine and technique`, kWhiskers).map((chart) => ({...chart, wide: true})), ...compared,
          ...cpu(result.rows), ...memory(result.rows), ...throughput(result.rows)];
}

// peernet's time as a part of each tool's, of the rows that belong together.
function against(result, rows) {
  const ours = rows.find((row) => /^peernet\b/.test(row.id)) ?? rows.find(isOurs);
  const data = rows.filter((row) => ours && row !== ours && !isOurs(row))
    .map((row) => ({label: row.label, value: ratioOf(result, `${row.id}.ratio`, ours, row)})).filter((dot) => dot.value?.min > 0);
  if (data.length === 0) return [];
  const faster = data.filter((dot) => dot.value.median < 1).length, name = ours.label;
  return [ratioChart(data, {
    title: faster === data.length ? `${name} is faster than every other tool` : `${name} is faster than ${faster} of ${data.length} tools`,
    note: `time of ${name} divided by that of the tool, neighbouring runs; left of the line ${name} is faster`,
    less: `${name} faster`, more: 'slower', head: [`${name} against`, 'ratio of times']})];
}

function rivals(result) {
  const order = (row) => ofRuns(row, 'wall_seconds')?.median ?? 0;
  const rows = [...result.rows].sort((a, b) => order(a) - order(b));
  return [...times(result, rows, `Time of ${sizeText(result)}, the same transfer by each tool`, kWhiskers).map((chart) => ({...chart, wide: true})), ...against(result, rows),
          ...cpu(rows), ...memory(rows), ...throughput(rows)];
}

// "label: what" as figures are named; the first part is the case.
const caseOf = (figure) => figure.label.includes(': ') ? figure.label.slice(0, figure.label.indexOf(': ')) : figure.label;
const percentileOf = (figure) => /\.(?:latency_)?(p\d+|max|longest)$/.exec(figure.id)?.[1];

// A chart of bars for each kind of figure that more than one case has: "case: replies a second".
function kinds(figures, unit, note, of = '') {
  const whatOf = (figure) => figure.label.slice(caseOf(figure).length).replace(/^: /, ''), found = figures.filter((figure) => figure.unit === unit && figure.median > 0);
  return [...new Set(found.map(whatOf))].map((what) => ({what, data: found.filter((figure) => whatOf(figure) === what)})).filter(({data}) => data.length > 1)
    .map(({what, data}) => {
      const shown = data.map((figure) => ({label: caseOf(figure), part: 0, colour: kOurs, value: figure, text: say(figure.median, unit)}));
      return {title: what.charAt(0).toUpperCase() + what.slice(1) + of, note, draw: (width) => bars(width, shown, {unit}), head: ['', what],
              rows: shown.map((bar) => [bar.label, sayRange(bar.value, unit)])};
    });
}

function tracker(result) {
  const charts = kinds(result.figures, '1/s', kWhiskers);
  const late = result.figures.filter((figure) => figure.unit === 's' && percentileOf(figure) && figure.median > 0);
  const cases = [...new Set(late.map(caseOf))], names = [...new Set(late.map(percentileOf))];
  const nameOf = (name) => name === 'p50' ? 'half of all (p50)' : /^p\d/.test(name) ? `${Number(`0.${name.slice(1)}`) * 100} % (${name})` : 'longest';
  const colourOf = (name) => `var(--source-${[1, 3, 5, 6, 7, 8][names.indexOf(name) % 6]})`;
  if (late.length > 0)
    charts.push({title: 'How long a reply takes', note: 'from request to reply; the axis is logarithmic', wide: true,
                 legend: names.map((name) => ({name: nameOf(name), colour: colourOf(name)})),
                 draw: (width) => spreads(width, cases.map((label) => ({label, points: late.filter((figure) => caseOf(figure) === label).map((figure) => (
                   {name: percentileOf(figure), value: figure.median, colour: colourOf(percentileOf(figure)), text: say(figure.median, 's')})).sort((a, b) => a.value - b.value)})), {unit: 's'}),
                 head: ['', ...names], rows: cases.map((label) => [label, ...names.map((name) => {
                   const found = late.find((figure) => caseOf(figure) === label && percentileOf(figure) === name);
                   return found ? sayRange(found, 's') : '';
                 })])});
  return [...charts, ...kinds(result.figures, 'B', kWhiskers, ' of the tracker'), ...memory(result.rows)];
}

const kModes = {speedup, crowd, engines, rivals, tracker};

export function chartsOf(result) {
  return (kModes[result.mode] ?? engines)(result);
}

// What a damaged or foreign file may lack, so that the rest need not ask.
export function wellFormed(result) {
  const list = (value) => Array.isArray(value) ? value.filter((item) => item !== null && typeof item === 'object') : [];
  const text = (value) => typeof value === 'string' ? value : '';
  const rows = list(result.rows).map((row) => {
    const named = Array.isArray(row.timeline?.names) && Array.isArray(row.timeline?.points);
    return {...row, id: text(row.id), label: text(row.label), group: text(row.group), runs: list(row.runs),
            timeline: named ? {names: row.timeline.names.map(String), points: row.timeline.points.filter(Array.isArray)} : undefined};
  });
  const figures = list(result.figures).filter((figure) => [figure.median, figure.min, figure.max].every(Number.isFinite))
    .map((figure) => ({...figure, id: text(figure.id), label: text(figure.label), unit: text(figure.unit)}));
  return {...result, mode: text(result.mode), rows, figures, settings: result.settings ?? {}};
}

