// The commands: each runs to its end and returns the exit status.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "cli/arguments.hpp"
#include "cli/reporter.hpp"
#include "cli/signals.hpp"
#include "peernet/link.hpp"
#include "peernet/node.hpp"

namespace peernet::cli {

int run_share(const Invocation& invocation);
int run_get(const Invocation& invocation);
int run_info(const Invocation& invocation);
int run_verify(const Invocation& invocation);
int run_status(const Invocation& invocation);
int run_keygen(const Invocation& invocation);

// --- what they share

struct LoadedLink {
  Link link;
  std::string text;
};
/// The link behind a word: itself, "@FILE" or "-". The failure never repeats it.
std::expected<LoadedLink, Failure> load_link(const std::string& word);

/// A node as the options want it; tells the engine with -v, and a fall back to epoll unless -q.
std::expected<std::unique_ptr<Node>, Failure> start_node(const Invocation& invocation, const Reporter& reporter);

/// Reports a transfer until its last event, which it returns. `also` sees every event first and may complete it;
/// nullptr when time passes.
Event follow(Transfer& transfer, Reporter& reporter, const std::function<void(Event*)>& also);

/// With -v: numbers and counters of a node whose transfer is over.
void report_counters(const Node& node, const Progress& progress, const Reporter& reporter);

}  // namespace peernet::cli
