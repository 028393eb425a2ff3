#include <immintrin.h>

#include "crypto/sha256_pair.hpp"

namespace peernet::crypto::internal {
namespace {

constexpr int kLanes = 2;

}  // namespace

void sha256_pair_shani(uint32_t (*states)[8], const unsigned char* const* messages, size_t blocks) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i abef[kLanes];
  __m128i cdgh[kLanes];
  for (int l = 0; l < kLanes; ++l) {
    const auto word = [&](int w) { return static_cast<int>(states[l][w]); };
    abef[l] = _mm_set_epi32(word(0), word(1), word(4), word(5));
    cdgh[l] = _mm_set_epi32(word(2), word(3), word(6), word(7));
  }
  for (size_t block = 0; block < blocks; ++block) {
    __m128i abef_before[kLanes];
    __m128i cdgh_before[kLanes];
    __m128i w[kLanes][4];
    for (int l = 0; l < kLanes; ++l) {
      abef_before[l] = abef[l];
      cdgh_before[l] = cdgh[l];
      for (int i = 0; i < 4; ++i) {
        const void* const at = messages[l] + block * 64 + 16 * i;
        w[l][i] = _mm_shuffle_epi8(_mm_loadu_si128(static_cast<const __m128i*>(at)), swap);
      }
    }
#pragma GCC unroll 16
    for (int q = 0; q < 16; ++q) { /* four rounds each; the lanes take turns so that one hides the other's latency */
#pragma GCC unroll 2
      for (int l = 0; l < kLanes; ++l) {
        __m128i* const m = w[l];
        if (q >= 4) {
          const __m128i seventh = _mm_alignr_epi8(m[(q + 3) & 3], m[(q + 2) & 3], 4); /* words t - 7 to t - 4 */
          m[q & 3] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(m[q & 3], m[(q + 1) & 3]), seventh),
                                          m[(q + 3) & 3]);
        }
        const void* const k = kSha256Round + 4 * q;
        const __m128i wk = _mm_add_epi32(m[q & 3], _mm_loadu_si128(static_cast<const __m128i*>(k)));
        cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], wk);
        abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(wk, 0x0e));
      }
    }
    for (int l = 0; l < kLanes; ++l) {
      abef[l] = _mm_add_epi32(abef[l], abef_before[l]);
      cdgh[l] = _mm_add_epi32(cdgh[l], cdgh_before[l]);
    }
  }
  for (int l = 0; l < kLanes; ++l) {
    const auto put = [&](int w, int value) { states[l][w] = static_cast<uint32_t>(value); };
    put(0, _mm_extract_epi32(abef[l], 3));
    put(1, _mm_extract_epi32(abef[l], 2));
    put(4, _mm_extract_epi32(abef[l], 1));
    put(5, _mm_extract_epi32(abef[l], 0));
    put(2, _mm_extract_epi32(cdgh[l], 3));
    put(3, _mm_extract_epi32(cdgh[l], 2));
    put(6, _mm_extract_epi32(cdgh[l], 1));
    put(7, _mm_extract_epi32(cdgh[l], 0));
  }
}

}  // namespace peernet::crypto::internal
