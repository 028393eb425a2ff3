#include "cli/console.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace peernet::cli {
namespace {

constexpr std::size_t kUsualColumns = 80;

bool set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {  // somebody made our terminal or pipe non-blocking
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

Console::Console() {
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || *term == '\0' || std::string_view(term) == "dumb";
  terminal_ = ::isatty(STDERR_FILENO) == 1 && !dumb;
  colors_ = terminal_ && !set("NO_COLOR");
}

std::size_t Console::columns() const {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualColumns;
  return size.ws_col;
}

void Console::write(std::string_view text) {
  static_cast<void>(write_all(STDERR_FILENO, text));
}

void Console::line(std::string_view text) {
  std::string out;
  const std::scoped_lock lock(mutex_);
  if (status_shown_) out = "\r\x1b[K";
  status_shown_ = false;
  out += text;
  out += '\n';
  write(out);
}

void Console::status(std::string_view text) {
  std::string out = "\r";
  out += text;
  out += "\x1b[K";
  const std::scoped_lock lock(mutex_);
  status_shown_ = true;
  write(out);
}

void Console::clear_status() {
  const std::scoped_lock lock(mutex_);
  if (status_shown_) write("\r\x1b[K");
  status_shown_ = false;
}

Console& console() {
  static Console the_console;
  return the_console;
}

}  // namespace peernet::cli
