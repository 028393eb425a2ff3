// The service manager above us, if there is one (systemd: sd_notify(3), sd_watchdog_enabled(3)). Without one, or in a
// build without libsystemd, nothing happens.
#pragma once

#include <optional>

#include "base/time.hpp"

namespace peernet::tracker::server {

void tell_ready(const char* status);
void tell_reloading(Instant now);
void tell_stopping();
void tell_alive();
/// How often tell_alive() is expected.
std::optional<Duration> watchdog_interval();

}  // namespace peernet::tracker::server
