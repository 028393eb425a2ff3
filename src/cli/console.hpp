// Standard error and standard output of the process, with a status line that whole lines push out of the way.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace peernet::cli {

/// Any thread. Standard error is best effort: nobody can be told that it is gone.
class Console {
 public:
  Console();

  bool terminal() const { return terminal_; }  ///< standard error is one that can rewrite a line
  bool colors() const { return colors_; }      ///< a terminal, and neither NO_COLOR nor TERM=dumb
  std::size_t columns() const;                 ///< of the terminal, now

  /// A whole line; a status line is cleared first.
  void line(std::string_view text);
  /// Shows or rewrites the status line.
  void status(std::string_view text);
  void clear_status();

 private:
  void write(std::string_view text);

  std::mutex mutex_;
  bool terminal_ = false;
  bool colors_ = false;
  bool status_shown_ = false;
};

/// The process's.
Console& console();

/// Everything, at once as far as the kernel takes it; false when the descriptor is closed or broken (errno says why).
bool write_all(int fd, std::string_view text);

}  // namespace peernet::cli
