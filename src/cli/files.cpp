#include "cli/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "cli/console.hpp"

namespace peernet::cli {
namespace {

// Closes on every way out.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<void> fill(int fd, const std::string& path, std::string_view text, const char* what) {
  if (write_all(fd, text)) return {};
  const int error = errno;
  ::unlink(path.c_str());
  return std::unexpected(from_errno(error, what));
}

}  // namespace

Result<void> replace_private_file(const std::string& path, std::string_view text) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (file.get() < 0) return std::unexpected(from_errno(errno, "cannot write the link file"));
  if (auto ok = fill(file.get(), temporary, text, "cannot write the link file"); !ok) return ok;
  if (::rename(temporary.c_str(), path.c_str()) == 0) return {};
  const int error = errno;
  ::unlink(temporary.c_str());
  return std::unexpected(from_errno(error, "cannot give the link file its name"));
}

Result<void> create_private_file(const std::string& path, std::string_view text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0 && errno == EEXIST)
    return std::unexpected(Error{ErrorCode::kTargetExists, 0,
                                 "the key file exists already and a key is never replaced: choose another name"});
  if (file.get() < 0) return std::unexpected(from_errno(errno, "cannot create the key file"));
  if (::fchmod(file.get(), 0600) != 0) return std::unexpected(from_errno(errno, "cannot set the key file's mode"));
  if (auto ok = fill(file.get(), path, text, "cannot write the key file"); !ok) return ok;
  if (::fsync(file.get()) != 0) return std::unexpected(from_errno(errno, "cannot write the key file"));
  return {};
}

Result<SmallFile> read_small_file(const std::string& path, std::size_t limit) {
  const bool standard_input = path == "-";
  const Descriptor file(standard_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const char* const what = standard_input ? "cannot read standard input" : "cannot read this file";
  if (file.get() < 0) return std::unexpected(from_errno(errno, what));
  SmallFile out;
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return std::unexpected(from_errno(errno, what));
  out.others_may_read = S_ISREG(info.st_mode) && (info.st_mode & (S_IRGRP | S_IROTH)) != 0;
  std::array<char, 4096> buffer;
  while (out.text.size() <= limit) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(from_errno(errno, what));
    if (n == 0) return out;
    out.text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return std::unexpected(Error{ErrorCode::kUsage, 0, "this is too long"});
}

}  // namespace peernet::cli
