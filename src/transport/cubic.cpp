#include "transport/cubic.hpp"

#include <algorithm>
#include <cmath>

namespace peernet::transport {

std::unique_ptr<CongestionController> make_cubic(const CongestionOptions& options) {
  return std::make_unique<Cubic>(options);
}

Cubic::Cubic(const CongestionOptions& options) : options_(options), window_(initial_window(options.datagram_bytes)) {}

std::uint64_t Cubic::bounded(double window) const {
  const double least = 2.0 * options_.datagram_bytes;
  const double most = std::max(static_cast<double>(options_.max_window), least);
  return static_cast<std::uint64_t>(std::clamp(window, least, most));
}

void Cubic::on_ack(const AckSample& sample) {
  const Instant before = last_ack_;
  last_ack_ = sample.now;
  if (sample.largest_sent_at <= recovery_start_) return;  // still in recovery: no growth (RFC 9002 7.3.2)
  if (!sample.window_limited) {
    // Time in which the application had nothing to send must not make the cubic function jump (RFC 9438 5.8).
    if (!epoch_start_.is_never()) epoch_start_ = std::min(epoch_start_ + (sample.now - before), sample.now);
    return;
  }
  if (in_slow_start()) {
    slow_start(sample);
  } else {
    congestion_avoidance(sample);
  }
}

// By how much the window grows for these bytes: by as many, which doubles it in a round trip. By more on long round
// trips, as long as they show no queue (after SUSS, SIGCOMM 2024): up to what the first burst has told at once. If it
// has told nothing: later rounds leave at twice window / RTT, without a queue the path takes twice the window, so four
// times are tried. HyStart++ looks at the first packets of a round and is too late for what grows so fast: once
// hurried, a queue of an eighth of the round trip slows it down at once. After a loss the path is known, and the larger
// the window, the more is lost if it was too much.
std::uint64_t Cubic::slow_start_growth(const AckSample& sample) {
  if (hystart_.phase() == HyStart::Phase::kConservative)
    return sample.acked_bytes / HyStart::kConservativeGrowthDivisor;
  if (sample.rtt_sample == 0ns || threshold_ != UINT64_MAX) return sample.acked_bytes;
  least_rtt_ = std::min(least_rtt_, sample.rtt_sample);
  const Duration queue = sample.rtt_sample - least_rtt_;
  queued_samples_ = queue > least_rtt_ / 8 ? queued_samples_ + 1 : 0;
  if (hurried_ && queued_samples_ >= kQueuedSamples) return sample.acked_bytes / HyStart::kConservativeGrowthDivisor;
  const bool first_told = judge_burst(sample);
  if (window_ >= kMostHurried || least_rtt_ < kLongRound || !burst_over_) return sample.acked_bytes;
  if (told_ != 0 && window_ + sample.acked_bytes >= told_) return sample.acked_bytes;
  if (!first_told && queue > least_rtt_ / 16) return sample.acked_bytes;
  hurried_ = true;
  if (first_told) return told_ - window_;
  return 3 * sample.acked_bytes;
}

// The first packets leave as one burst (pacer.hpp). How far it is spread when it has arrived tells what the path takes
// in a round trip: half of that may be hurried to. True when it has just been told; a burst that was too short tells
// nothing.
bool Cubic::judge_burst(const AckSample& sample) {
  if (burst_over_) return false;
  if (burst_first_rtt_ == 0ns) {
    burst_sent_at_ = sample.largest_sent_at;
    burst_first_rtt_ = burst_last_rtt_ = sample.rtt_sample;
    return false;
  }
  if (sample.largest_sent_at <= burst_sent_at_ + kBurstSpan) {
    burst_bytes_ += sample.acked_bytes;
    burst_last_rtt_ = std::max(burst_last_rtt_, sample.rtt_sample);
    return false;
  }
  burst_over_ = true;
  if (burst_bytes_ < std::uint64_t{kBurstPackets} * options_.datagram_bytes) return false;
  const double rounds = static_cast<double>(least_rtt_.count()) /
                        static_cast<double>(std::max<Duration>(burst_last_rtt_ - burst_first_rtt_, 1us).count());
  const double most = 16.0 * static_cast<double>(initial_window(options_.datagram_bytes));
  told_ = static_cast<std::uint64_t>(std::min(static_cast<double>(burst_bytes_) * rounds / 2, most));
  return true;
}

void Cubic::slow_start(const AckSample& sample) {
  hystart_.on_ack(sample.largest_acked, sample.next_packet, sample.rtt_sample);
  if (hystart_.phase() == HyStart::Phase::kDone) {
    threshold_ = window_;
    return;
  }
  window_ = bounded(static_cast<double>(window_ + slow_start_growth(sample)));  // no limit L: we pace (RFC 9406 4.2)
}

void Cubic::congestion_avoidance(const AckSample& sample) {
  const double segment = options_.datagram_bytes;
  const double window = static_cast<double>(window_);
  if (epoch_start_.is_never()) {
    epoch_start_ = sample.now;
    // 4.2: K from where we are to w_max; without a loss before (HyStart++ ended slow start) the plateau is here.
    w_max_ = std::max(w_max_, window);
    k_ = std::cbrt((w_max_ - window) / segment / kC);
    w_est_ = window;
  }
  const double t = std::chrono::duration<double>(sample.now - epoch_start_).count();
  const double rtt = std::chrono::duration<double>(sample.smoothed_rtt).count();
  const double ahead = t + rtt - k_;
  const double target = std::clamp(kC * ahead * ahead * ahead * segment + w_max_, window, 1.5 * window);

  // 4.3: grow like Reno with the same average; once past the old window, alpha is 1.
  const double alpha = w_est_ >= prior_window_ ? 1.0 : kAlpha;
  const double acked = static_cast<double>(sample.acked_bytes);
  w_est_ += alpha * segment * acked / window;

  const double elapsed = t - k_;
  const double cubic_now = kC * elapsed * elapsed * elapsed * segment + w_max_;
  double grown = window;
  if (cubic_now < w_est_) {
    grown = std::max(window, w_est_);
  } else {
    remainder_ += (target - window) * acked / window;  // 4.4, 4.5
    const double whole = std::floor(remainder_);
    remainder_ -= whole;
    grown = window + whole;
  }
  window_ = bounded(grown);
}

bool Cubic::on_congestion(const CongestionEvent& event) {
  if (event.sent_at <= recovery_start_) return false;
  saved_ = {window_, threshold_, w_max_, k_, w_est_, prior_window_, epoch_start_, !event.ecn};
  recovery_start_ = event.now;
  const double window = static_cast<double>(window_);
  prior_window_ = window;
  // 4.7 fast convergence: still falling, so leave room for others.
  w_max_ = window < w_max_ ? window * (1.0 + kBeta) / 2.0 : window;
  window_ = bounded(window * kBeta);
  threshold_ = window_;
  const double segment = options_.datagram_bytes;
  k_ = std::cbrt(std::max(0.0, w_max_ - static_cast<double>(window_)) / segment / kC);
  w_est_ = static_cast<double>(window_);
  epoch_start_ = event.now;
  remainder_ = 0;
  hystart_.finish();
  return true;
}

void Cubic::on_persistent_congestion() {
  window_ = bounded(0);
  recovery_start_ = Instant::from_ns(INT64_MIN);
  epoch_start_ = Instant::never();
  w_max_ = 0;
  saved_.valid = false;
  hystart_.restart();  // slow start up to the threshold that the losses before have set
}

void Cubic::on_spurious_congestion() {
  if (!saved_.valid) return;
  saved_.valid = false;
  if (saved_.window <= window_) return;
  window_ = saved_.window;
  threshold_ = saved_.threshold;
  w_max_ = saved_.w_max;
  k_ = saved_.k;
  w_est_ = saved_.w_est;
  prior_window_ = saved_.prior_window;
  epoch_start_ = saved_.epoch_start;
  recovery_start_ = Instant::from_ns(INT64_MIN);
  if (in_slow_start()) hystart_.restart();
}

void Cubic::set_datagram_bytes(std::uint32_t bytes) {
  const bool fresh = window_ == initial_window(options_.datagram_bytes) && threshold_ == UINT64_MAX;
  options_.datagram_bytes = bytes;
  if (fresh) window_ = initial_window(bytes);  // RFC 9002 7.2
  window_ = bounded(static_cast<double>(window_));
}

void Cubic::reset() {
  *this = Cubic(options_);
}

}  // namespace peernet::transport
