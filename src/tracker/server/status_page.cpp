// The page of /: one file, nothing from elsewhere, readable in light and dark. Everything that comes from the tracker
// is set as text, never as markup.
#include "tracker/server/api.hpp"

namespace peernet::tracker::server {
namespace {

constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>peernet-tracker</title>
<style>
:root { color-scheme: light dark; --line: #8884; --dim: #767676; }
@media (prefers-color-scheme: dark) { :root { --dim: #a0a0a0; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin: 0 0 .8rem; }
dl { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; margin: 0 0 1.2rem; }
dl div { min-width: 6rem; }
dt { color: var(--dim); font-size: .85rem; }
dd { margin: 0; font-variant-numeric: tabular-nums; font-size: 1.1rem; }
input { font: inherit; width: 100%; max-width: 28rem; padding: .35rem .5rem; box-sizing: border-box; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin-top: .8rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--dim); font-weight: 600; font-size: .85rem; }
th:first-child, td:first-child { text-align: left; font-family: ui-monospace, monospace; }
td a { color: inherit; }
#note { color: var(--dim); min-height: 1.5em; }
</style>
<h1>peernet-tracker</h1>
<dl id="totals"></dl>
<label>Search by key <input id="search" type="search" maxlength="40" pattern="[0-9a-fA-F]*" spellcheck="false"
  autocomplete="off" placeholder="hexadecimal digits"></label>
<div class="scroll"><table>
<thead><tr><th scope="col">Swarm</th><th scope="col">Complete</th><th scope="col">Partial</th><th scope="col">Seeders</th>
<th scope="col">Leechers</th><th scope="col">Completed</th></tr></thead>
<tbody id="swarms"></tbody></table></div>
<p id="note" role="status"></p>
<script>
'use strict';
const at = id => document.getElementById(id);
const make = (name, text) => { const e = document.createElement(name); e.textContent = text; return e; };
const count = n => n.toLocaleString('en');
function duration(s) {
  const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  for (const [size, name] of units) if (s >= size || size === 1) return Math.floor(s / size) + ' ' + name;
}
function showTotals(stats) {
  const rows = [['Swarms', count(stats.contents)], ['Nodes', count(stats.nodes)],
    ['Other peers', count(stats.legacy_ipv4 + stats.legacy_ipv6)], ['Replies', count(stats.counters.replies)],
    ['Memory', Math.round(stats.resident_bytes / 1048576) + ' MiB'], ['Workers', stats.workers],
    ['Up for', duration(stats.uptime_s)],
    ['Snapshot', stats.snapshot_age_s === null ? 'none' : duration(stats.snapshot_age_s) + ' old'],
    ['Version', stats.version]];
  at('totals').replaceChildren(...rows.map(([name, value]) => {
    const pair = document.createElement('div');
    pair.append(make('dt', name), make('dd', value));
    return pair;
  }));
}
function showSwarms(answer) {
  at('swarms').replaceChildren(...answer.swarms.map(swarm => {
    const row = document.createElement('tr'), key = document.createElement('td'), link = make('a', swarm.key);
    link.href = '/api/peers/' + swarm.key;
    key.append(link);
    row.append(key, ...['nodes_complete', 'nodes_partial', 'legacy_seeders', 'legacy_leechers', 'completed']
      .map(name => make('td', count(swarm[name]))));
    return row;
  }));
  at('note').textContent = answer.swarms.length === 0 ? 'No swarm.' :
    answer.truncated ? 'The largest ' + count(answer.swarms.length) + ' of ' + count(answer.total) + ' swarms.' : '';
}
async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(20000) });
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer.json();
}
let turn = 0, timer;
async function refresh() {
  const mine = ++turn;
  clearTimeout(timer);
  try {
    const prefix = at('search').value.trim();
    const [stats, swarms] = await Promise.all([ask('/api/stats'),
      ask('/api/swarms?limit=200&prefix=' + encodeURIComponent(prefix))]);
    if (mine !== turn) return;
    showTotals(stats);
    showSwarms(swarms);
  } catch (error) {
    if (mine === turn) at('note').textContent = 'No answer: ' + error.message;
  }
  if (mine === turn) timer = setTimeout(refresh, document.hidden ? 30000 : 5000);
}
at('search').addEventListener('input', refresh);
document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
refresh();
</script>
</html>
)html";

}  // namespace

std::string_view status_page() {
  return kPage;
}

}  // namespace peernet::tracker::server
