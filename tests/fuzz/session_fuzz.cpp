// Two real sessions back to back in virtual time, and an attacker who is the fuzzer. Without the keys he drops, copies,
// delays, changes, cuts, makes up and repeats datagrams: he may end a session by silence, never by what he says, and
// no byte that he touched is delivered. With the keys (mode kInsider) he writes the packets of one side: frames of any
// bytes, ACKs of anything, file bytes nobody asked for. Whatever he does the books balance, timers make progress,
// packet numbers rise, calls come in their order and memory stays within its bound.
#include <sanitizer/allocator_interface.h>

#include <deque>
#include <memory>
#include <optional>

#include "fuzz/session_people.hpp"
#include "sim/insider.hpp"
#include "sim/standin_handshake.hpp"
#include "wire/packet.hpp"

using namespace peernet;
using namespace peernet::fuzz;
using namespace peernet::transport;

namespace {

constexpr std::size_t kMaxFlying = 256;
constexpr std::size_t kMaxHistory = 32;
constexpr std::size_t kMaxActions = 600;
/// Frame store, record ring, handshake streams and four AEAD contexts of two sessions, and what this world itself
/// keeps.
constexpr std::size_t kMaxHeapGrowth = 3 << 20;
constexpr Duration kOneWay = 5ms;

class World {
 public:
  World(fuzz::Input input, Mode mode) : input_(std::move(input)), mode_(mode) {
    for (std::size_t side = 0; side != 2; ++side) {
      users_[side].emplace(mode_, mode_.insider && side != mode_.hostile);
      NodeId id{};
      id[0] = static_cast<std::byte>(side);
      factories_[side].emplace(std::make_unique<sim::StandinHandshakeFactory>(id, side + 1));
      sessions_[side].emplace(
          config_of(side), side == 0 ? factories_[side]->start_initiator() : factories_[side]->start_responder(), now_);
      users_[side]->session = &*sessions_[side];
    }
  }

  void run() {
    if (mode_.handshake_first) {
      for (int i = 0; i != 64 && !(session(0).established() && session(1).established()); ++i) step(2ms, true);
      PN_CHECK(session(0).established() && session(1).established());
    }
    for (std::size_t i = 0; i != kMaxActions && !input_.ended(); ++i) act(input_.u8());
    for (int i = 0; i != 40; ++i) step(25ms, true);
    judge_end();
  }

 private:
  Session& session(std::size_t side) { return *sessions_[side]; }

  SessionConfig config_of(std::size_t side) const {
    SessionConfig c;
    c.role = side == 0 ? Role::kInitiator : Role::kResponder;
    c.initiator_id = 0x1122334455667788;
    c.first_receiver_id = SessionId(0xabcdef01);
    c.local_id = id_of(side);
    c.remote_id = id_of(0);
    c.remote = address_of(1 - side);
    c.parameters.ciphers = wire::kCipherAes128Gcm;
    c.parameters.max_datagram = 65507;
    c.aead_backend = crypto::AeadBackend::kOpenssl;
    c.epoch_shift = kEpochShift;
    c.max_datagram = mode_.large_datagrams ? 9000 : 1500;
    c.max_window = 1 << 20;
    c.max_packets_in_flight = 1024;
    c.small_frames = 48;
    c.large_frames = 8;
    c.keep_alive = mode_.keep_alive ? Duration(300ms) : Duration(0s);
    c.secret[0] = static_cast<std::byte>(side);
    return c;
  }

  /// The hostile side's own packets stop when the fuzzer has spoken for it.
  bool muted(std::size_t side) const { return mode_.insider && mode_.mute && insider_ && side == mode_.hostile; }
  /// Who lies may be thrown out, and who is lied to is not to blame: nothing is promised to the hostile side itself.
  bool promised(std::size_t side) const { return !mode_.insider || side != mode_.hostile; }

  void post(std::size_t from, ByteSpan bytes, std::size_t segment, std::uint8_t ecn) {
    PN_CHECK(!bytes.empty());
    while (!bytes.empty()) {
      const ByteSpan packet = bytes.first(std::min(segment, bytes.size()));
      bytes = bytes.subspan(packet.size());
      const auto header = wire::decode_header(packet);
      PN_CHECK(header.has_value());
      std::uint64_t& next = header->type == wire::PacketType::kHandshake ? next_handshake_[from] : next_sealed_[from];
      PN_CHECK(header->number.value() >= next);
      next = header->number.value() + 1;
      if (!muted(from)) fly({1 - from, {packet.begin(), packet.end()}, source_[from], ecn, now_ + kOneWay});
    }
  }

