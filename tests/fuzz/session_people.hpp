// The people of session_fuzz.cpp: the handler of either session, and who speaks with the keys of one.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "crypto/packet_keys.hpp"
#include "fuzz/fuzz.hpp"
#include "transport/session.hpp"
#include "wire/packet.hpp"

namespace peernet::fuzz {

using transport::CloseCause;
using transport::CloseReason;
using transport::DataRange;
using transport::Session;
using transport::SessionHandler;

inline constexpr std::uint8_t kEpochShift = 8;
inline constexpr std::uint32_t kFileBytes = 64 * 1024;  // of each request
inline std::byte file_byte(RequestId request, std::uint32_t offset) {
  return static_cast<std::byte>((offset * 2654435761U >> 24) ^ request.value());
}

struct Mode {
  explicit Mode(std::uint8_t bits)
      : insider((bits & 1) != 0),
        hostile((bits >> 1) & 1),
        mute((bits & 4) != 0),
        handshake_first((bits & 8) == 0),
        talkative((bits & 16) != 0),
        closes_inside((bits & 32) != 0),
        large_datagrams((bits & 64) != 0),
        keep_alive((bits & 128) != 0) {}
  bool insider;
  std::size_t hostile;   ///< the side whose keys the fuzzer has
  bool mute;             ///< that side says nothing of its own once the fuzzer speaks for it
  bool handshake_first;  ///< the attack begins when both sides are established
  bool talkative;        ///< handlers send from inside their callbacks
  bool closes_inside;    ///< and one of the frames makes them close
  bool large_datagrams;
  bool keep_alive;
};

struct Flying {
  std::size_t to = 0;
  std::vector<std::byte> bytes;
  Address from;
  std::uint8_t ecn = 0;
  Instant due;
};

inline Address address_of(std::size_t side) {
  return Address::v4(10, 0, 0, static_cast<std::uint8_t>(side + 1), 4000);
}
inline SessionId id_of(std::size_t side) {
  return SessionId(side == 0 ? 0x1000 : 0x2000);
}

class User final : public SessionHandler {
 public:
  User(const Mode& mode, bool peer_lies) : mode_(mode), peer_lies_(peer_lies) {}

  void on_established(const NodeId&, const wire::Parameters&) override {
    PN_CHECK(!established && !reason);
    established = true;
  }
  void on_frame(const wire::Frame& frame) override {
    called();
    const auto type = wire::type_of(frame);
    PN_CHECK(type >= wire::FrameType::kJoin);
    if (mode_.talkative) session->send(wire::CancelFrame{RequestId(++frames_)});
    if (mode_.closes_inside && type == wire::FrameType::kLeave)
      session->close(now, wire::CloseCode::kLimit, "closed from inside", *this);
  }
  MutableByteSpan data_target(RequestId request, DataRange range) override {
    called();
    offered_ = false;
    if (range.length == 0 || std::uint64_t{range.offset} + range.length > kFileBytes || request.value() % 4 == 3)
      return {};
    offered_ = true;
    return MutableByteSpan(buffer_).subspan(range.offset,
                                            request.value() % 4 == 2 ? range.length : kFileBytes - range.offset);
  }
  void on_data(RequestId request, DataRange range) override {
    called();
    PN_CHECK(offered_ && std::uint64_t{range.offset} + range.length <= kFileBytes);
    offered_ = false;
    for (std::uint32_t i = 0; !peer_lies_ && i != range.length; ++i)
      PN_CHECK(buffer_[range.offset + i] == file_byte(request, range.offset + i));
    if (mode_.talkative) session->send(wire::CancelledFrame{request});
  }
  void on_data_lost(RequestId request, DataRange range) override {
    called();
    PN_CHECK(range.length != 0 && std::uint64_t{range.offset} + range.length <= kFileBytes);
    if (to_send.size() < 16) to_send.push_back({request, range});
  }
  void on_data_acked(RequestId, DataRange range) override {
    called();
    PN_CHECK(range.length != 0 && std::uint64_t{range.offset} + range.length <= kFileBytes);
  }
  void on_closed(const CloseReason& why) override {
    PN_CHECK(!reason);
    reason = why.cause;
  }

  struct Piece {
    RequestId request;
    DataRange range;
  };
  Session* session = nullptr;
  Instant now;
  bool established = false;
  std::optional<CloseCause> reason;
  std::deque<Piece> to_send;

 private:
  /// Nothing is said before on_established or after on_closed.
  void called() const { PN_CHECK(established && !reason); }

  const Mode& mode_;
  bool peer_lies_;
  bool offered_ = false;
  std::uint32_t frames_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kFileBytes);
};

/// Seals what the fuzzer says as the hostile side, with the keys that its handshake agreed on.
class Insider {
 public:
  Insider(std::size_t side, const crypto::SessionSecrets& secrets)
      : side_(side),
        sealer_({.cipher = crypto::Cipher::kAes128Gcm,
                 .backend = crypto::AeadBackend::kOpenssl,
                 .epoch_shift = kEpochShift},
                side == 0 ? secrets.initiator_to_responder : secrets.responder_to_initiator) {}

  /// `skipped`: packet numbers left out before this one.
  std::vector<std::byte> control(std::uint64_t least, std::uint16_t skipped, bool ack_now, ByteSpan body) {
    std::vector<std::byte> packet(body.size() + wire::kControlOverhead);
    const PacketNumber number = next(least, skipped);
    wire::encode(header(wire::PacketType::kControl, ack_now, number),
                 MutableByteSpan(packet).first<wire::kHeaderSize>());
    sealer_.seal(number, ByteSpan(packet).first(wire::kHeaderSize), body,
                 MutableByteSpan(packet).subspan(wire::kHeaderSize));
    return packet;
  }
  std::vector<std::byte> data(std::uint64_t least, std::uint32_t request, std::uint32_t offset, ByteSpan text) {
    std::vector<std::byte> packet(text.size() + wire::kDataOverhead);
    const PacketNumber number = next(least, 0);
    wire::encode(wire::DataHeader{.packet = header(wire::PacketType::kData, (request & 1) != 0, number),
                                  .request = RequestId(request),
                                  .offset = offset},
                 MutableByteSpan(packet).first<wire::kDataHeaderSize>());
    sealer_.seal(number, ByteSpan(packet).first(wire::kDataHeaderSize), text,
                 MutableByteSpan(packet).subspan(wire::kDataHeaderSize));
    return packet;
  }

 private:
  wire::PacketHeader header(wire::PacketType type, bool ack_now, PacketNumber number) const {
    return {.type = type,
            .flags = ack_now ? wire::kFlagAckNow : std::uint8_t{0},
            .receiver = id_of(1 - side_),
            .number = number};
  }
  PacketNumber next(std::uint64_t least, std::uint16_t skipped) {
    next_ = std::max(next_, least) + skipped % 1024;
    return PacketNumber(next_++);
  }

  std::size_t side_;
  crypto::PacketSealer sealer_;
  std::uint64_t next_ = 0;
};

}  // namespace peernet::fuzz
