#include "diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <utility>

#include "cli/printable.hpp"
#include "console.hpp"
#include "mode.hpp"
#include "mode_parser.hpp"

namespace peernet::bench {
namespace {

using nlohmann::json;

constexpr const char* kMode = "diff";
constexpr const char* kHelp = R"(usage: peernet-bench diff BASE.json NEW.json [OPTIONS]

Compares two results that a mode wrote with --json: each figure with its median and range, and the change of the median.
A figure is better or worse only if the ranges of the two sides lie apart: where a run of one side reaches into those of
the other, the difference of medians is within the noise. (Of two equal programs with 5 runs each, ranges lie apart in one
of 126 comparisons.) Where a side has a single run there is no range, and the values alone decide.

      --fail-over PERCENT  exit with status 3 if a figure became worse, as above, by more than so much of the base's median
  -q, --quiet              only the figures that became better or worse
  -h, --help               this text

Results of another machine, with other settings or of a noisy machine are compared, with a warning. Exit status: 0 compared,
1 a file cannot be read, 2 usage or files of different modes, 3 see --fail-over.
)";

// Memory differs by a few MiB from start to start of a virtual machine.
constexpr double kSameMemory = 0.02;

struct Read {
  std::string label, unit, better;
  Summary value;
};

std::vector<std::pair<std::string, Read>> figures_of(const json& result) {
  std::vector<std::pair<std::string, Read>> out;
  for (const json& figure : result.at("figures"))
    out.push_back({figure.at("id").get<std::string>(),
                   {.label = figure.at("label"),
                    .unit = figure.at("unit"),
                    .better = figure.at("better"),
                    .value = {.median = figure.at("median"),
                              .min = figure.at("min"),
                              .max = figure.at("max"),
                              .count = figure.at("count")}}});
  return out;
}

const Read* find(const std::vector<std::pair<std::string, Read>>& figures, const std::string& id) {
  const auto at = std::ranges::find(figures, id, &std::pair<std::string, Read>::first);
  return at == figures.end() ? nullptr : &at->second;
}

Verdict judge(const Summary& base, const Summary& now, const std::string& better) {
  if (better.empty() || base.median == 0) return Verdict::kNotCompared;
  if (base.min <= now.max && now.min <= base.max) return Verdict::kWithinNoise;
  return (now.median < base.median) == (better == "less") ? Verdict::kBetter : Verdict::kWorse;
}

std::string shown(const json& value) {
  return cli::printable(value.is_string() ? value.get<std::string>() : value.dump());
}

// "cpu: A, now B" for each key whose value differs.
std::vector<std::string> differences(const json& base, const json& now) {
  std::vector<std::string> out;
  json keys = base;
  keys.update(now);
  for (const auto& [key, ignored] : keys.items()) {
    const json before = base.value(key, json("none")), after = now.value(key, json("none"));
    const bool close = key == "memory_bytes" && before.is_number() && after.is_number() &&
                       std::abs(after.get<double>() - before.get<double>()) <= kSameMemory * before.get<double>();
    if (before != after && !close)
      out.push_back(fmt::format("{}: {}, now {}", cli::printable(key), shown(before), shown(after)));
  }
  return out;
}

void compare_surroundings(const json& base, const json& now, Comparison& out) {
  for (const std::string& difference : differences(base.at("machine"), now.at("machine"))) {
    const bool software = difference.starts_with("kernel:") || difference.starts_with("os:");
    (software ? out.remarks : out.warnings).push_back((software ? "" : "ANOTHER MACHINE: ") + difference);
  }
  for (const std::string& difference : differences(base.at("settings"), now.at("settings")))
    out.warnings.push_back("OTHER SETTINGS: " + difference);
  for (const auto& [which, result] : {std::pair("base", &base), std::pair("new", &now)})
    if (result->at("noise").value("noisy", false))
      out.warnings.push_back(fmt::format("the machine was noisy during the {} result", which));
  for (const std::string& difference : differences(base.at("versions"), now.at("versions")))
    out.remarks.push_back(difference);
}

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kNotCompared:
      return "";
    case Verdict::kWithinNoise:
      return "within noise";
    case Verdict::kBetter:
      return "better";
    case Verdict::kWorse:
      return "WORSE";
    case Verdict::kGone:
      return "only in base";
    case Verdict::kNew:
      return "only in new";
  }
  return "";
}