  void fly(Flying flying) {
    if (history_.size() == kMaxHistory) history_.pop_front();
    history_.push_back(flying);
    if (flying_.size() < kMaxFlying) flying_.push_back(std::move(flying));
  }

  void deliver(Flying flying, std::size_t segment = 0) {
    Session& to = session(flying.to);
    to.on_datagram(now_, {.bytes = flying.bytes, .segment_size = segment, .from = flying.from, .ecn = flying.ecn},
                   *users_[flying.to]);
    check(flying.to);
  }

  void check(std::size_t side) {
    session(side).check_invariants();
    const SessionState state = session(side).state();
    PN_CHECK((state == SessionState::kClosed || state == SessionState::kClosing) == users_[side]->reason.has_value());
    if (state == SessionState::kClosed) PN_CHECK(session(side).next_deadline().is_never());
  }

  void pump(std::size_t side) {
    std::size_t datagrams = 0;
    while (const std::optional<Transmit> t = session(side).poll_transmit(now_, out_)) {
      PN_CHECK(t->bytes != 0 && t->bytes <= out_.size() && ++datagrams < 1000);
      post(side, ByteSpan(out_).first(t->bytes), t->bytes, t->ecn);
    }
    User& user = *users_[side];
    while (!user.to_send.empty()) {
      User::Piece& piece = user.to_send.front();
      std::vector<std::byte> file(piece.range.length);
      for (std::uint32_t i = 0; i != file.size(); ++i) file[i] = file_byte(piece.request, piece.range.offset + i);
      const SealedTrain train = session(side).seal_data(now_,
                                                        {.request = piece.request,
                                                         .offset = piece.range.offset,
                                                         .file_bytes = file,
                                                         .last = user.to_send.size() == 1},
                                                        MutableByteSpan(out_));
      if (train.consumed == 0) break;
      PN_CHECK(train.consumed <= file.size() && train.train_bytes <= out_.size());
      post(side, ByteSpan(out_).first(train.train_bytes), train.segment_size, train.ecn);
      piece.range.offset += static_cast<std::uint32_t>(train.consumed);
      piece.range.length -= static_cast<std::uint32_t>(train.consumed);
      if (piece.range.length == 0) user.to_send.pop_front();
    }
    check(side);
  }

  /// Lets time pass, from deadline to deadline.
  void step(Duration time, bool network_works) {
    const Instant end = now_ + time;
    int turns_without_time = 0;
    for (int turn = 0; turn != 64; ++turn) {
      const bool sent_before = !flying_.empty();
      for (std::size_t side = 0; side != 2; ++side) {
        users_[side]->now = now_;
        if (session(side).next_deadline() <= now_) session(side).on_timeout(now_, *users_[side]);
        pump(side);
      }
      while (network_works && !flying_.empty() && flying_.front().due <= now_) {
        Flying first = std::move(flying_.front());
        flying_.pop_front();
        deliver(std::move(first));
        turns_without_time = 0;
      }
      Instant next = std::min({end, session(0).next_deadline(), session(1).next_deadline()});
      if (network_works && !flying_.empty()) next = std::min(next, flying_.front().due);
      if (next > now_) turns_without_time = 0;
      PN_CHECK(sent_before || !flying_.empty() || ++turns_without_time < 16);  // a timer loop without progress
      now_ = std::max(now_, next);
      if (now_ >= end) break;
    }
    now_ = std::max(now_, end);
  }

  // --- what the fuzzer does

