// What can go wrong, as values. Each code is also the exit code of the command line tools.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace peernet {

/// Exit codes of the tools and kinds of failure of the library; the numbers are a contract.
enum class ErrorCode : std::uint8_t {
  kInternal = 1,        ///< our own bug, met before it could do harm
  kUsage = 2,           ///< a wrong option, a link that does not parse
  kUnknownContent = 3,  ///< sources answered, none knows the content
  kUnreachable = 4,     ///< no source ever answered
  kNoProgress = 5,      ///< sources answered, then nothing more came
  kIntegrity = 6,       ///< bytes that do not match the content id
  kLocalIo = 7,         ///< permission or input/output error on this host
  kNoSpace = 8,         ///< this host's disk is full
  kRefused = 9,         ///< wrong key or not on the allow list
  kTargetExists = 10,   ///< the target exists or another process holds it
  kPartial = 11,        ///< some of what was asked for is done
  kKernel = 12,         ///< the kernel or a resource limit forbids what is needed
  kInterrupted = 130,   ///< SIGINT or SIGTERM; what was received is kept
};

/// A failure: small, trivially copyable, without words of its own.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::int32_t os_error = 0;  ///< errno of the failing call, 0 if there was none
  const char* what = "";      ///< static text: what was being done ("open the source file")

  friend bool operator==(const Error& a, const Error& b) { return a.code == b.code && a.os_error == b.os_error; }
};

template <class T>
using Result = std::expected<T, Error>;

/// The name of a code as used in events and logs, such as "no_space".
const char* name_of(ErrorCode code);

/// One sentence for people: what was being done and the system's reason if there was one.
std::string describe(const Error& error);

/// Maps an errno of a local file operation to a failure (ENOSPC and EDQUOT are kNoSpace, the rest kLocalIo).
Error from_errno(int os_error, const char* what);

}  // namespace peernet
