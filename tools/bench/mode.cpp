#include "mode.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "cli/printable.hpp"
#include "console.hpp"
#include "mode_parser.hpp"
#include "page.hpp"
#include "process.hpp"

namespace peernet::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 1 << 20;
constexpr const char* kMemoryFolder = "/dev/shm";

bool write_all(int fd, const char* from, std::size_t count) {
  while (count > 0) {
    const ssize_t written = ::write(fd, from, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    from += written;
    count -= static_cast<std::size_t>(written);
  }
  return true;
}

// A file that will be written when all is measured, which may take an hour: whether it can be is found out before.
void output(ModeParser& parser, const char* name, std::string& into) {
  parser.word(name, [=, &into](const std::string& path) -> std::string {
    std::error_code ignored;
    const bool new_file = !fs::exists(fs::symlink_status(path, ignored));
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return fmt::format("{} \"{}\" cannot be written: {}", name, cli::printable(path), std::strerror(errno));
    ::close(fd);
    if (new_file) fs::remove(path, ignored);
    into = path;
    return {};
  });
}

}  // namespace

Scratch::Scratch(std::string path) : path_(std::move(path)) {
  guard();
}

Scratch::Scratch(Scratch&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      guard_(std::exchange(other.guard_, -1)),
      leash_(std::exchange(other.leash_, -1)),
      folders_(other.folders_) {}

// In a session of its own: neither an interrupt from the terminal nor a signal to this program's group ends it.
void Scratch::guard() {
  // What this program started dies with it, but a moment later: what it still wrote goes at the second attempt.
  static constexpr const char* kScript = R"(read -r _; rm -rf -- "$1" 2>/dev/null || { sleep 1; rm -rf -- "$1"; })";
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
    ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  const char* const words[] = {"sh", "-c", kScript, "sh", path_.c_str(), nullptr};
  pid_t pid = -1;
  if (::posix_spawn(&pid, "/bin/sh", &actions, &attributes, const_cast<char* const*>(words), environ) == 0) {
    guard_ = pid;
    leash_ = std::exchange(ends[1], -1);
  }
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  for (const int fd : ends)
    if (fd >= 0) ::close(fd);
}

Scratch::~Scratch() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
  if (guard_ <= 0) return;
  // Before the leash goes: it would start an rm, which outlives it and this program for a moment.
  ::kill(guard_, SIGKILL);
  while (::waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) continue;
  ::close(leash_);
}

namespace {

// On a machine that swaps, files in memory would be slower than those on a disk.
bool has_memory_for(std::uint64_t bytes) {
  struct statfs info{};
  constexpr long kTmpfs = 0x01021994;
  if (::statfs(kMemoryFolder, &info) != 0 || info.f_type != kTmpfs) return false;
  std::ifstream file("/proc/meminfo");
  for (std::string key, unit; file >> key;) {
    std::uint64_t kib = 0;
    file >> kib;
    std::getline(file, unit);
    if (key == "MemAvailable:") return kib * 1024 / 2 > bytes;
  }
  return false;
}

}  // namespace

Outcome<Scratch> Scratch::make(const std::string& parent, std::uint64_t bytes, Kind kind) {
  const char* const wanted = std::getenv("TMPDIR");
  std::vector<std::string> parents{wanted == nullptr ? "/var/tmp" : wanted, "/var/tmp", "."};
  if (kind == Kind::kMemory && has_memory_for(bytes)) parents.insert(parents.begin(), kMemoryFolder);
  if (!parent.empty()) parents = {parent};
  std::string reason;
  for (const std::string& at : parents) {
    std::error_code error;
    const fs::space_info space = fs::space(at, error);
    if (error || space.available < bytes) {
      reason = error ? error.message()
                     : fmt::format("{} are needed and {} are free", format_size(bytes), format_size(space.available));
      continue;
    }
    std::string path = fs::absolute(at).string() + "/peernet-bench-XXXXXX";
    if (::mkdtemp(path.data()) != nullptr) return Scratch(path);
    reason = std::strerror(errno);
  }
  return std::unexpected(
      fmt::format("no folder for files can be made in {}: {}; --dir names another place", parents.front(), reason));
}

std::string Scratch::folder(const std::string& name) {
  const std::string path = fmt::format("{}/{}-{}", path_, ++folders_, name);
  fs::create_directory(path);
  return path;
}