  void act(std::uint8_t action) {
    users_[0]->now = users_[1]->now = now_;
    switch (action % 20) {
      case 0:
        return step(std::chrono::milliseconds(input_.u8() + 1), true);
      case 1:
        return step(std::chrono::milliseconds(std::uint64_t{input_.u8()} * 64 + 1), (action & 128) != 0);
      case 2:
        if (!flying_.empty()) flying_.pop_front();
        return;
      case 3:
        if (!flying_.empty()) fly(flying_.front());
        return;
      case 4:
        if (flying_.empty()) return;
        flying_.push_back(std::move(flying_.front()));
        flying_.pop_front();
        return;
      case 5: {
        if (flying_.empty()) return;
        std::vector<std::byte>& bytes = flying_.front().bytes;
        const std::uint16_t at = input_.u16();
        const std::byte change{input_.u8()};
        if (!bytes.empty()) bytes[at % bytes.size()] ^= change;
        return;
      }
      case 6:
        if (!flying_.empty()) {
          std::vector<std::byte>& bytes = flying_.front().bytes;
          bytes.resize(std::min<std::size_t>(bytes.size(), input_.u16() % 1600));
        }
        return;
      case 7:
        return inject();
      case 8: {
        const std::uint8_t which = input_.u8();
        if (history_.empty()) return;
        Flying again = history_[which % history_.size()];
        if ((action & 128) != 0) again.from.port = static_cast<std::uint16_t>(4000 + which % 4);
        return deliver(std::move(again));
      }
      case 9:
        if (!flying_.empty()) flying_.front().ecn = input_.u8() & 3;
        return;
      case 10: {
        const std::uint8_t change = input_.u8();
        const std::size_t side = change & 1;
        source_[side].port = static_cast<std::uint16_t>(4000 + (change >> 1) % 8);
        if ((change & 128) != 0) source_[side].ip[15] = std::byte{change};
        return;
      }
      case 11:
        return deliver_as_one();
      case 12:
        return application();
      case 13: {
        const std::size_t side = action & 1;
        const std::uint16_t limit = input_.u16();
        session(side).on_datagram_too_big(now_, limit);
        return check(side);
      }
      default:
        return mode_.insider ? speak(action % 20) : application();
    }
  }

  void inject() {
    const std::size_t to = input_.u8() & 1;
    const std::uint8_t type = input_.u8();
    const std::uint16_t number = input_.u16();
    const ByteSpan tail = input_.up_to(input_.u8());
    std::vector<std::byte> bytes(wire::kHeaderSize);
    wire::encode(wire::PacketHeader{.type = static_cast<wire::PacketType>(0x51 + type % 4),
                                    .flags = static_cast<std::uint8_t>(type >> 4),
                                    .receiver = id_of(to),
                                    .number = PacketNumber(number)},
                 MutableByteSpan(bytes).first<wire::kHeaderSize>());
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    if ((type & 8) != 0) bytes.resize(1200);
    Address from = address_of(1 - to);
    if ((type & 4) != 0) from.port = 666;
    deliver({to, std::move(bytes), from, 0, now_});
  }

  /// What the kernel coalesced: several datagrams to one side in one call.
  void deliver_as_one() {
    const std::size_t segment = 1 + input_.u16() % 1500;
    if (flying_.empty()) return;
    Flying all = std::move(flying_.front());
    flying_.pop_front();
    while (!flying_.empty() && flying_.front().to == all.to && all.bytes.size() < 8000) {
      all.bytes.insert(all.bytes.end(), flying_.front().bytes.begin(), flying_.front().bytes.end());
      flying_.pop_front();
    }
    deliver(std::move(all), segment);
  }

  void application() {
    const std::uint8_t what = input_.u8();
    const std::size_t side = what & 1;
    switch ((what >> 1) % 8) {
      case 0:
      case 1:
      case 2: {
        const std::uint16_t length = input_.u16();
        if (users_[side]->to_send.size() < 16 && length != 0)
          users_[side]->to_send.push_back({RequestId(what), {what * 100U, std::min(length, std::uint16_t{32768})}});
        break;
      }
      case 3:
      case 4:
        session(side).send(wire::RequestFrame{.request = RequestId(what), .length = 1});
        break;
      case 5: {
        const std::vector<std::byte> bitmap(1 + input_.u16() % wire::kHaveMapBytes);
        session(side).send(wire::HaveMapFrame{.slot = {}, .page = what, .bitmap = bitmap});
        break;
      }
      case 6:
        session(side).set_window_hint(input_.u32());
        break;
      case 7:
        if (what < 32) {
          session(side).close(now_, wire::CloseCode::kNone, "enough", *users_[side]);
          closed_by_us_ = true;
        }
        break;
    }
    pump(side);
  }

