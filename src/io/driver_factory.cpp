#include "io/driver_factory.hpp"

#include "io/epoll/driver.hpp"

namespace peernet::io {

Result<std::unique_ptr<Driver>> make_driver(const DriverOptions& options, const Capabilities& capabilities,
                                            const ShardSockets& sockets) {
  return EpollDriver::open(options, capabilities, sockets);
}

}  // namespace peernet::io
