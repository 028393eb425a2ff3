#include "result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace peernet::bench {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

const char* name_of(Better better) {
  return better == Better::kLess ? "less" : better == Better::kMore ? "more" : "";
}

template <class T>
void put(json& into, const char* name, const std::optional<T>& value) {
  if (value) into[name] = *value;
}

json to_json(const Run& run) {
  json out{{"wall_seconds", run.wall_seconds}};
  put(out, "bytes", run.bytes);
  put(out, "source_cpu_seconds", run.source_cpu_seconds);
  put(out, "receiver_cpu_seconds", run.receiver_cpu_seconds);
  put(out, "source_memory_bytes", run.source_memory_bytes);
  put(out, "receiver_memory_bytes", run.receiver_memory_bytes);
  put(out, "duplicate_bytes", run.duplicate_bytes);
  return out;
}

json to_json(const Row& row) {
  json out{
      {"id", row.id}, {"label", row.label}, {"group", row.group}, {"parties", row.parties}, {"runs", json::array()}};
  for (const Run& run : row.runs) out["runs"].push_back(to_json(run));
  if (row.timeline) {
    json points = json::array();
    for (const auto& point : row.timeline->points) points.push_back({point.seconds, point.bytes});
    out["timeline"] = {{"names", row.timeline->names}, {"points", std::move(points)}};
  }
  return out;
}

template <class F>
std::vector<double> known(const std::vector<Run>& runs, F field) {
  std::vector<double> out;
  for (const Run& run : runs)
    if (const std::optional<double> value = field(run)) out.push_back(*value);
  return out;
}

}  // namespace

Summary summarize(std::span<const double> values) {
  if (values.empty()) return {};
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  const double median = sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return {median, sorted.front(), sorted.back(), static_cast<unsigned>(sorted.size())};
}

Summary ratio(std::span<const double> a, std::span<const double> b) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (b[i] != 0) ratios.push_back(a[i] / b[i]);
  return summarize(ratios);
}

std::vector<double> Row::walls() const {
  return known(runs, [](const Run& run) { return std::optional(run.wall_seconds); });
}

std::vector<double> Row::cpu_seconds_per_gb(bool source, bool receiver) const {
  return known(runs, [=](const Run& run) -> std::optional<double> {
    if (run.bytes.value_or(0) == 0 || (source && !run.source_cpu_seconds) || (receiver && !run.receiver_cpu_seconds))
      return std::nullopt;
    const double used = (source ? *run.source_cpu_seconds : 0) + (receiver ? *run.receiver_cpu_seconds : 0);
    return used / static_cast<double>(*run.bytes) * 1e9;
  });
}

void Result::add(std::string id, std::string label, std::string unit, Better better, const Summary& value) {
  if (value.count > 0) figures.push_back({std::move(id), std::move(label), std::move(unit), better, value});
}

void Result::add_costs(const Row& row) {
  const auto of = [&](auto field) {
    return summarize(known(row.runs, [&](const Run& run) -> std::optional<double> {
      const auto value = field(run);
      return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
    }));
  };
  const auto all = [&](const char* id, const char* label, const char* unit, const Summary& value) {
    add(row.id + "." + id, row.label + ": " + label, unit, Better::kLess, value);
  };
  all("wall_seconds", "time", "s", summarize(row.walls()));
  all("source_cpu", "CPU of the sources", "s/GB", summarize(row.cpu_seconds_per_gb(true, false)));
  all("receiver_cpu", "CPU of the receivers", "s/GB", summarize(row.cpu_seconds_per_gb(false, true)));
  all("source_memory", "peak memory of a source", "B", of([](const Run& run) { return run.source_memory_bytes; }));
  all("receiver_memory", "peak memory of a receiver", "B",
      of([](const Run& run) { return run.receiver_memory_bytes; }));
  all("duplicates", "bytes received twice", "B", of([](const Run& run) { return run.duplicate_bytes; }));
}

json to_json(const Result& result) {
  json rows = json::array(), figures = json::array();
  for (const Row& row : result.rows) rows.push_back(to_json(row));
  for (const Figure& figure : result.figures)
    figures.push_back({{"id", figure.id},
                       {"label", figure.label},
                       {"unit", figure.unit},
                       {"better", name_of(figure.better)},
                       {"median", figure.value.median},
                       {"min", figure.value.min},
                       {"max", figure.value.max},
                       {"count", figure.value.count}});
  return {{"format", "peernet-bench"},   {"version", kVersion},         {"mode", result.mode},
          {"title", result.title},       {"started", result.started},   {"command", result.command},
          {"machine", result.machine},   {"versions", result.versions}, {"noise", result.noise},
          {"settings", result.settings}, {"rows", std::move(rows)},     {"figures", std::move(figures)},
          {"notes", result.notes}};
}

Outcome<json> read_result(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::unexpected(fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  json read = json::parse(file, nullptr, false);
  if (read.is_discarded()) return std::unexpected(path + " is not JSON");
  if (!read.is_object() || read.value("format", "") != "peernet-bench" || !read.contains("figures"))
    return std::unexpected(path + " is not a result of peernet-bench --json");
  if (read.value("version", 0) != kVersion)
    return std::unexpected(fmt::format("{} was written by another version of peernet-bench", path));
  return read;
}

}  // namespace peernet::bench
