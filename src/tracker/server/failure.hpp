// Why the service cannot do what it was asked for: the exit status, and one sentence that names the fix.
#pragma once

#include <cstring>
#include <expected>
#include <string>
#include <utility>

#include "peernet/error.hpp"

namespace peernet::tracker::server {

struct Failure {
  ErrorCode code = ErrorCode::kInternal;
  std::string sentence;
};

template <class T>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> failure(ErrorCode code, std::string sentence) {
  return std::unexpected(Failure{code, std::move(sentence)});
}

/// The system's word for an errno.
inline std::string reason_of(int os_error) {
  return std::strerror(os_error);
}

}  // namespace peernet::tracker::server
