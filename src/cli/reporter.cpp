#include "cli/reporter.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "cli/console.hpp"
#include "cli/json_events.hpp"
#include "cli/printable.hpp"
#include "cli/signals.hpp"
#include "cli/units.hpp"

namespace peernet::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kTerminalEvery = 100ms;
constexpr std::chrono::milliseconds kPlainEvery = 10s;
constexpr std::chrono::milliseconds kSampleEvery = 100ms;
constexpr std::chrono::milliseconds kLongestWait = 1s;
constexpr std::size_t kNoLimit = 4096;  // columns of a plain line

std::string_view name_of_command(Command command) {
  switch (command) {
    case Command::kShare:
      return "share";
    case Command::kGet:
      return "get";
    case Command::kInfo:
      return "info";
    case Command::kVerify:
      return "verify";
    case Command::kStatus:
      return "status";
    case Command::kKeygen:
      return "keygen";
    case Command::kPrintText:
      break;
  }
  return "";
}

}  // namespace

Failure failure(const Error& error, std::string_view path) {
  std::string text = describe(error);
  if (!path.empty()) text += fmt::format(" ({})", printable(path));
  return {error.code, std::move(text)};
}

std::string_view hint_for(ErrorCode code, Command command) {
  const bool get = command == Command::kGet;
  switch (code) {
    case ErrorCode::kInternal:
      return "This is a bug of peernet: please report it with the command and these lines.";
    case ErrorCode::kUnknownContent:
      return "Ask whoever gave you the link whether it is still shared.";
    case ErrorCode::kUnreachable:
      if (command == Command::kStatus) return "Check that the tracker runs and that UDP reaches its port.";
      return "Check that peernet share still runs there and that UDP reaches its port.";
    case ErrorCode::kNoProgress:
      return get ? "Run the same command again to go on from there." : "";
    case ErrorCode::kNoSpace:
      return get ? "Make room and run the same command again to go on." : "Make room and try again.";
    case ErrorCode::kRefused:
      return "Ask for the link again; every character of it counts.";
    case ErrorCode::kTargetExists:
      return get ? "Use --overwrite to replace it, or -o to choose another name." : "";
    case ErrorCode::kInterrupted:
      return get ? "Run the same command again to go on." : "";
    case ErrorCode::kUsage:
    case ErrorCode::kIntegrity:
    case ErrorCode::kLocalIo:
    case ErrorCode::kPartial:
    case ErrorCode::kKernel:
      break;
  }
  return "";
}

Reporter::Reporter(const Invocation& invocation)
    : invocation_(invocation),
      sharing_(invocation.command == Command::kShare),
      json_on_stdout_(invocation.command == Command::kGet && !invocation.to_stdout),
      start_(Clock::now()),
      shown_(start_),
      sampled_(start_) {
  switch (invocation.progress) {
    case ProgressMode::kAuto:
      output_ = console().terminal() ? Output::kTerminal : Output::kPlain;
      break;
    case ProgressMode::kPlain:
      output_ = Output::kPlain;
      break;
    case ProgressMode::kJson:
      output_ = Output::kJson;
      break;
    case ProgressMode::kNone:
      output_ = Output::kNone;
      break;
  }
  if (invocation.quiet && output_ != Output::kJson) output_ = Output::kNone;
}

void Reporter::notice(std::string_view text) const {
  const bool json_on_stderr = output_ == Output::kJson && !json_on_stdout_;
  if (!invocation_.quiet && !json_on_stderr) console().line(text);
}

void Reporter::detail(std::string_view text) const {
  if (invocation_.verbose) notice(text);
}

