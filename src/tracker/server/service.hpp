// The service from its start to its end: sockets, workers, snapshot, admin, signals.
#pragma once

#include "tracker/server/failure.hpp"
#include "tracker/server/options.hpp"

namespace peernet::tracker::server {

/// Serves until SIGTERM or SIGINT has been obeyed. `line` is where the options came from: SIGHUP asks it again.
Outcome<void> serve(const CommandLine& line, const ServerOptions& options);

}  // namespace peernet::tracker::server
