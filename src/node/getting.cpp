// Gets, and questions to trackers, from the door to the first shard.
#include <algorithm>

#include "io/address_text.hpp"
#include "node/listing.hpp"
#include "node/node_impl.hpp"

namespace peernet::node {

Result<Transfer> NodeImpl::get(const GetOptions& options) {
  const auto link = parse_link(options.link);
  if (!link) return std::unexpected(usage_error("the link does not parse"));
  if (link->peers.empty() && link->trackers.empty())
    return std::unexpected(usage_error("the link names no node to get the content from, and no tracker to ask"));
  auto transfer = std::make_shared<TransferState>();
  transfer->set_name(link->name);
  {
    const std::scoped_lock lock(mutex_);
    transfers_.push_back(transfer);
  }
  start_fetch(options, *link, transfer, nullptr);
  return Transfer(transfer);
}

// What is numeric is dialled at once. Names are looked up meanwhile: that may take seconds.
void NodeImpl::start_fetch(const GetOptions& options, const Link& link, const std::shared_ptr<TransferState>& transfer,
                           std::shared_ptr<SwarmManifest> manifest) {
  Fetch::Options fetch{.get = options, .link = link, .transfer = transfer, .manifest = std::move(manifest)};
  std::vector<std::string> names;
  for (const std::string& peer : link.peers) {
    if (const auto numeric = io::parse_address(peer)) {
      fetch.addresses.push_back(*numeric);
    } else {
      names.push_back(peer);
    }
  }
  fetch.names_wanted = !names.empty();
  auto made = std::make_shared<std::unique_ptr<Fetch>>(std::make_unique<Fetch>(std::move(fetch)));
  Shard& home = *shards_[0];
  home.post([made](Shard& shard) { shard.start_fetch(std::move(*made)); });
  transfer->on_cancel([&home, transfer] { home.post([transfer](Shard& shard) { shard.cancel_fetch(*transfer); }); });
  if (names.empty()) return;
  look_up(std::move(names), [post = context_.home, transfer](const std::vector<NamedAddresses>& found) {
    std::vector<Address> addresses;
    for (const NamedAddresses& named : found)
      addresses.insert(addresses.end(), named.addresses.begin(), named.addresses.end());
    post->post([transfer, addresses](Shard& shard) { shard.names_found(*transfer, addresses); });
  });
}

Result<SwarmListing> NodeImpl::list(const std::string& link_text, std::chrono::milliseconds timeout) {
  const auto link = parse_link(link_text);
  if (!link) return std::unexpected(usage_error("the link does not parse"));
  if (link->trackers.empty()) return std::unexpected(usage_error("the link names no tracker to ask"));
  const auto question = std::make_shared<ListingQuestion>(*link);
  shards_[0]->post([question](Shard& shard) { question->start(shard); });
  auto answer = question->wait(timeout);
  shards_[0]->post([question](Shard& shard) { question->end(shard); });
  return answer;
}

}  // namespace peernet::node
