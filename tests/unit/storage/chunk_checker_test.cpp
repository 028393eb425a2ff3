#include "storage/chunk_checker.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <semaphore>

#include "crypto/hash.hpp"
#include "storage/posix_fd.hpp"
#include "temp_directory.hpp"

namespace peernet::storage {
namespace {

TEST(ChunkChecker, TellsRightChunksFromWrongAndUnreadableOnes) {
  const TempDirectory dir;
  const std::vector<std::byte> data = seeded_bytes(1'000'000, 1);
  write_file(dir / "f", data);
  const Fd fd(::open((dir / "f").c_str(), O_RDONLY | O_CLOEXEC));
  std::counting_semaphore<> bell{0};
  ChunkChecker checker(fd.get(), 4, [](void* p) { static_cast<std::counting_semaphore<>*>(p)->release(); }, &bell);
  const auto job = [&](std::uint32_t chunk, std::uint64_t offset, std::uint32_t length) {
    const std::uint64_t end = std::min<std::uint64_t>(offset + length, data.size());
    return CheckJob{.chunk = ChunkIndex{chunk},
                    .offset = offset,
                    .length = length,
                    .expected = crypto::xxh3_128(ByteSpan(data).subspan(offset, end - offset))};
  };
  ASSERT_TRUE(checker.submit(job(0, 0, 600'000)));
  CheckJob wrong = job(1, 600'000, 100'000);
  wrong.expected[5] ^= std::byte{1};
  ASSERT_TRUE(checker.submit(wrong));
  ASSERT_TRUE(checker.submit(job(2, 700'000, 1)));
  ASSERT_TRUE(checker.submit(job(3, 900'000, 100'001)));  // one byte beyond the end
  EXPECT_FALSE(checker.submit(job(4, 0, 1))) << "the bound";
  EXPECT_EQ(checker.in_flight(), 4U);
  std::vector<bool> matches(4);
  std::size_t n = 0;
  while (n < 4) {
    CheckResult results[3];
    const std::size_t got = checker.take(results);
    for (std::size_t i = 0; i < got; ++i) matches[results[i].chunk.value()] = results[i].matches;
    n += got;
    if (got == 0) bell.acquire();
  }
  EXPECT_EQ(matches, (std::vector<bool>{true, false, true, false}));
  EXPECT_EQ(checker.in_flight(), 0U);
}

}  // namespace
}  // namespace peernet::storage