int Reporter::fail(const Failure& failure, int caught_signal) {
  int status = static_cast<int>(failure.code);
  if (failure.code == ErrorCode::kInterrupted && caught_signal != 0) status = exit_status_of_signal(caught_signal);
  if (failure.reader_left) status = exit_status_of_signal(SIGPIPE);
  if (output_ == Output::kJson) {
    json(json_error(failure.code, status, failure.text));
    if (!json_on_stdout_) return status;
  }
  if (failure.reader_left) {  // like cat: it has read what it wanted
    detail(failure.text + ".");
    return status;
  }
  std::string sentence = fmt::format("peernet {}: {}", name_of_command(invocation_.command), failure.text);
  if (!sentence.ends_with('.') && !sentence.ends_with('?')) sentence += '.';
  if (console().colors()) sentence = "\x1b[1m" + sentence + "\x1b[0m";
  // Replacing does not help where another process holds the part file: that sentence says all there is to do.
  const bool held = failure.code == ErrorCode::kTargetExists &&
                    (failure.text.contains("another process") || failure.text.contains("no folder"));
  const std::string_view hint = held ? std::string_view() : hint_for(failure.code, invocation_.command);
  if (!hint.empty()) sentence += fmt::format(" {}", hint);
  console().line(sentence);
  return status;
}

void Reporter::json(const std::string& line) {
  if (!json_on_stdout_) return console().line(line);
  if (!json_broken_) json_broken_ = !write_all(STDOUT_FILENO, line + '\n');
}

void Reporter::on_event(const Event& event, const Progress& progress) {
  if (event.kind == EventKind::kDone || event.kind == EventKind::kError) {
    console().clear_status();
    if (output_ == Output::kJson) json(json_progress(progress, meter_.rate()));
    output_ = output_ == Output::kJson ? Output::kJson : Output::kNone;
  }
  if (output_ == Output::kJson) {
    if (const auto line = json_event(event, progress)) json(*line);
  }
  const std::string peer = event.peer.empty() ? "" : " " + printable(event.peer);
  switch (event.kind) {
    case EventKind::kNotice:
      if (event.text != kAlreadyComplete) notice(printable(event.text));
      break;
    case EventKind::kSource:
      detail(fmt::format("source{} {}{}", peer, printable(event.text),
                         event.bytes == 0 ? "" : fmt::format(", sent {}", format_bytes(event.bytes))));
      break;
    case EventKind::kReceiver:
      detail(fmt::format("receiver{} {}", peer, printable(event.text)));
      break;
    case EventKind::kTracker:
      detail(printable(event.text));
      break;
    case EventKind::kChunkBad:
      detail(fmt::format("chunk {}: {}{}", event.number, printable(event.text), peer));
      break;
    case EventKind::kRetry:
      detail(fmt::format("asking again: {}{}", printable(event.text), peer));
      break;
    case EventKind::kVerify:
      detail(fmt::format("{} bytes of an earlier run are verified and kept", event.bytes));
      break;
    case EventKind::kStart:
    case EventKind::kLink:
    case EventKind::kComplete:
    case EventKind::kDone:
    case EventKind::kError:
      break;
  }
}

std::chrono::milliseconds Reporter::period() const {
  switch (output_) {
    case Output::kTerminal:
      return kTerminalEvery;
    case Output::kJson:
      return std::chrono::milliseconds(std::lround(invocation_.progress_every * 1000));
    default:
      return kPlainEvery;
  }
}

std::chrono::milliseconds Reporter::interval() const {
  if (output_ == Output::kNone) return kLongestWait;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(shown_ + period() - Clock::now());
  return std::clamp(left + 1ms, 1ms, kLongestWait);
}

void Reporter::tick(const Progress& progress) {
  if (output_ == Output::kNone) return;
  const auto now = Clock::now();
  if (now - sampled_ >= kSampleEvery) {
    sampled_ = now;
    meter_.add(std::chrono::duration<double>(now - start_).count(), moved_bytes(progress, sharing_));
  }
  const auto every = period();
  if (now - shown_ < every) return;
  shown_ = now;
  show(progress);
}

void Reporter::show(const Progress& progress) {
  switch (output_) {
    case Output::kNone:
      break;
    case Output::kTerminal:
      // The last column stays free: some terminals wrap when it is written.
      console().status(
          progress_line(progress, meter_.rate(), sharing_, std::max<std::size_t>(console().columns(), 2) - 1));
      break;
    case Output::kPlain: {
      const std::string line = progress_line(progress, meter_.rate(), sharing_, kNoLimit);
      if (line != last_plain_) console().line(line);  // an idle share does not fill a log
      last_plain_ = line;
      break;
    }
    case Output::kJson:
      json(json_progress(progress, meter_.rate()));
      break;
  }
}

}  // namespace peernet::cli
