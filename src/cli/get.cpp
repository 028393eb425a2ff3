#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>

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

// A folder by its own name: "." or "photos/" would mean "into it".
std::string exact_path(const std::string& path, bool folder) {
  char* resolved = folder ? ::realpath(path.c_str(), nullptr) : nullptr;
  const std::string out = resolved != nullptr ? resolved : path;
  std::free(resolved);
  return out;
}

// Failures of which the path is the point.
bool concerns_target(ErrorCode code) {
  return code == ErrorCode::kLocalIo || code == ErrorCode::kNoSpace || code == ErrorCode::kTargetExists;
}

// "data.bin: 190.7 MiB in 0.2s, 908 MiB/s, verified".
std::string closing_line(const Event& complete, const Progress& p, const std::string& path) {
  const std::uint64_t moved = p.bytes_done - std::min(p.bytes_done, p.bytes_resumed);
  std::string out = printable(path) + ": ";
  if (complete.files > 0) out += fmt::format("{}, ", format_files(complete.files));
  out += fmt::format("{} in {}", format_bytes(complete.bytes), format_duration(complete.seconds));
  if (complete.seconds >= kShortestRated && moved > 0)
    out += ", " + format_rate(static_cast<double>(moved) / complete.seconds);
  if (p.bytes_resumed > 0) out += fmt::format(", {} of it from an earlier run", format_bytes(p.bytes_resumed));
  return out + ", verified";
}

struct Ended {
  Event last;
  Progress progress;
  bool already_complete = false;
};

using OnComplete = std::function<void(const Event&, const Ended&)>;

std::expected<Ended, Failure> transfer_to_end(const Invocation& invocation, GetOptions options, Reporter& reporter,
                                              Signals& signals, const OnComplete& on_complete) {
  auto node = start_node(invocation, reporter);
  if (!node) return std::unexpected(node.error());
  auto transfer = (*node)->get(options);
  if (!transfer) return std::unexpected(failure(transfer.error()));
  signals.on_first([handle = *transfer]() mutable { handle.cancel(); });
  Ended out;
  out.last = follow(*transfer, reporter, [&](Event* event) {
    if (event == nullptr) return;
    if (event->kind == EventKind::kNotice && event->text == kAlreadyComplete) out.already_complete = true;
    if (event->kind != EventKind::kDone && event->kind != EventKind::kComplete) return;
    // The engine names the file that it put there.
    if (event->text.empty()) event->text = target_of(options.output, transfer->progress().name);
    if (event->kind == EventKind::kDone) return;
    console().clear_status();
    out.progress = transfer->progress();
    on_complete(*event, out);
  });
  out.progress = transfer->progress();
  report_counters(**node, out.progress, reporter);
  return out;
}

Failure failure_of(const Ended& ended, std::string_view path, bool to_stdout = false) {
  const Event& last = ended.last;
  if (to_stdout && last.error.os_error == EPIPE)
    return {.code = last.error.code, .text = "the reader of the output is gone", .reader_left = true};
  const std::string text = printable(last.text);
  if (!last.path.empty()) return {.code = last.error.code, .text = fmt::format("{} ({})", text, printable(last.path))};
  if (to_stdout || !concerns_target(last.error.code)) return {.code = last.error.code, .text = text};
  return {.code = last.error.code, .text = fmt::format("{} ({})", text, printable(path))};
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
  const bool to_stdout = invocation.to_stdout;
  const auto ended = transfer_to_end(
      invocation, std::move(options), reporter, signals, [&](const Event& complete, const Ended& so_far) {
        const std::string path = to_stdout ? so_far.progress.name : complete.text;
        reporter.notice(so_far.already_complete ? fmt::format("{}: {}", printable(path), kAlreadyComplete)
                                                : closing_line(complete, so_far.progress, path));
      });
  if (!ended) return reporter.fail(ended.error());
  if (ended->last.kind != EventKind::kError) return 0;
  const std::string name = ended->progress.name.empty() ? link->link.name : ended->progress.name;
  return reporter.fail(failure_of(*ended, target_of(invocation.get.output, name), to_stdout), signals.caught());
}

int run_verify(const Invocation& invocation) {
  Reporter reporter(invocation);
  auto link = load_link(invocation.link_word);
  if (!link) return reporter.fail(link.error());
  // The engine compares what is there; what is not there it would get. So the file must be there first.
  struct stat info{};
  const bool absent = ::stat(invocation.path.c_str(), &info) != 0 || ::access(invocation.path.c_str(), R_OK) != 0;
  if (absent) return reporter.fail(failure(from_errno(errno, "cannot read what is to be verified"), invocation.path));
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
    return reporter.fail({ErrorCode::kUsage, "only regular files and folders can be verified"});
  Signals signals;
  GetOptions options = invocation.get;
  options.link = std::move(link->text);
  // A file would be looked for in the folder, and fetched if it is not there.
  if (S_ISDIR(info.st_mode)) {
    GetOptions question = options;
    question.metadata_only = true;
    question.info = std::make_shared<ContentInfo>();
    const auto told = transfer_to_end(invocation, question, reporter, signals, [](const auto&, const auto&) {});
    if (!told) return reporter.fail(told.error());
    if (told->last.kind == EventKind::kError)
      return reporter.fail(failure_of(*told, invocation.path), signals.caught());
    if (!question.info->folder)
      return reporter.fail({ErrorCode::kIntegrity,
                            fmt::format("{} is a folder, and the link names a file", printable(invocation.path))});
  }
  options.output = exact_path(invocation.path, S_ISDIR(info.st_mode));
  const auto ended =
      transfer_to_end(invocation, std::move(options), reporter, signals, [](const auto&, const auto&) {});
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
