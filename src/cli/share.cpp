#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/files.hpp"
#include "cli/printable.hpp"
#include "cli/units.hpp"

namespace peernet::cli {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// With --once: how long a receiver that reported completion may take to say goodbye. It has everything; this is only
// so that its last frames are acknowledged.
constexpr Clock::duration kGoodbye = 3s;

// When the shared file has changed: each shard of the engine notices it within a second and tells its receivers why
// they get no more; a goodbye before that would look as if we might come back.
constexpr Clock::duration kExplain = 1500ms;

// With --join: others are to blame, not the file.
bool concerns_swarm(ErrorCode code) {
  return code == ErrorCode::kUnreachable || code == ErrorCode::kUnknownContent || code == ErrorCode::kNoProgress ||
         code == ErrorCode::kRefused;
}

// Follows the events of one share: prints the link, and knows when --once is satisfied.
class Sharing {
 public:
  Sharing(const Invocation& invocation, Reporter& reporter, Transfer& transfer)
      : invocation_(invocation), reporter_(reporter), transfer_(transfer) {}

  void on_wake(const Event* event) {
    if (event != nullptr && event->kind == EventKind::kLink) publish(event->text);
    if (!invocation_.once) return;
    const auto now = Clock::now();
    if (event != nullptr && event->kind == EventKind::kReceiver && event->number == 1 && !satisfied_at_)
      satisfied_at_ = now;
    if (satisfied_at_ && (now - *satisfied_at_ >= kGoodbye || transfer_.progress().receivers == 0)) transfer_.cancel();
  }

  bool satisfied() const { return satisfied_at_.has_value(); }
  const std::optional<Failure>& failure_of_link() const { return failure_; }

 private:
  void publish(const std::string& link) {
    if (!write_all(STDOUT_FILENO, link + '\n')) {
      failure_ = failure(from_errno(errno, "cannot print the link on standard output"));
    } else if (!invocation_.link_file.empty()) {
      if (auto ok = replace_private_file(invocation_.link_file, link + '\n'); !ok)
        failure_ = failure(ok.error(), invocation_.link_file);
    }
    if (failure_) return transfer_.cancel();
    const Progress progress = transfer_.progress();
    reporter_.notice(fmt::format("Sharing {} ({}). To get it:\n  peernet get {}", printable(progress.name),
                                 format_bytes(progress.bytes_total), link));
  }

  const Invocation& invocation_;
  Reporter& reporter_;
  Transfer& transfer_;
  std::optional<Clock::time_point> satisfied_at_;
  std::optional<Failure> failure_;
};

}  // namespace

int run_share(const Invocation& invocation) {
  Reporter reporter(invocation);
  ShareOptions options = invocation.share;
  if (!invocation.join_word.empty()) {
    auto link = load_link(invocation.join_word);
    if (!link) return reporter.fail(link.error());
    options.join = std::move(link->text);
  }
  Signals signals;
  auto node = start_node(invocation, reporter);
  if (!node) return reporter.fail(node.error());
  auto transfer = (*node)->share(options);
  if (!transfer) return reporter.fail(failure(transfer.error(), invocation.share.path));
  signals.on_first([handle = *transfer]() mutable { handle.cancel(); });
  Sharing sharing(invocation, reporter, *transfer);
  const Event last = follow(*transfer, reporter, [&](Event* event) { sharing.on_wake(event); });
  const Progress progress = transfer->progress();
  report_counters(**node, progress, reporter);
  if (last.kind == EventKind::kError && last.error.code == ErrorCode::kIntegrity && progress.receivers > 0)
    std::this_thread::sleep_for(kExplain);
  node->reset();  // says goodbye to the receivers
  if (sharing.failure_of_link()) return reporter.fail(*sharing.failure_of_link());
  if (last.kind == EventKind::kError && last.error.code != ErrorCode::kInterrupted)
    return reporter.fail(
        {last.error.code, concerns_swarm(last.error.code)
                              ? printable(last.text)
                              : fmt::format("{} ({})", printable(last.text),
                                            printable(last.path.empty() ? invocation.share.path : last.path))});
  if (sharing.satisfied()) return 0;
  return signals.caught() != 0 ? exit_status_of_signal(signals.caught()) : static_cast<int>(ErrorCode::kInterrupted);
}

}  // namespace peernet::cli