Outcome<bool> write_random_file(const std::string& path, std::uint64_t bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  std::vector<char> block(std::min<std::uint64_t>(bytes, kBlock));
  bool good = fd >= 0;
  for (std::uint64_t left = bytes; good && left > 0;) {
    if (interrupted()) {
      ::close(fd);
      return std::unexpected(std::string("interrupted"));
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, kBlock));
    for (std::size_t at = 0; at < count;) {  // getrandom gives at most so much at once when a signal comes
      const ssize_t got = ::getrandom(block.data() + at, count - at, 0);
      at += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    good = write_all(fd, block.data(), count);
    left -= count;
  }
  const int failure = errno;
  if (fd >= 0) ::close(fd);
  if (good) return true;
  return std::unexpected(fmt::format("{} cannot be written: {}", path, std::strerror(failure)));
}

bool same_bytes(const std::string& one, const std::string& other) {
  std::error_code failed, failed_too;
  const std::uint64_t size = fs::file_size(one, failed);
  if (fs::file_size(other, failed_too) != size || failed || failed_too) return false;
  std::ifstream a(one, std::ios::binary), b(other, std::ios::binary);
  // A folder may have many small files: no more than one needs, and a byte in which its end shows.
  const auto block = static_cast<std::streamsize>(std::min<std::uint64_t>(size + 1, kBlock));
  std::vector<char> left(static_cast<std::size_t>(block)), right(left);
  while (a && b && !interrupted()) {
    a.read(left.data(), block);
    b.read(right.data(), block);
    if (a.gcount() != b.gcount() || std::memcmp(left.data(), right.data(), static_cast<std::size_t>(a.gcount())) != 0)
      return false;
  }
  return a.eof() && b.eof();
}

void add_common(ModeParser& parser, CommonOptions& into) {
  add_outputs(parser, into);
  parser.bytes("--size", into.size);
  parser.text("--dir", into.folder);
  parser.text("--peernet", into.peernet);
  parser.decimal("--keeper", into.keeper_gib, 0, 1024);
}

void add_outputs(ModeParser& parser, CommonOptions& into) {
  parser.number("--runs", into.runs, 1, 1000);
  output(parser, "--json", into.json);
  output(parser, "--html", into.html);
  parser.flag("-q,--quiet", into.quiet);
}

Outcome<std::string> find_peernet(const CommonOptions& options) {
  return find_ours("peernet", options.peernet, "--peernet");
}

Outcome<std::string> find_ours(const std::string& name, const std::string& given, const char* option) {
  std::error_code error;
  if (!given.empty()) {
    const std::string path = fs::absolute(given, error).string();
    if (is_installed(path)) return path;
    return std::unexpected(fmt::format("{} is no program that can be run", cli::printable(given)));
  }
  const std::string beside = fs::read_symlink("/proc/self/exe", error).replace_filename(name).string();
  if (!error && is_installed(beside)) return beside;
  if (is_installed(name)) return name;
  return std::unexpected(fmt::format("there is no {} beside this program or in PATH; {} names it", name, option));
}

int complain(const std::string& mode, const std::string& sentence, int code) {
  fmt::print(stderr, "peernet-bench {}: {}{}\n", mode, sentence,
             sentence.ends_with('.') || sentence.ends_with('?') ? "" : ".");
  return code;
}

bool write_file(const std::string& path, const std::string& text, const std::string& mode) {
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << text;
  file.close();
  if (file) return true;
  complain(mode, fmt::format("{} cannot be written: {}", cli::printable(path), std::strerror(errno)));
  return false;
}

int finish(const Result& result, const CommonOptions& options) {
  for (const std::string& note : result.notes) fmt::print("note: {}\n", note);
  if (result.noise.value("noisy", false))
    fmt::print(
        "warning: other work kept {:.2f} cores busy meanwhile, and other guests took {:.2f}: read the ratios, not the "
        "times\n",
        result.noise.value("others_cores", 0.0), result.noise.value("steal_cores", 0.0));
  std::fflush(stdout);
  const nlohmann::json document = to_json(result);
  if (!options.json.empty()) {
    const std::string text = document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    if (!write_file(options.json, text, result.mode)) return kFailed;
  }
  if (!options.html.empty() && !write_file(options.html, page_of(document), result.mode)) return kFailed;
  return kOk;
}

}  // namespace peernet::bench
