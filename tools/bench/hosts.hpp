// Where the nodes of a measurement are: all on this host, or each on a host of its own behind a shaped link.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ground.hpp"
#include "lab.hpp"
#include "transfer.hpp"

namespace peernet::bench {

struct NetworkOptions {
  bool local = false;
  std::optional<Link> links;
};
/// --local and --links.
void add_network(ModeParser& parser, NetworkOptions& into);
/// What is wrong with both together; empty if nothing is.
std::string contradiction(const NetworkOptions& options);

struct Hosts {
  std::vector<Place> sources, receivers;
  std::string links;         ///< "loopback", or what the links are
  std::unique_ptr<Lab> lab;  ///< of which they are hosts; none on loopback

  /// Shaped are the ways from the sources; if `all`, those of every host, up and down, with a part of the round trip
  /// each, so that it is the same between any two. Refused with kNotPermitted if this user may not make them.
  static std::expected<Hosts, Refusal> make(const NetworkOptions& options, unsigned sources, unsigned receivers,
                                            bool all);
};

}  // namespace peernet::bench
