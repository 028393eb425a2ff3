#include "page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/printable.hpp"
#include "console.hpp"
#include "page_parts.hpp"

namespace peernet::bench {
namespace {

using nlohmann::json;

// Text between tags or in a quoted attribute.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : cli::printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// The same values with every string printable, so that a chart shows what the tables show.
json printable_copy(const json& value) {
  if (value.is_string()) return cli::printable(value.get_ref<const std::string&>());
  if (!value.is_structured()) return value;
  json out = value.is_array() ? json::array() : json::object();
  for (const auto& [key, item] : value.items()) {
    if (value.is_array())
      out.push_back(printable_copy(item));
    else
      out[cli::printable(key)] = printable_copy(item);
  }
  return out;
}

// JSON inside a script element: nothing in it can end the element or open a comment.
std::string json_in_script(const json& value) {
  std::string out;
  for (const char c : printable_copy(value).dump(-1, ' ', true, json::error_handler_t::replace)) {
    if (c == '<' || c == '>' || c == '&')
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out;
}

const json& at(const json& object, const char* key) {
  static const json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

std::string text_at(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

double number_at(const json& object, const char* key) {
  const json& value = at(object, key);
  const double number = value.is_number() ? value.get<double>() : 0;
  return std::isfinite(number) ? number : 0;
}

// How the keys of the noise are called on the page.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kNames{
    {{"load_before", "load average before"},
     {"others_cores", "cores busy with other work"},
     {"steal_cores", "cores taken by other guests"}}};

// "max_datagram" to "max datagram"; a unit that the value says itself goes.
std::string name_text(std::string key) {
  for (const auto& [known, name] : kNames)
    if (key == known) return std::string(name);
  for (const std::string_view unit : {"_bytes", "_seconds"})
    if (key.ends_with(unit)) key.resize(key.size() - unit.size());
  for (char& c : key)
    if (c == '_') c = ' ';
  return escaped(key);
}

// A value of the settings, the machine or the versions; the end of a name says what a number counts.
std::string value_text(const std::string& key, const json& value) {
  if (value.is_string()) return escaped(value.get_ref<const std::string&>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_unsigned() && (key.ends_with("_bytes") || key == "bytes"))
    return escaped(format_size(value.get<std::uint64_t>()));
  if (value.is_number_float() && key.ends_with("_cores")) return fmt::format("{:.2f}", value.get<double>());
  if (value.is_number_float() && key == "load_before") return fmt::format("{:.2f}", value.get<double>());
  if (value.is_number() && key.ends_with("_seconds")) return escaped(format_value(value.get<double>(), "s"));
  if (value.is_object()) {
    std::string out;
    for (const auto& [name, item] : value.items())
      out += (out.empty() ? "" : ", ") + name_text(name) + " " + value_text(name, item);
    return out;
  }
  if (value.is_array()) {
    std::string out;
    for (const json& item : value) out += (out.empty() ? "" : ", ") + value_text(key, item);
    return out;
  }
  return value.is_null() ? "" : escaped(value.dump(-1, ' ', true, json::error_handler_t::replace));
}

std::string list(const char* title, const json& object) {
  if (!object.is_object() || object.empty()) return {};
  std::string out = fmt::format("<section class=\"card\"><h2>{}</h2><dl>", title);
  for (const auto& [key, value] : object.items())
    out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name_text(key), value_text(key, value));
  return out + "</dl></section>\n";
}

struct FigureTable {
  std::vector<std::string> cases, columns;  // in the order of their first figure
  std::map<std::pair<std::string, std::string>, std::string> cells;
  unsigned least_runs = 0, most_runs = 0;
};

void note_once(std::vector<std::string>& names, const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

unsigned count_of(const json& figure) {
  return static_cast<unsigned>(std::clamp(number_at(figure, "count"), 0.0, 1e9));
}

// "156 ms", and below it the smallest and the largest.
std::string cell_text(const json& figure) {
  const std::string unit = text_at(figure, "unit");
  const unsigned count = count_of(figure);
  const std::string text =
      format_summary({number_at(figure, "median"), number_at(figure, "min"), number_at(figure, "max"), count}, unit);
  const auto open = text.find(" ("), close = text.find(')');
  if (open == std::string::npos || close == std::string::npos) return escaped(text);
  return fmt::format("{}{}<span class=\"range\">{}</span>", escaped(text.substr(0, open)),
                     escaped(text.substr(close + 1)), escaped(text.substr(open + 2, close - open - 2)));
}

// Figures are named "CASE.what" and labelled "case: what", or freely: then the end of the name is the column.
FigureTable arranged(const json& figures) {
  FigureTable out;
  std::map<std::string, std::string> names;
  for (const json& figure : figures) {
    if (!at(figure, "median").is_number()) continue;
    const std::string id = text_at(figure, "id"), label = text_at(figure, "label"), better = text_at(figure, "better");
    const auto dot = id.rfind('.'), colon = label.find(": ");
    const std::string key = id.substr(0, dot);
    const std::string& name = names.try_emplace(key, label.substr(0, colon)).first->second;
    std::string column = colon != std::string::npos ? label.substr(colon + 2)
                         : dot != std::string::npos ? id.substr(dot + 1)
                                                    : "value";
    if (label.ends_with(" / " + name)) column = label.substr(0, label.size() - name.size()) + "it";
    if (!better.empty()) column += better == "less" ? ", less is better" : ", more is better";
    note_once(out.cases, name);
    note_once(out.columns, column);
    out.cells[{name, column}] = cell_text(figure);
    const unsigned runs = count_of(figure);
    out.least_runs = out.cells.size() == 1 ? runs : std::min(out.least_runs, runs);
    out.most_runs = std::max(out.most_runs, runs);
  }
  return out;
}

std::string figures_table(const json& figures) {
  if (!figures.is_array()) return {};
  const FigureTable table = arranged(figures);
  if (table.cases.empty()) return {};
  std::string out = fmt::format(
      "<section class=\"card wide figures\"><h2>Figures</h2><p class=\"note\">median of {}, below it the smallest and "
      "the largest</p><div class=\"wide-table\"><table><thead><tr><td></td>",
      table.most_runs == 1                  ? "one run"
      : table.least_runs == table.most_runs ? fmt::format("{} runs", table.most_runs)
                                            : fmt::format("{} to {} runs", table.least_runs, table.most_runs));
  for (const std::string& column : table.columns) {
    const auto comma = column.rfind(", ");
    out += fmt::format("<th scope=\"col\">{}<span class=\"range\">{}</span></th>", escaped(column.substr(0, comma)),
                       comma == std::string::npos ? "" : escaped(column.substr(comma + 2)));
  }
  out += "</tr></thead>\n<tbody>";
  for (const std::string& name : table.cases) {
    out += "<tr><th scope=\"row\">" + escaped(name) + "</th>";
    for (const std::string& column : table.columns) {
      const auto cell = table.cells.find({name, column});
      out += "<td>" + (cell == table.cells.end() ? std::string() : cell->second) + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></section>\n";
}

std::string warning(const json& noise) {
  const json& noisy = at(noise, "noisy");
  if (!noisy.is_boolean() || !noisy.get<bool>()) return {};
  return fmt::format(
      "<p class=\"warning\" role=\"note\"><strong>The machine was not quiet.</strong> Other work kept {:.2f} cores "
      "busy meanwhile, and other guests took {:.2f}: read the ratios, not the times.</p>\n",
      number_at(noise, "others_cores"), number_at(noise, "steal_cores"));
}

std::string notes(const json& sentences) {
  std::string items;
  if (!sentences.is_array()) return {};
  for (const json& sentence : sentences)
    if (sentence.is_string()) items += "<li>" + escaped(sentence.get_ref<const std::string&>()) + "</li>\n";
  return items.empty() ? items : "<section class=\"card wide\"><h2>Notes</h2><ul>" + items + "</ul></section>\n";
}

// A word as a shell needs it.
std::string shell_word(const std::string& word) {
  const auto plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string command(const json& words) {
  std::string line;
  if (!words.is_array()) return {};
  for (const json& word : words)
    if (word.is_string()) line += (line.empty() ? "" : " ") + shell_word(word.get<std::string>());
  return line.empty()
             ? line
             : "<section class=\"card wide\"><h2>Command</h2><pre><code>" + escaped(line) + "</code></pre></section>\n";
}

std::string machine_line(const json& machine) {
  std::string out = text_at(machine, "cpu");
  const auto part = [&](const std::string& text) { out += (out.empty() || text.empty() ? "" : ", ") + text; };
  if (const double cores = number_at(machine, "cores"); cores > 0)
    part(fmt::format("{:.0f} core{}", cores, cores > 1 ? "s" : ""));
  part(text_at(machine, "os"));
  if (const std::string kernel = text_at(machine, "kernel"); !kernel.empty()) part("kernel " + kernel);
  return escaped(out);
}

// "2026-11-22T22:40:00Z" to "2026-11-22 22:40 UTC".
std::string when(std::string started) {
  if (started.size() == 20 && started[10] == 'T' && started.back() == 'Z')
    started = started.substr(0, 10) + " " + started.substr(11, 5) + " UTC";
  return escaped(started);
}

std::string joined(const std::vector<std::string_view>& pieces) {
  std::string out;
  for (const std::string_view piece : pieces) out += piece;
  return out;
}

}  // namespace

bool page_has_charts() {
  return !page_parts::kScript.empty();
}

std::string page_of(const json& result) {
  const std::string mode = escaped(text_at(result, "mode")), title = escaped(text_at(result, "title"));
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  // Nothing is loaded from anywhere, and no script runs but the one that was built in.
  out += fmt::format(
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src "
      "data:; script-src '{}'; base-uri 'none'; form-action 'none'\">\n",
      page_has_charts() ? fmt::format("sha256-{}", page_parts::kScriptDigest) : "none");
  out +=
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n";
  out += fmt::format("<title>{}: peernet-bench {}</title>\n<style>\n{}</style>\n</head>\n", title, mode,
                     joined(page_parts::kStyle));
  out += fmt::format("<body>\n<main>\n<header><h1>{}</h1><p class=\"when\">peernet-bench {}, {}<br>{}</p></header>\n",
                     title, mode, when(text_at(result, "started")), machine_line(at(result, "machine")));
  out += warning(at(result, "noise"));
  if (page_has_charts())
    out +=
        "<div id=\"charts\"></div>\n<noscript><p class=\"warning\">The charts are drawn by a script in this page, "
        "which is switched off here; the figures below are complete.</p></noscript>\n";
  else
    out +=
        "<p class=\"warning\" role=\"note\">Charts were left out of this build of peernet-bench (its option "
        "bench_page, which needs npm); the figures below are complete.</p>\n";
  out += "<div class=\"below\">\n" + figures_table(at(result, "figures")) + notes(at(result, "notes")) +
         list("Settings", at(result, "settings")) + list("Machine", at(result, "machine")) +
         list("Noise", at(result, "noise")) + list("Versions", at(result, "versions")) +
         command(at(result, "command")) +
         "</div>\n<footer>Written by peernet-bench " PEERNET_VERSION ".</footer>\n</main>\n";
  if (page_has_charts()) {
    out += "<script type=\"application/json\" id=\"result\">" + json_in_script(result) + "</script>\n<script>";
    out += joined(page_parts::kScript) + "</script>\n";
  }
  return out + "</body>\n</html>\n";
}

}  // namespace peernet::bench
