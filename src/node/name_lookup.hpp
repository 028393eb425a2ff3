// Names become addresses on a thread that nobody waits for: a resolver may take half a minute, and neither a shard nor
// the end of the program has that time.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/address.hpp"

namespace peernet::node {

class Shard;

/// The way back to the first shard for threads that may outlive the node.
class HomePost {
 public:
  /// The shard outlives the time until close().
  void open(Shard& shard);
  void close();
  /// Runs on the shard's thread; nothing happens once closed. Any thread.
  void post(std::function<void(Shard&)> work);

 private:
  std::mutex mutex_;
  Shard* shard_ = nullptr;  // guarded by mutex_
};

struct NamedAddresses {
  std::string name;                ///< "host:port", as it was asked for
  std::vector<Address> addresses;  ///< empty: the name is unknown, now
};

/// "host:port" texts of links. `done` is called once, on a thread of its own.
void look_up(std::vector<std::string> names, std::function<void(std::vector<NamedAddresses>)> done);

}  // namespace peernet::node
