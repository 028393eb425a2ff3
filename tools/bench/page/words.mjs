// Numbers as people read them; the same rules as tools/bench/console.cpp.

/** Three digits that matter: 0.012, 1.44, 37.2, 1281. */
export function digits(value) {
  const size = Math.abs(value);
  return value.toFixed(size === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3);
}

/** The unit in which a value, and all values beside it, are to be written: {unit, factor}. */
export function scaleOf(value, unit) {
  const size = Math.abs(value);
  if (unit === 's') return size < 1e-3 ? {unit: 'µs', factor: 1e6} : size < 0.9995 ? {unit: 'ms', factor: 1e3} : {unit, factor: 1};
  if (unit === 'B' || unit === 'B/s' || unit === '1/s') {
    const names = unit === '1/s' ? ['/s', 'k/s', 'M/s'] : ['B', 'kB', 'MB', 'GB', 'TB'].map((name) => name + unit.slice(1));
    let power = 0, factor = 1;
    for (; power + 1 < names.length && size * factor >= 999.5; ++power) factor /= 1000;
    return {unit: names[power], factor};
  }
  return {unit, factor: 1};
}

function joined(number, unit) {
  return unit === '' || unit === 'x' || unit.startsWith('/') ? number + unit : `${number}\u00a0${unit}`;
}

/** "160 ms", "1.30 GB/s", "1.44x"; in the unit that suits `beside`, if there are other values to compare with. */
export function say(value, unit, beside = value) {
  const {unit: name, factor} = scaleOf(beside, unit);
  return joined(digits(value * factor), name);
}

/** "160 ms (116..184)"; the bounds only where there was more than one run. */
export function sayRange({median, min, max, count}, unit) {
  const {unit: name, factor} = scaleOf(median, unit);
  const text = joined(digits(median * factor), name);
  return count < 2 ? text : `${text} (${digits(min * factor)}..${digits(max * factor)})`;
}

/** A size somebody chose: "200 MB", "4 GiB". */
export function sizeOf(bytes) {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let power = 0, left = bytes;
  for (; left > 0 && left % 1024 === 0 && power + 1 < names.length; ++power) left /= 1024;
  if (power > 0 && left < 1024) return `${left}\u00a0${names[power]}`;
  const {unit, factor} = scaleOf(bytes, 'B'), scaled = bytes * factor;
  return joined(Number.isInteger(scaled) ? String(scaled) : digits(scaled), unit);
}
