// What a person sees: a line of progress on standard error, tables on standard output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result.hpp"

namespace peernet::bench {

/// One line, rewritten on a terminal; a line for each change elsewhere. Nothing if quiet.
class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// "run 3 of 6: 2 to 1". Control characters are not shown as such.
  void say(const std::string& text);
  /// Removes the line from a terminal, before something else is printed.
  void clear();

 private:
  bool quiet_, terminal_;
  bool shown_ = false;
};

/// Columns as wide as their widest cell; the first is aligned to the left, the others to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> head);
  void row(std::vector<std::string> cells);
  /// Every line ends with a newline.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// "1.56 s", "156 ms", "1.3 GB/s", "0.96 s/GB", "37 MB", "1.44x", "0.2 %": three digits that matter.
std::string format_value(double value, const std::string& unit);
/// "156 (132..162) ms".
std::string format_summary(const Summary& summary, const std::string& unit);
/// "200 MB", "4.29 GB", "1 KiB", "1.02 kB": powers of 1000, or of 1024 where that is a whole number.
std::string format_size(std::uint64_t bytes);

}  // namespace peernet::bench
