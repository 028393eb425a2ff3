// What this kernel and this process may do, found out by trying. Done once at start (under a millisecond).
#pragma once

#include "io/io.hpp"

namespace peernet::io {

/// Opens a small ring and a few sockets, tries each feature and closes them again. Never fails: what cannot be tried is
/// not there. Tests mask the result by clearing fields.
Capabilities probe_capabilities();

/// One static sentence on why the uring engine cannot be used with these capabilities; nullptr if it can.
const char* why_not_uring(const Capabilities& capabilities);

}  // namespace peernet::io
