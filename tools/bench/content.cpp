#include "content.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "cli/units.hpp"
#include "machine.hpp"
#include "mode_parser.hpp"

namespace peernet::bench {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kMostFiles = 10'000'000, kFilesAFolder = 100;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kSpareBytes = 64 << 20;  // logs, keys, a torrent

Outcome<bool> fill(const Job& job, const FileCount& files) {
  if (!job.folder) {
    auto written = write_random_file(job.source, job.bytes);
    // What is still to be written would slow down whoever comes first.
    if (const int fd = written ? ::open(job.source.c_str(), O_RDONLY | O_CLOEXEC) : -1; fd >= 0) {
      ::fsync(fd);
      ::close(fd);
    }
    return written;
  }
  fs::create_directory(job.source);
  for (unsigned i = 0; i < files.count; ++i) {
    const std::string below = fmt::format("{}/d{:05}", job.source, i / kFilesAFolder);
    if (i % kFilesAFolder == 0) fs::create_directory(below);
    if (auto written = write_random_file(fmt::format("{}/f{:07}.bin", below, i), files.bytes); !written) return written;
  }
  return true;
}

}  // namespace

std::function<std::string(const std::string&)> file_count_word(FileCount& into) {
  return [&into](const std::string& text) -> std::string {
    const auto comma = std::min(text.find(','), text.size());
    FileCount files;
    const auto [end, error] = std::from_chars(text.data(), text.data() + comma, files.count);
    const auto bytes = cli::parse_bytes(std::string_view(text).substr(std::min(comma + 1, text.size())));
    if (error != std::errc() || end != text.data() + comma || files.count == 0 || files.count > kMostFiles || !bytes)
      return fmt::format("--files wants a number and a size, such as 10000,4KiB, not {}", in_quotes(text));
    files.bytes = *bytes;
    into = files;
    return {};
  };
}

Outcome<Content> make_content(const CommonOptions& options, const FileCount& files, const std::string& peernet) {
  const std::uint64_t bytes = files.count > 0 ? files.count * files.bytes : options.size;
  const std::uint64_t on_disk =
      files.count > 0 ? files.count * (files.bytes / kPage * kPage + 2 * kPage) : bytes;  // a page for its inode
  auto scratch = Scratch::make(options.folder, 2 * on_disk + kSpareBytes,
                               files.count > 0 ? Scratch::Kind::kMemory : Scratch::Kind::kDisk);
  if (!scratch) return std::unexpected(scratch.error());
  Job job;
  job.folder = files.count > 0;
  job.bytes = bytes;
  job.peernet = peernet;
  job.lasting = scratch->folder("lasting");
  job.source = scratch->folder("source") + (job.folder ? "/tree" : "/file.bin");
  if (const auto filled = fill(job, files); !filled) return std::unexpected(filled.error());
  std::string file_system = output_of({"findmnt", "-n", "-o", "FSTYPE", "-T", scratch->path()});
  file_system.erase(std::min(file_system.find_first_of(" \n"), file_system.size()));
  return Content{std::move(*scratch), std::move(job), std::move(file_system)};
}

double keeper_gib_for(const CommonOptions& options, std::uint64_t bytes) {
  if (options.keeper_gib <= 0) return 0;
  return std::max(options.keeper_gib, 2 * static_cast<double>(bytes) / (1 << 30) + 1);
}

Result begin_result(const std::string& mode, std::span<const std::string> words, const CommonOptions& options,
                    const Content& content) {
  Result result;
  result.mode = mode;
  result.started = now_utc();
  result.command = {"peernet-bench", mode};
  result.command.insert(result.command.end(), words.begin(), words.end());
  result.machine = machine();
  result.settings = {{"size_bytes", content.job.bytes},
                     {"runs", options.runs},
                     {"links", "loopback"},
                     {"sync", content.job.durable ? "file" : "none"},
                     {"max_datagram", 1500},
                     {"file_system", content.file_system}};
  return result;
}

std::string describe(const Job& job, const FileCount& files) {
  return job.folder ? fmt::format("{} files of {}", files.count, format_size(files.bytes)) : format_size(job.bytes);
}

void prepare_environment() {
  const char* const path = std::getenv("PATH");
  const std::string more =
      std::string(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path) + ":/usr/local/sbin:/usr/sbin:/sbin";
  ::setenv("PATH", more.c_str(), 1);
  ::setenv("LC_ALL", "C", 1);
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
                           "RSYNC_PROXY", "RSYNC_RSH", "SSL_CERT_FILE"})
    ::unsetenv(name);
}

}  // namespace peernet::bench