  void speak(unsigned action) {
    const std::size_t side = mode_.hostile;
    if (!session(side).established() && !insider_) return;
    if (!insider_) {
      if (!factories_[side]->last_secrets()) return;
      insider_.emplace(side, *factories_[side]->last_secrets());
    }
    std::vector<std::byte> packet;
    switch (action) {
      case 14:
      case 15:
      case 16: {
        const std::uint8_t how = input_.u8();
        const std::uint16_t skipped = (how & 2) != 0 ? input_.u16() : std::uint16_t{0};
        const std::vector<std::byte> body =
            (how & 4) != 0 ? frames_of(input_.up_to(input_.u8()), how) : acknowledgement(how);
        packet = insider_->control(next_sealed_[side], skipped, (how & 1) != 0, body);
        break;
      }
      case 17:
      case 18: {
        const std::vector<std::byte> body = acknowledgement(input_.u8());
        packet = insider_->control(next_sealed_[side], 0, false, body);
        break;
      }
      default: {
        const std::uint8_t request = input_.u8();
        const std::uint32_t offset = (request & 64) != 0 ? input_.u32() : input_.u16();
        packet = insider_->data(next_sealed_[side], request, offset, std::vector<std::byte>(input_.u16() % 1400));
        break;
      }
    }
    fly({1 - side, std::move(packet), source_[side], 2, now_});
    if ((action & 1) != 0) step(1ms, true);
  }

  /// Some of one frame, repeated while it fits: floods come cheap.
  static std::vector<std::byte> frames_of(ByteSpan text, std::uint8_t how) {
    std::vector<std::byte> body(text.begin(), text.end());
    const std::size_t copies = (how & 8) != 0 && !text.empty() ? 1100 / text.size() : 1;
    for (std::size_t i = 1; i < copies; ++i) body.insert(body.end(), text.begin(), text.end());
    return body;
  }

  /// An ACK that parses: ranges near the newest packet of the victim, or of numbers it has not used.
  std::vector<std::byte> acknowledgement(std::uint8_t how) {
    std::vector<std::byte> body(1100);
    ByteWriter w(body);
    const std::uint64_t newest = std::max<std::uint64_t>(next_sealed_[1 - mode_.hostile], 1) - 1;
    wire::AckFrame ack;
    std::uint64_t last = newest - std::min<std::uint64_t>(newest, input_.u8()) + ((how & 128) != 0 ? 5 : 0);
    const std::size_t ranges = 1 + (how >> 3) % 8;
    for (std::size_t i = 0; i != ranges; ++i) {
      const std::uint64_t length = input_.u8();
      const std::uint64_t first = last - std::min(last, length);
      ack.ranges.push_back({PacketNumber(first), PacketNumber(last)});
      const std::uint64_t gap = 2 + input_.u8() % 16;
      if (first < gap) break;
      last = first - gap;
    }
    ack.delay_us = (how & 64) != 0 ? input_.u32() : 0;
    ack.ect0 = input_.u8();
    ack.ce = (how & 32) != 0 ? input_.u32() : 0;
    PN_CHECK(wire::encode(ack, w));
    body.resize(w.position());
    return body;
  }

  void judge_end() {
    for (std::size_t side = 0; side != 2; ++side) {
      check(side);
      const std::optional<CloseCause>& reason = users_[side]->reason;
      if (mode_.insider || !reason) continue;
      // Bytes that its peer did not say never end a session; only silence does.
      PN_CHECK(*reason != CloseCause::kBreach && *reason != CloseCause::kHandshakeFailed);
      const bool closer = closed_by_us_ || mode_.closes_inside;
      if (!closer) PN_CHECK(*reason != CloseCause::kPeer && *reason != CloseCause::kLocal);
    }
  }

  fuzz::Input input_;
  Mode mode_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::optional<sim::SpyingFactory> factories_[2];
  std::optional<User> users_[2];
  std::optional<Session> sessions_[2];
  std::optional<Insider> insider_;
  Address source_[2] = {address_of(0), address_of(1)};
  std::uint64_t next_handshake_[2] = {0, 0};
  std::uint64_t next_sealed_[2] = {0, 0};
  std::deque<Flying> flying_;
  std::deque<Flying> history_;
  bool closed_by_us_ = false;
  std::vector<std::byte> out_ = std::vector<std::byte>(65536);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  const std::size_t before = __sanitizer_get_current_allocated_bytes();
  fuzz::Input input(data, size);
  const Mode mode(input.u8());
  World world(std::move(input), mode);
  world.run();
  const std::size_t after = __sanitizer_get_current_allocated_bytes();
  PN_CHECK(after < before + kMaxHeapGrowth);
  return 0;
}
