#include "io/driver_factory.hpp"

#include <cerrno>

#include "io/epoll/driver.hpp"
#include "io/probe.hpp"
#include "io/uring/driver.hpp"

namespace peernet::io {

Result<std::unique_ptr<Driver>> make_driver(const DriverOptions& options, const Capabilities& capabilities,
                                            const ShardSockets& sockets) {
  if (options.engine == Engine::kEpoll) return EpollDriver::open(options, capabilities, sockets, "");
  const char* reason = why_not_uring(capabilities);
  if (reason == nullptr) {
    auto driver = UringDriver::open(options, capabilities, sockets);
    if (driver || options.engine == Engine::kUring) return driver;
    reason = "no io_uring could be set up (the limits on locked memory or open files)";
  } else if (options.engine == Engine::kUring) {
    return std::unexpected(Error{ErrorCode::kKernel, capabilities.io_uring_errno, reason});
  }
  return EpollDriver::open(options, capabilities, sockets, reason);
}

}  // namespace peernet::io
