#include "cli/commands.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/log.hpp"
#include "cli/console.hpp"
#include "cli/files.hpp"
#include "cli/printable.hpp"
#include "cli/units.hpp"

namespace peernet::cli {
namespace {

constexpr std::size_t kMaxIdentityBytes = 16384;

void log_line(LogLevel level, std::string_view text) {
  constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
  console().line(fmt::format("{}: {}", kNames[static_cast<std::size_t>(level)], printable(text)));
}

std::expected<NodeConfig, Failure> config_of(const Invocation& invocation, const Reporter& reporter) {
  NodeConfig config = invocation.node;
  // A get is served to others by one shard; sessions that they open must not end up at another.
  if (invocation.command == Command::kGet && config.shards == 0) config.shards = 1;
  if (invocation.identity_file.empty()) return config;
  auto file = read_small_file(invocation.identity_file, kMaxIdentityBytes);
  if (!file) return std::unexpected(failure(file.error(), invocation.identity_file));
  if (file->others_may_read)
    reporter.notice(fmt::format("Others may read the key in {}: chmod 600 it.", printable(invocation.identity_file)));
  config.identity_text = std::move(file->text);
  return config;
}

}  // namespace

std::expected<LoadedLink, Failure> load_link(const std::string& word) {
  LoadedLink out{.text = word};
  if (word == "-" || word.starts_with('@')) {
    const std::string path = word == "-" ? word : word.substr(1);
    if (path.empty()) return std::unexpected(Failure{ErrorCode::kUsage, "@ wants the name of a file behind it: @FILE"});
    auto file = read_small_file(path, kMaxLinkBytes + 1);
    if (!file) return std::unexpected(failure(file.error(), word == "-" ? "" : path));
    out.text = std::move(file->text);
  }
  auto link = parse_link(out.text);
  if (!link) return std::unexpected(Failure{ErrorCode::kUsage, link.error()});
  out.link = std::move(*link);
  return out;
}

std::expected<std::unique_ptr<Node>, Failure> start_node(const Invocation& invocation, const Reporter& reporter) {
  if (invocation.verbose) set_log_sink(log_line);
  auto config = config_of(invocation, reporter);
  if (!config) return std::unexpected(config.error());
  auto node = Node::start(*config);
  if (!node) return std::unexpected(failure(node.error()));
  const EngineInfo engine = (*node)->engine();
  if (!engine.io_reason.empty() && config->io == IoEngine::kAuto)
    reporter.notice(fmt::format("io_uring is not available ({}); using epoll.", engine.io_reason));
  reporter.detail(fmt::format("engine {}, gso {}, gro {}, aead {}, shards {}, listening on {}", engine.io,
                              engine.gso ? "on" : "off", engine.gro ? "on" : "off", engine.aead, engine.shards,
                              engine.listen));
  return std::move(*node);
}

Event follow(Transfer& transfer, Reporter& reporter, const std::function<void(Event*)>& also) {
  for (;;) {
    auto event = transfer.wait_event(reporter.interval());
    const Progress progress = transfer.progress();
    if (event) {
      also(&*event);
      reporter.on_event(*event, progress);
      if (event->kind == EventKind::kDone || event->kind == EventKind::kError) return *event;
    } else {
      also(nullptr);
    }
    reporter.tick(progress);
  }
}

void report_counters(const Node& node, const Progress& progress, const Reporter& reporter) {
  reporter.detail(fmt::format("received {}, of it twice {}; sent {}", format_bytes(progress.bytes_received),
                              format_bytes(progress.bytes_duplicate), format_bytes(progress.bytes_sent)));
  for (const Counter& counter : node.counters()) reporter.detail(fmt::format("{} {}", counter.name, counter.value));
}

int run_keygen(const Invocation& invocation) {
  Reporter reporter(invocation);
  const auto text = generate_identity();
  if (!text) return reporter.fail(failure(text.error()));
  if (auto ok = create_private_file(invocation.key_file, *text); !ok)
    return reporter.fail(failure(ok.error(), invocation.key_file));
  return 0;
}

}  // namespace peernet::cli
