// Assertions that stay on in release builds. They are for our own bugs only: a peer, a disk or a network must never
// be able to make one fail.
#pragma once

namespace peernet {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace peernet

#define PN_CHECK(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? static_cast<void>(0) : ::peernet::check_failed(#condition, __FILE__, __LINE__))
