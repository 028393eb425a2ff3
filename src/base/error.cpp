#include "peernet/error.hpp"

#include <cerrno>
#include <system_error>

namespace peernet {

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal: return "internal";
    case ErrorCode::kUsage: return "usage";
    case ErrorCode::kUnknownContent: return "unknown_content";
    case ErrorCode::kUnreachable: return "unreachable";
    case ErrorCode::kNoProgress: return "no_progress";
    case ErrorCode::kIntegrity: return "integrity";
    case ErrorCode::kLocalIo: return "local_io";
    case ErrorCode::kNoSpace: return "no_space";
    case ErrorCode::kRefused: return "refused";
    case ErrorCode::kTargetExists: return "target_exists";
    case ErrorCode::kPartial: return "partial";
    case ErrorCode::kKernel: return "kernel";
    case ErrorCode::kInterrupted: return "interrupted";
  }
  return "unknown";
}

std::string describe(const Error& error) {
  std::string text = error.what[0] != '\0' ? error.what : name_of(error.code);
  if (error.os_error != 0) text += ": " + std::generic_category().message(error.os_error);
  return text;
}

Error from_errno(int os_error, const char* what) {
  const bool full = os_error == ENOSPC || os_error == EDQUOT;
  return {full ? ErrorCode::kNoSpace : ErrorCode::kLocalIo, os_error, what};
}

}  // namespace peernet
