#include "tracker/server/manager.hpp"

#ifdef PEERNET_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace peernet::tracker::server {

#ifdef PEERNET_HAVE_SYSTEMD

void tell_ready(const char* status) {
  ::sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void tell_reloading(Instant now) {
  ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", static_cast<long long>(now.ns() / 1000));
}

void tell_stopping() {
  ::sd_notify(0, "STOPPING=1");
}

void tell_alive() {
  ::sd_notify(0, "WATCHDOG=1");
}

std::optional<Duration> watchdog_interval() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds);
}

#else

void tell_ready(const char*) {}
void tell_reloading(Instant) {}
void tell_stopping() {}
void tell_alive() {}
std::optional<Duration> watchdog_interval() {
  return std::nullopt;
}

#endif

}  // namespace peernet::tracker::server
