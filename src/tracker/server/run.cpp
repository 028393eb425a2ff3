#include "tracker/server/run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "cli/console.hpp"
#include "tracker/server/ctl.hpp"
#include "tracker/server/options.hpp"
#include "tracker/server/service.hpp"

namespace peernet::tracker::server {
namespace {

// A descriptor that was closed when we started must not become a socket that lines are written into.
void occupy_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF)
      static_cast<void>(::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

int complain(const std::string& sentence, ErrorCode code) {
  const char* end = sentence.ends_with('.') || sentence.ends_with('?') ? "" : ".";
  cli::console().line(fmt::format("peernet-tracker: {}{}", sentence, end));
  return static_cast<int>(code);
}

int complain_about_words(const std::string& sentence, const char* help) {
  const char* end = sentence.ends_with('.') || sentence.ends_with('?') ? "" : ".";
  return complain(fmt::format("{}{} Try \"{}\".", sentence, end, help), ErrorCode::kUsage);
}

int print(std::string_view text) {
  if (cli::write_all(STDOUT_FILENO, text)) return 0;
  return complain("cannot write to standard output.", ErrorCode::kLocalIo);
}

int run_ctl(std::span<const std::string> words) {
  const auto request = read_ctl_words(words, ::getenv);
  if (!request) return complain_about_words(request.error(), "peernet-tracker ctl --help");
  if (request->help) return print(ctl_help());
  const auto answer = ask(*request);
  if (!answer) return complain(answer.error().sentence, answer.error().code);
  return print(*answer);
}

}  // namespace

int run(int argc, char** argv) {
  occupy_standard_descriptors();
  // Who closes the pipe that the addresses are printed into must not end the service.
  ::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (!words.empty() && words[0] == "ctl") return run_ctl(std::span(words).subspan(1));
  const auto line = read_command_line(words, ::getenv);
  if (!line) return complain_about_words(line.error(), "peernet-tracker --help");
  if (line->help) return print(server_help());
  if (line->version) return print("peernet-tracker " PEERNET_VERSION "\n");
  const auto options = load_options(*line);
  if (!options) return complain(options.error(), ErrorCode::kUsage);
  for (const std::string& sentence : unknown_variables(environ)) cli::console().line("peernet-tracker: " + sentence);
  const auto done = serve(*line, *options);
  return done ? 0 : complain(done.error().sentence, done.error().code);
}

}  // namespace peernet::tracker::server