std::string percent(double share) {
  return std::isfinite(share) ? fmt::format("{:+.1f} %", share * 100) : "";
}

std::string to_limit(const std::string& text, std::optional<double>& limit) {
  std::string_view number = text;
  if (number.ends_with('%')) number.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size() || !(value >= 0 && value <= 10'000))
    return fmt::format("--fail-over wants a percentage from 0 to 10000, such as 5%, not {}", in_quotes(text));
  limit = value / 100;
  return {};
}

int report(const Comparison& comparison, std::optional<double> limit) {
  if (!limit) return kOk;
  const auto worse = comparison.worse_than(*limit);
  for (const Change* change : worse)
    complain(kMode, fmt::format("{} became worse by {:.1f} %, more than {:g} %", cli::printable(change->label),
                                std::abs(change->share) * 100, *limit * 100));
  return worse.empty() ? kOk : kSlower;
}

}  // namespace

std::vector<const Change*> Comparison::worse_than(double limit) const {
  std::vector<const Change*> out;
  for (const Change& change : changes)
    if (change.verdict == Verdict::kWorse && std::abs(change.share) > limit) out.push_back(&change);
  return out;
}

Outcome<Comparison> compare(const json& base, const json& now) {
  try {
    const std::string modes[2] = {base.at("mode"), now.at("mode")};
    if (modes[0] != modes[1])
      return std::unexpected(fmt::format("one result is of {} and the other of {}: there is nothing to compare",
                                         in_quotes(modes[0]), in_quotes(modes[1])));
    Comparison out;
    compare_surroundings(base, now, out);
    const auto before = figures_of(base), after = figures_of(now);
    for (const auto& [id, figure] : after) {
      Change change{.id = id, .label = figure.label, .unit = figure.unit, .base = {}, .now = figure.value};
      change.verdict = Verdict::kNew;
      if (const Read* old = find(before, id)) {
        change.base = old->value;
        change.share = figure.value.median / old->value.median - 1;
        change.verdict = judge(old->value, figure.value, figure.better);
      }
      out.changes.push_back(std::move(change));
    }
    for (const auto& [id, figure] : before)
      if (find(after, id) == nullptr)
        out.changes.push_back({id, figure.label, figure.unit, figure.value, std::nullopt, 0, Verdict::kGone});
    return out;
  } catch (const json::exception& error) {
    return std::unexpected(fmt::format("a result is damaged: {}", cli::printable(error.what())));
  }
}

std::string to_text(const Comparison& comparison) {
  std::string out;
  for (const std::string& warning : comparison.warnings) out += "WARNING: " + warning + "\n";
  for (const std::string& remark : comparison.remarks) out += "differs: " + remark + "\n";
  if (!out.empty()) out += "\n";
  Table table({"figure", "base", "new", "change", ""});
  const auto cell = [](const std::optional<Summary>& summary, const std::string& unit) {
    return summary ? format_summary(*summary, unit) : std::string();
  };
  for (const Change& change : comparison.changes) {
    const std::string unit = cli::printable(change.unit);
    table.row({cli::printable(change.label), cell(change.base, unit), cell(change.now, unit),
               change.base && change.now ? percent(change.share) : "", name_of(change.verdict)});
  }
  return out + table.text();
}

int run_diff(std::span<const std::string> words) {
  std::vector<std::string> paths;
  std::optional<double> limit;
  bool quiet = false;
  ModeParser parser(kMode);
  parser.positionals(paths, "two files: BASE.json NEW.json", 2, 2);
  parser.word("--fail-over", [&](const std::string& text) { return to_limit(text, limit); });
  parser.flag("-q,--quiet", quiet);
  const auto parsed = parser.parse(words);
  if (!parsed) return complain(kMode, parsed.error(), kUsage);
  if (!*parsed) return std::fputs(kHelp, stdout) < 0;
  const auto base = read_result(paths[0]), now = read_result(paths[1]);
  for (const auto* read : {&base, &now})
    if (!*read) return complain(kMode, read->error());
  auto comparison = compare(*base, *now);
  if (!comparison) return complain(kMode, comparison.error(), kUsage);
  if (quiet)
    std::erase_if(comparison->changes, [](const Change& change) {
      return change.verdict != Verdict::kBetter && change.verdict != Verdict::kWorse;
    });
  fmt::print("{}", to_text(*comparison));
  std::fflush(stdout);
  return report(*comparison, limit);
}

}  // namespace peernet::bench
