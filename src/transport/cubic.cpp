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

void Cubic::slow_start(const AckSample& sample) {
  hystart_.on_ack(sample.largest_acked, sample.next_packet, sample.rtt_sample);
  std::uint64_t growth = sample.acked_bytes;  // no limit L: we pace (RFC 9406 4.2)
  if (hystart_.phase() == HyStart::Phase::kConservative) growth /= HyStart::kConservativeGrowthDivisor;
  if (hystart_.phase() == HyStart::Phase::kDone) {
    threshold_ = window_;
    return;
  }
  window_ = bounded(static_cast<double>(window_ + growth));
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
  options_.datagram_bytes = bytes;
  window_ = bounded(static_cast<double>(window_));
}

void Cubic::reset() {
  *this = Cubic(options_);
}

}  // namespace peernet::transport
