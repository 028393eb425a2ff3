// <linux/io_uring.h> as liburing 2.3 carries it, and the newer constants it lacks.
#pragma once

#include <cstdint>

// clang-format off: the first one is needed by the second
#include <linux/time_types.h>
#include <liburing/io_uring.h>
// clang-format on

namespace peernet::io::uapi {

/// Linux 6.15: a wait for packets does not count as waiting for a disk (top would show an idle node as 100 % iowait).
inline constexpr std::uint32_t kFeatureNoIowait = 1U << 17;
inline constexpr std::uint32_t kEnterNoIowait = 1U << 7;

}  // namespace peernet::io::uapi
