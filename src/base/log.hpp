// The log of the control path: a sink set once by the program, nothing by default. Never called per packet.
#pragma once

#include <cstdint>
#include <string_view>

namespace peernet {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

using LogSink = void (*)(LogLevel level, std::string_view text);

/// Sets where log lines go; call before any thread is started.
void set_log_sink(LogSink sink);
void log(LogLevel level, std::string_view text);

}  // namespace peernet
