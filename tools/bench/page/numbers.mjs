// What the charts show, computed from a result. Nothing here knows of the page.

/** {median, min, max, count} of the values that are numbers; null if there is none. */
export function summary(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return {median: sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2,
          min: sorted[0], max: sorted[sorted.length - 1], count: sorted.length};
}

/** Of one field of a row's runs, or of what `field` makes of a run. */
export function ofRuns(row, field) {
  return summary(row.runs.map(typeof field === 'function' ? field : (run) => run[field]));
}

const perGB = (side) => (run) => run.bytes > 0 ? run[side] / run.bytes * 1e9 : NaN;
export const sourceCpu = perGB('source_cpu_seconds');
export const receiverCpu = perGB('receiver_cpu_seconds');

/** The figure of that name, else the summary of a[i] / b[i]: neighbouring runs, so that the machine's drift cancels. */
export function ratioOf(result, id, a, b) {
  const found = result.figures.find((figure) => figure.id === id);
  return found ?? summary(a.runs.slice(0, b.runs.length).map((run, i) => run.wall_seconds / b.runs[i].wall_seconds));
}

/**
 * Rates by source in equal steps of time, from the cumulative bytes of a timeline: [{seconds, name, rate}], each at the
 * middle of its step. Fewer steps than samples, since a step that no sample falls into would show a rate of nothing.
 */
export function ratesOf({names, points}, most = 48) {
  const samples = points.filter(([seconds, bytes]) => Number.isFinite(seconds) && Array.isArray(bytes));
  if (samples.length < 2 || names.length === 0) return [];
  if (samples[0][0] > 0) samples.unshift([0, names.map(() => 0)]);
  const end = samples[samples.length - 1][0], steps = Math.max(2, Math.min(most, samples.length >> 1)), width = end / steps;
  if (!(width > 0)) return [];
  const at = (seconds, source) => {
    const next = Math.max(1, samples.findIndex(([time]) => time >= seconds));
    const [t0, b0] = samples[next - 1], [t1, b1] = samples[next];
    const from = b0[source] ?? 0, to = b1[source] ?? from;
    return t1 > t0 ? from + (to - from) * Math.min(1, (seconds - t0) / (t1 - t0)) : to;
  };
  const rates = [];
  for (let step = 0; step < steps; ++step) {
    names.forEach((name, source) => {
      const moved = at((step + 1) * width, source) - at(step * width, source);
      rates.push({seconds: (step + 0.5) * width, source, name, rate: Math.max(0, moved / width)});
    });
  }
  return rates;
}
