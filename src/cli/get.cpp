#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/printable.hpp"
#include "cli/units.hpp"

namespace peernet::cli {
namespace {

constexpr double kShortestRated = 0.1;  // below, the handshake is most of the time and a rate says nothing

bool is_folder(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Where the content goes, for messages: the engine decides for itself by the same rule.
std::string target_of(const std::string& output, const std::string& name) {
  if (output.empty() || output == "-") return name;
  if (output.ends_with('/')) return output + name;
  return is_folder(output) ? output + "/" + name : output;
}

// Failures of which the path is the point.
bool concerns_target(ErrorCode code) {
  return code == ErrorCode::kLocalIo || code == ErrorCode::kNoSpace || code == ErrorCode::kTargetExists;
}

// "data.bin: 190.7 MiB in 0.2s, 908 MiB/s, verified".
std::string closing_line(const Event& done, const Progress& p, const std::string& path) {
  const std::uint64_t moved = p.bytes_done - std::min(p.bytes_done, p.bytes_resumed);
  std::string out =
      fmt::format("{}: {} in {}", printable(path), format_bytes(done.bytes), format_duration(done.seconds));
  if (done.seconds >= kShortestRated && moved > 0) out += ", " + format_rate(static_cast<double>(moved) / done.seconds);
  if (p.bytes_resumed > 0) out += fmt::format(", {} of it from an earlier run", format_bytes(p.bytes_resumed));
  return out + ", verified";
}

struct Ended {
  Event last;
  Progress progress;
  bool already_complete = false;
};

std::expected<Ended, Failure> transfer_to_end(const Invocation& invocation, GetOptions options, Reporter& reporter,
                                              Signals& signals) {
  auto node = start_node(invocation, reporter);
  if (!node) return std::unexpected(node.error());
  auto transfer = (*node)->get(options);
  if (!transfer) return std::unexpected(failure(transfer.error()));
  signals.on_first([handle = *transfer]() mutable { handle.cancel(); });
  Ended out;
  out.last = follow(*transfer, reporter, [&](Event* event) {
    if (event == nullptr) return;
    if (event->kind == EventKind::kNotice && event->text == kAlreadyComplete) out.already_complete = true;
    // The engine names the file that it put there.
    if (event->kind == EventKind::kDone && event->text.empty())
      event->text = target_of(options.output, transfer->progress().name);
  });
  out.progress = transfer->progress();
  report_counters(**node, out.progress, reporter);
  return out;
}

Failure failure_of(const Ended& ended, std::string_view path, bool to_stdout = false) {
  if (to_stdout && ended.last.error.os_error == EPIPE)
    return {.code = ended.last.error.code, .text = "the reader of the output is gone", .reader_left = true};
  if (to_stdout) return {.code = ended.last.error.code, .text = printable(ended.last.text)};
  return {ended.last.error.code, concerns_target(ended.last.error.code)
                                     ? fmt::format("{} ({})", printable(ended.last.text), printable(path))
                                     : printable(ended.last.text)};
}

}  // namespace

int run_get(const Invocation& invocation) {
  Reporter reporter(invocation);
  auto link = load_link(invocation.link_word);
  if (!link) return reporter.fail(link.error());
  Signals signals;
  GetOptions options = invocation.get;
  options.link = std::move(link->text);
  if (invocation.to_stdout) options.output_fd = STDOUT_FILENO;
  if (invocation.to_stdout && ::isatty(STDOUT_FILENO) == 1)
    return reporter.fail(
        {ErrorCode::kUsage, "-o - writes the bytes to standard output, which is a terminal: redirect it"});
  const auto ended = transfer_to_end(invocation, std::move(options), reporter, signals);
  if (!ended) return reporter.fail(ended.error());
  const std::string name = ended->progress.name.empty() ? link->link.name : ended->progress.name;
  const std::string path = target_of(invocation.get.output, name);
  if (ended->last.kind == EventKind::kError)
    return reporter.fail(failure_of(*ended, path, invocation.to_stdout), signals.caught());
  reporter.notice(ended->already_complete ? fmt::format("{}: {}", printable(path), kAlreadyComplete)
                                          : closing_line(ended->last, ended->progress, path));
  return 0;
}

int run_verify(const Invocation& invocation) {
  Reporter reporter(invocation);
  auto link = load_link(invocation.link_word);
  if (!link) return reporter.fail(link.error());
  // The engine compares what is there; what is not there it would get. So the file must be there first.
  struct stat info{};
  const Error missing = ::stat(invocation.path.c_str(), &info) != 0 || ::access(invocation.path.c_str(), R_OK) != 0
                            ? from_errno(errno, "cannot read the file to verify")
                            : Error{};
  if (missing.os_error != 0) return reporter.fail(failure(missing, invocation.path));
  if (!S_ISREG(info.st_mode)) return reporter.fail({ErrorCode::kUsage, "only a regular file can be verified"});
  Signals signals;
  GetOptions options = invocation.get;
  options.link = std::move(link->text);
  options.output = invocation.path;
  const auto ended = transfer_to_end(invocation, std::move(options), reporter, signals);
  if (!ended) return reporter.fail(ended.error());
  if (ended->last.error.code == ErrorCode::kTargetExists && ended->last.kind == EventKind::kError)
    return reporter.fail(
        {ErrorCode::kIntegrity, fmt::format("{} is not what the link names", printable(invocation.path))});
  if (ended->last.kind == EventKind::kError)
    return reporter.fail(failure_of(*ended, invocation.path), signals.caught());
  if (!ended->already_complete)
    return reporter.fail(
        {ErrorCode::kLocalIo, fmt::format("{} went away and was fetched anew", printable(invocation.path))});
  reporter.notice(fmt::format("{}: matches", printable(invocation.path)));
  return 0;
}

}  // namespace peernet::cli
