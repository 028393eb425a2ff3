#include "cli/run.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"

namespace peernet::cli {
namespace {

// A descriptor that was closed when we started would be given to the next file or socket, and a link or a message would
// be written into that. In their place stands one that every such use fails on.
void occupy_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF)
      static_cast<void>(::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

int print_text(const std::string& text) {
  if (write_all(STDOUT_FILENO, text)) return 0;
  console().line("peernet: cannot write to standard output.");
  return static_cast<int>(ErrorCode::kLocalIo);
}

}  // namespace

int run(int argc, char** argv) {
  occupy_standard_descriptors();
  // Who closes the pipe that a command writes to must not end a transfer; write() reports it.
  ::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const auto invocation = parse_arguments(words);
  if (!invocation) {
    console().line("peernet: " + invocation.error());
    return static_cast<int>(ErrorCode::kUsage);
  }
  switch (invocation->command) {
    case Command::kShare:
      return run_share(*invocation);
    case Command::kGet:
      return run_get(*invocation);
    case Command::kInfo:
      return run_info(*invocation);
    case Command::kVerify:
      return run_verify(*invocation);
    case Command::kStatus:
      return run_status(*invocation);
    case Command::kKeygen:
      return run_keygen(*invocation);
    case Command::kPrintText:
      break;
  }
  return print_text(invocation->text);
}

}  // namespace peernet::cli
