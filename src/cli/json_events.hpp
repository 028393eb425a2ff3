// Events as JSON, one object a line: docs/events.schema.json is the contract, `"v":1` its version.
#pragma once

#include <optional>
#include <string>

#include "peernet/stats.hpp"

namespace peernet::cli {

/// One line without its end; nothing for events that have no JSON form (the link is a secret, notices are for people).
std::optional<std::string> json_event(const Event& event, const Progress& progress);

/// {"v":1,"event":"progress",...}. rate in bytes per second; eta is null while it cannot be told.
std::string json_progress(const Progress& progress, double rate);

/// {"v":1,"event":"error",...}: of what failed before there was a transfer, too.
std::string json_error(ErrorCode code, int exit_status, const std::string& message);

}  // namespace peernet::cli
