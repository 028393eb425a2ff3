#include "node/content_bytes.hpp"

namespace peernet::node {
namespace {

class FileReader final : public PieceReader {
 public:
  FileReader(io::Driver& driver, io::FileHandle file, std::uint32_t chunk_bytes)
      : driver_(driver), file_(file), chunk_bytes_(chunk_bytes) {}
  ~FileReader() override { driver_.release_file(file_); }

  bool read(io::OpToken token, ChunkIndex chunk, std::uint32_t offset, MutableByteSpan into) override {
    return driver_.submit_read(token, file_, into, std::uint64_t{chunk.value()} * chunk_bytes_ + offset);
  }

 private:
  io::Driver& driver_;
  io::FileHandle file_;
  std::uint32_t chunk_bytes_;
};

}  // namespace

Result<std::unique_ptr<PieceReader>> make_file_reader(io::Driver& driver, int fd, std::uint32_t chunk_bytes) {
  const auto file = driver.add_file(fd);
  if (!file) return std::unexpected(file.error());
  return std::make_unique<FileReader>(driver, *file, chunk_bytes);
}

Result<std::unique_ptr<PieceReader>> SharedFileBytes::open(io::Driver& driver) {
  return make_file_reader(driver, file.fd.get(), file.core.chunk_bytes);
}

bool SharedFileBytes::changed() const {
  const auto stamp = storage::stamp_of(file.fd.get());
  return !stamp || storage::compare(file.stamp, *stamp) == storage::SourceState::kChanged;
}

}  // namespace peernet::node
