// Chooses and makes the engine of one shard.
#pragma once

#include <memory>

#include "io/io.hpp"

namespace peernet::io {

/// The sockets of one shard, borrowed: they must outlive the driver. Blocking mode, not connected.
struct ShardSockets {
  int data = -1;
  int handshake = -1;  ///< -1: there is none, everything comes to the data socket
};

/// Engine::kAuto takes io_uring where the capabilities allow it and a ring can be made, else epoll; DriverInfo::reason
/// then says why in one line. Engine::kUring fails with kKernel instead. Sets the sockets' buffer sizes and offloads.
Result<std::unique_ptr<Driver>> make_driver(const DriverOptions& options, const Capabilities& capabilities,
                                            const ShardSockets& sockets);

}  // namespace peernet::io
