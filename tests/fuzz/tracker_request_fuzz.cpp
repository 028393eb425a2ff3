// A datagram that somebody sends to a tracker.
#include "fuzz/fuzz.hpp"
#include "wire/tracker_messages.hpp"

using namespace peernet;
using namespace peernet::wire;

namespace {

/// What decodes encodes to a datagram, no longer than the one that came, that decodes to the same.
template <class Decode, class... More>
void round_trip(ByteSpan datagram, const TrackerHeader& header, Decode decode, const More&... more) {
  const auto request = decode(datagram);
  if (!request) return PN_CHECK(request.error() < TrackerRefusal::kCount);
  std::vector<std::byte> again(kMaxTrackerRequest);
  again.resize(encode(again, header, *request, more...));
  again.shrink_to_fit();
  PN_CHECK(again.size() <= datagram.size());
  PN_CHECK(decode(again) == request);
  const auto same = decode_tracker_header(again);
  PN_CHECK(same && same->connection_id == header.connection_id && same->transaction == header.transaction);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::byte> datagram = fuzz::Input(data, size).rest();
  const auto header = decode_tracker_header(datagram);
  PN_CHECK(header.has_value() == (size >= kRequestHeaderSize && size <= kMaxTrackerRequest));
  if (!header) return 0;

  const ConnectRequest connect = decode_connect(datagram);
  PN_CHECK(connect.transaction == header->transaction);
  std::vector<std::byte> again(kMaxTrackerRequest);
  again.resize(encode_connect(again, connect));
  PN_CHECK(again.size() <= datagram.size() && decode_connect(again) == connect);

  const auto announce = [](ByteSpan bytes) {
    auto decoded = decode_announce(bytes);
    if (decoded) {
      PN_CHECK(decoded->port != 0 && decoded->url_bytes + kAnnounceRequestSize <= bytes.size());
      decoded->url_bytes = 0;  // not encoded
    }
    return decoded;
  };
  round_trip(datagram, *header, announce, ByteArray<20>{});
  round_trip(datagram, *header, decode_node_announce);
  round_trip(datagram, *header, decode_heartbeat);
  round_trip(datagram, *header, decode_query);
  if (const auto scrape = decode_scrape(datagram)) {
    PN_CHECK(scrape->count() >= 1 && scrape->count() <= kMaxScrapeHashes);
    for (std::size_t i = 0; i < scrape->count(); ++i)
      PN_CHECK(std::ranges::equal(scrape->at(i), scrape->hashes.subspan(i * kInfoHashSize, kInfoHashSize)));
  }
  return 0;
}
