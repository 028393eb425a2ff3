// The parameter block at the head of a handshake stream that arrives in two pieces.
#include <algorithm>

#include "fuzz/fuzz.hpp"
#include "wire/parameters.hpp"

using namespace peernet;
using namespace peernet::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint16_t split = input.u16();
  const std::vector<std::byte> stream = input.rest();
  const auto early = parameter_block(ByteSpan(stream).first(std::min<std::size_t>(split, stream.size())));
  const auto block = parameter_block(stream);
  if (!early) PN_CHECK(!block);  // what is refused early stays refused
  if (early && *early) PN_CHECK(block && *block && (*block)->size() == (*early)->size());  // what is found early stays
  if (!block || !*block) return 0;
  const auto parameters = decode_parameters(**block);
  if (!parameters) return 0;
  std::vector<std::byte> again(2 + (*block)->size());
  ByteWriter w(again);
  PN_CHECK(encode(*parameters, w, (*block)->subspan(kParametersSize)));
  PN_CHECK(std::ranges::equal(again, ByteSpan(stream).first(again.size())));
  const std::uint8_t cipher = choose_cipher(parameters->ciphers, kCiphersKnown);
  Parameters answer = *parameters;
  answer.ciphers = cipher;
  PN_CHECK(answers(*parameters, answer));
  return 0;
}
