#include "hosts.hpp"

#include <fmt/format.h>

#include <utility>

#include "mode_parser.hpp"

namespace peernet::bench {

void add_network(ModeParser& parser, NetworkOptions& into) {
  parser.flag("--local", into.local);
  parser.word("--links", [&into](const std::string& text) -> std::string {
    auto link = parse_link(text);
    if (!link) return "--links " + link.error();
    if (link->up.rate_bits <= 0) return "--links wants a rate that is not 0";
    into.links = *link;
    return {};
  });
}

std::string contradiction(const NetworkOptions& options) {
  return options.local && options.links ? "--local and --links contradict each other: give one of them" : "";
}

std::expected<Hosts, Refusal> Hosts::make(const NetworkOptions& options, unsigned sources, unsigned receivers,
                                          bool all) {
  Hosts out{.sources = std::vector<Place>(sources),
            .receivers = std::vector<Place>(receivers),
            .links = "loopback",
            .lab = nullptr};
  if (!options.links) return out;
  out.links = bench::describe(*options.links);
  if (const auto reason = why_no_lab(options.links->emulated()))
    return std::unexpected(Refusal{*reason + "; --local measures on this host alone", kNotPermitted});
  Link shaped = *options.links;
  if (all) {
    shaped.up.delay_seconds /= 2;
    shaped.down = shaped.up;
    shaped.down.loss = 0;
  }
  std::vector<Link> links(sources, shaped);
  links.insert(links.end(), receivers, all ? shaped : Link{});
  auto lab = Lab::make(links);
  if (!lab) return std::unexpected(Refusal{lab.error()});
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Lab::Host& host = lab->hosts()[i];
    const bool source = i < sources;
    (source ? out.sources[i] : out.receivers[i - sources]) =
        Place{.name = fmt::format("{} {}", source ? "source" : "receiver", (source ? i : i - sources) + 1),
              .address = host.address,
              .network = host.network};
  }
  out.lab = std::make_unique<Lab>(std::move(*lab));
  return out;
}

}  // namespace peernet::bench
