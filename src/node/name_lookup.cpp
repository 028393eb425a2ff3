#include "node/name_lookup.hpp"

#include <thread>

#include "io/address_text.hpp"
#include "node/shard.hpp"

namespace peernet::node {

void HomePost::open(Shard& shard) {
  const std::scoped_lock lock(mutex_);
  shard_ = &shard;
}

void HomePost::close() {
  const std::scoped_lock lock(mutex_);
  shard_ = nullptr;
}

void HomePost::post(std::function<void(Shard&)> work) {
  const std::scoped_lock lock(mutex_);
  if (shard_ != nullptr) shard_->post(std::move(work));
}

void look_up(std::vector<std::string> names, std::function<void(std::vector<NamedAddresses>)> done) {
  std::thread([names = std::move(names), done = std::move(done)] {
    std::vector<NamedAddresses> out;
    for (const std::string& name : names) {
      out.push_back({name, {}});
      const auto parsed = io::split_host_port(name);
      if (!parsed || !parsed->port) continue;
      if (auto addresses = io::resolve(parsed->host, *parsed->port)) out.back().addresses = std::move(*addresses);
    }
    done(std::move(out));
  }).detach();
}

}  // namespace peernet::node
