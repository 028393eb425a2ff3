#include "base/log.hpp"

namespace peernet {
namespace {
LogSink g_sink = nullptr;  // written once before threads start, read-only afterwards
}

void set_log_sink(LogSink sink) { g_sink = sink; }

void log(LogLevel level, std::string_view text) {
  if (g_sink != nullptr) g_sink(level, text);
}

}  // namespace peernet
