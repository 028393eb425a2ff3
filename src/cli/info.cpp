#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/printable.hpp"
#include "cli/units.hpp"

namespace peernet::cli {
namespace {

// As links spell it (RFC 4648 section 5, no padding), so that the two can be compared by eye.
std::string base64url(std::span<const std::byte> bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const std::byte b : bytes) {
    bits = (bits << 8) | std::to_integer<std::uint32_t>(b);
    for (held += 8; held >= 6; held -= 6) out += kAlphabet[(bits >> (held - 6)) & 63U];
  }
  if (held > 0) out += kAlphabet[(bits << (6 - held)) & 63U];
  return out;
}

void field(std::string& out, const char* name, std::string_view value) {
  out += fmt::format("{:<11}{}\n", fmt::format("{}:", name), value);
}

void size_fields(std::string& out, std::uint64_t bytes, std::uint64_t chunks) {
  field(out, "size", fmt::format("{} ({})", bytes, format_bytes(bytes)));
  field(out, "chunks", fmt::format("{}", chunks));
}

int print(const std::string& text, Reporter& reporter) {
  if (write_all(STDOUT_FILENO, text)) return 0;
  return reporter.fail(failure(from_errno(errno, "cannot write to standard output")));
}

std::string describe_link(const Link& link) {
  std::string out;
  field(out, "content", base64url(link.content_id));
  field(out, "publisher", base64url(link.publisher_id));
  field(out, "swarm", link.swarm_key ? "private" : "public");
  for (const std::string& peer : link.peers) field(out, "node", printable(peer));
  for (const std::string& tracker : link.trackers) field(out, "tracker", printable(tracker));
  return out;
}

// Name and size, and the files of a folder where they are wanted.
void describe_content(std::string& out, const ContentInfo& info, bool list) {
  field(out, "name", printable(info.name) + (info.folder ? "/" : ""));
  if (info.folder) {
    const auto files =
        static_cast<std::uint64_t>(std::ranges::count(info.entries, ContentEntry::Kind::kFile, &ContentEntry::kind));
    field(out, "files", fmt::format("{}", files));
  }
  size_fields(out, info.bytes, info.chunks);
  if (!info.folder || !list) return;
  for (const ContentEntry& entry : info.entries) {
    out += fmt::format("{:>12}  {}", entry.kind == ContentEntry::Kind::kFile ? format_bytes(entry.bytes) : "",
                       printable(entry.path));
    if (entry.kind == ContentEntry::Kind::kFolder) out += '/';
    if (entry.kind == ContentEntry::Kind::kSymlink) out += " -> " + printable(entry.target);
    out += '\n';
  }
}

int info_of_path(const Invocation& invocation, Reporter& reporter) {
  std::string culprit;
  const auto info = describe_path(invocation.path, &culprit);
  if (!info) return reporter.fail(failure(info.error(), culprit.empty() ? invocation.path : culprit));
  if (!invocation.get.files.empty())
    return reporter.fail({ErrorCode::kUsage, "--files fits a link only: ls lists what is on this host"});
  std::string out;
  field(out, "content", base64url(std::as_bytes(std::span(info->content_id))));
  describe_content(out, *info, invocation.verbose);
  return print(out, reporter);
}

}  // namespace

int run_info(const Invocation& invocation) {
  Reporter reporter(invocation);
  if (invocation.link_word.empty()) return info_of_path(invocation, reporter);
  auto link = load_link(invocation.link_word);
  if (!link) return reporter.fail(link.error());
  std::string out = describe_link(link->link);
  if (invocation.offline) {
    field(out, "name", printable(link->link.name));
    return print(out, reporter);
  }
  Signals signals;
  GetOptions options = invocation.get;
  options.link = std::move(link->text);
  options.info = std::make_shared<ContentInfo>();
  Event last;
  {
    auto node = start_node(invocation, reporter);
    if (!node) return reporter.fail(node.error());
    auto transfer = (*node)->get(options);
    if (!transfer) return reporter.fail(failure(transfer.error()));
    signals.on_first([handle = *transfer]() mutable { handle.cancel(); });
    last = follow(*transfer, reporter, [](Event*) {});
    report_counters(**node, transfer->progress(), reporter);
  }
  const bool known = last.kind == EventKind::kDone;
  if (known) {
    describe_content(out, *options.info, invocation.verbose || !options.files.empty());
  } else {
    field(out, "name", printable(link->link.name));
  }
  if (const int status = print(out, reporter); status != 0) return status;
  if (known) return 0;
  const std::string about = last.path.empty() ? "" : fmt::format(" ({})", printable(last.path));
  return reporter.fail({last.error.code, printable(last.text) + about}, signals.caught());
}

}  // namespace peernet::cli
