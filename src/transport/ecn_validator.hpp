// Is ECN usable on this path (RFC 9000 13.4.2)? Marks ECT(0) while testing; trusts it once acknowledgements report the
// marks, gives up when they do not.
#pragma once

#include <cstdint>

namespace peernet::transport {

/// kTesting -> kCapable | kFailed; kCapable -> kFailed. Another path starts over.
class EcnValidator {
 public:
  static constexpr std::uint32_t kTestPackets = 10;  ///< marked packets sent before the first answer is awaited

  explicit EcnValidator(bool enabled) : state_(enabled ? State::kTesting : State::kFailed), enabled_(enabled) {}

  /// Whether the next packet should be marked ECT(0).
  bool mark() const { return state_ == State::kCapable || (state_ == State::kTesting && sent_ < kTestPackets); }
  bool capable() const { return state_ == State::kCapable; }
  void on_marked_sent() { ++sent_; }
  /// Only testing packets were lost, several times: something on the path drops ECT (RFC 9000 A.2).
  void on_all_test_packets_lost() {
    if (state_ == State::kTesting && sent_ != 0) state_ = State::kFailed;
  }

  struct Counts {
    std::uint32_t ect0 = 0;
    std::uint32_t ect1 = 0;
    std::uint32_t ce = 0;
  };
  /// `newly_acked_marked`: packets sent as ECT(0) that this ACK acknowledges for the first time. Only for ACKs that
  /// raise the largest acknowledged number (reordered ACKs carry old counts). Returns newly reported CE marks, 0 when
  /// failed.
  std::uint32_t on_ack(const Counts& counts, std::uint64_t newly_acked_marked) {
    const std::uint32_t ect0 = counts.ect0 - last_.ect0;
    const std::uint32_t ect1 = counts.ect1 - last_.ect1;
    const std::uint32_t ce = counts.ce - last_.ce;
    last_ = counts;
    if (state_ == State::kFailed) return 0;
    constexpr std::uint32_t kBackwards = 1u << 31;  // counts are modulo 2^32 and never fall
    if (ect0 >= kBackwards || ect1 >= kBackwards || ce >= kBackwards || ect1 != 0 ||
        std::uint64_t{ect0} + ce < newly_acked_marked) {
      state_ = State::kFailed;
      return 0;
    }
    if (newly_acked_marked != 0) state_ = State::kCapable;
    return ce;
  }

  void reset() {
    const Counts last = last_;
    *this = EcnValidator(enabled_);
    last_ = last;
  }

 private:
  enum class State : std::uint8_t { kTesting, kCapable, kFailed };
  State state_;
  bool enabled_;
  std::uint32_t sent_ = 0;
  Counts last_;
};

}  // namespace peernet::transport
