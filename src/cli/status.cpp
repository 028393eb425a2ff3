#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/printable.hpp"
#include "cli/status_text.hpp"

namespace peernet::cli {

int run_status(const Invocation& invocation) {
  Reporter reporter(invocation);
  auto link = load_link(invocation.link_word);
  if (!link) return reporter.fail(link.error());
  if (link->link.trackers.empty()) return reporter.fail({ErrorCode::kUsage, "the link names no tracker to ask"});
  auto node = start_node(invocation, reporter);
  if (!node) return reporter.fail(node.error());
  const double seconds = invocation.get.timeout_seconds > 0 ? invocation.get.timeout_seconds : 3600;
  const auto listing = (*node)->list(link->text, std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1e3)));
  if (!listing) return reporter.fail(failure(listing.error()));
  const std::string text = invocation.json ? status_json(*listing) + '\n' : status_text(*listing);
  if (!write_all(STDOUT_FILENO, text))
    return reporter.fail(failure(from_errno(errno, "cannot write to standard output")));
  if (!listing->members.empty()) return 0;
  return reporter.fail({ErrorCode::kUnknownContent, fmt::format("tracker {} lists nobody who has or wants this content",
                                                                printable(listing->tracker))});
}

}  // namespace peernet::cli
