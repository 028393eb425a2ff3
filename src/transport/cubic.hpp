// CUBIC (RFC 9438) in bytes, slow start by HyStart++ (RFC 9406).
#pragma once

#include "transport/congestion.hpp"
#include "transport/hystart.hpp"

namespace peernet::transport {

class Cubic final : public CongestionController {
 public:
  static constexpr double kC = 0.4;                                      ///< segments / s^3 (RFC 9438 5)
  static constexpr double kBeta = 0.7;                                   ///< multiplicative decrease (4.6)
  static constexpr double kAlpha = 3.0 * (1.0 - kBeta) / (1.0 + kBeta);  ///< Reno-friendly growth (4.3)

  static constexpr Duration kLongRound = 25ms;             ///< slow start hurries only from here on
  static constexpr std::uint64_t kMostHurried = 1u << 20;  ///< and below this window
  static constexpr Duration kBurstSpan = 2ms;              ///< what was sent in it was sent at once
  static constexpr std::uint32_t kBurstPackets = 8;        ///< fewer tell nothing
  static constexpr int kQueuedSamples = 8;  ///< in a row: one may be late for other reasons (RFC 9406 N_RTT_SAMPLE)

  explicit Cubic(const CongestionOptions& options);

  void on_ack(const AckSample& sample) override;
  bool on_congestion(const CongestionEvent& event) override;
  void on_persistent_congestion() override;
  void on_spurious_congestion() override;
  void set_datagram_bytes(std::uint32_t bytes) override;
  void reset() override;
  std::uint64_t window() const override { return window_; }
  bool in_slow_start() const override { return window_ < threshold_; }

  /// Seconds until the plateau w_max is reached again; for tests.
  double plateau_seconds() const { return k_; }

 private:
  /// What a reduction changed, to take it back.
  struct Saved {
    std::uint64_t window = 0;
    std::uint64_t threshold = 0;
    double w_max = 0;
    double k = 0;
    double w_est = 0;
    double prior_window = 0;
    Instant epoch_start = Instant::never();
    bool valid = false;
  };

  std::uint64_t slow_start_growth(const AckSample& sample);
  bool judge_burst(const AckSample& sample);
  void slow_start(const AckSample& sample);
  void congestion_avoidance(const AckSample& sample);
  std::uint64_t bounded(double window) const;

  CongestionOptions options_;
  HyStart hystart_;
  std::uint64_t window_;
  std::uint64_t threshold_ = UINT64_MAX;
  double w_max_ = 0;         ///< bytes, as all below
  double w_est_ = 0;         ///< what Reno would have
  double prior_window_ = 0;  ///< window just before the last reduction
  double k_ = 0;             ///< seconds
  double remainder_ = 0;     ///< growth below one byte
  Instant epoch_start_ = Instant::never();
  Instant recovery_start_ = Instant::from_ns(INT64_MIN);  ///< packets sent before it belong to the last event
  Instant last_ack_;
  Duration least_rtt_ = Duration::max();
  Instant burst_sent_at_;
  Duration burst_first_rtt_{};
  Duration burst_last_rtt_{};
  std::uint64_t burst_bytes_ = 0;  ///< acknowledged after its first packets
  bool burst_over_ = false;
  std::uint64_t told_ = 0;  ///< the window that the burst has told, 0: none
  bool hurried_ = false;    ///< it grew faster than slow start does
  int queued_samples_ = 0;  ///< in a row
  Saved saved_;
};

}  // namespace peernet::transport
