// What a mode of peernet-bench measured, as it is written with --json and shown with --html. Format in bench/README.md.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outcome.hpp"

namespace peernet::bench {

/// Of the values of several runs. Everything is 0 if there was none.
struct Summary {
  double median = 0, min = 0, max = 0;
  unsigned count = 0;
};

/// The median of an even count is the mean of the middle two.
Summary summarize(std::span<const double> values);

/// Medians of a[i] / b[i]: neighbours in time, so that a drift of the machine's speed does not count. The shorter one
/// decides how many; a zero in b is left out.
Summary ratio(std::span<const double> a, std::span<const double> b);

/// One transfer. What is not known is left out of the file.
struct Run {
  double wall_seconds = 0;
  std::optional<std::uint64_t> bytes;
  std::optional<double> source_cpu_seconds, receiver_cpu_seconds;           ///< of all sources, of all receivers
  std::optional<std::uint64_t> source_memory_bytes, receiver_memory_bytes;  ///< the largest of one process
  std::optional<std::uint64_t> duplicate_bytes;
};

/// Content bytes from each source so far, at seconds since the start of the receiving command.
struct Timeline {
  struct Point {
    double seconds = 0;
    std::vector<std::uint64_t> bytes;  ///< as many as names
  };
  std::vector<std::string> names;
  std::vector<Point> points;
};

/// One case: a number of sources, a tool, an engine.
struct Row {
  std::string id;     ///< lower case, without spaces: a part of the names of figures
  std::string label;  ///< for people
  std::string group;  ///< which line of a chart it belongs to
  unsigned parties = 1;
  std::vector<Run> runs;
  std::optional<Timeline> timeline;

  /// Values of one field in the order of runs, where known.
  std::vector<double> walls() const;
  std::vector<double> cpu_seconds_per_gb(bool source, bool receiver) const;
};

enum class Better : std::uint8_t { kNone, kLess, kMore };

/// What a comparison of two results looks at.
struct Figure {
  std::string id, label, unit;
  Better better = Better::kNone;
  Summary value;
};

struct Result {
  std::string mode, title, started;
  std::vector<std::string> command;
  nlohmann::json machine, versions = nlohmann::json::object(), noise = nlohmann::json::object(),
                          settings = nlohmann::json::object();
  std::vector<Row> rows;
  std::vector<Figure> figures;
  std::vector<std::string> notes;

  void add(std::string id, std::string label, std::string unit, Better better, const Summary& value);
  /// The figures every transfer has: wall time, CPU per GB of each side, peak memory, duplicates.
  void add_costs(const Row& row);
};

nlohmann::json to_json(const Result& result);

/// Fails with a sentence if the file cannot be read or is no result of this program.
Outcome<nlohmann::json> read_result(const std::string& path);

}  // namespace peernet::bench
