#include "sim/swarm_driver.hpp"

#include <algorithm>

namespace peernet::sim {

namespace {

constexpr std::uint64_t kChargePerDatagram = 768;
constexpr std::size_t kCoalescedMost = 65535;

std::uint64_t charge(const Datagram& d) {
  return d.bytes.size() + kChargePerDatagram;
}

}  // namespace

SimDriver::SimDriver(Clockwork& clockwork, const LocalClock& clock, const DriverProfile& profile, const Address& local,
                     std::uint64_t seed, Transmit transmit)
    : clockwork_(clockwork),
      clock_(clock),
      profile_(profile),
      local_(local),
      rng_(seed),
      transmit_(std::move(transmit)),
      receive_buffer_(2 * kCoalescedMost) {}

io::DriverInfo SimDriver::info() const {
  io::DriverInfo out;
  out.gso = out.gro = true;
  out.receive_buffer_bytes = static_cast<std::uint32_t>(profile_.socket_bytes);
  out.reason = "simulated";
  return out;
}

bool SimDriver::receive(Datagram datagram) {
  if (inbox_charge_ + charge(datagram) > profile_.socket_bytes) return false;
  inbox_charge_ += charge(datagram);
  inbox_.push_back(std::move(datagram));
  return true;
}

bool SimDriver::submit_send(const io::Send& send) {
  const std::size_t segment = send.segment_size == 0 ? send.bytes.size() : send.segment_size;
  for (std::size_t at = 0; at < send.bytes.size(); at += segment) {
    const ByteSpan bytes = send.bytes.subspan(at, std::min(segment, send.bytes.size() - at));
    Datagram datagram;
    datagram.bytes.assign(bytes.begin(), bytes.end());
    datagram.from = local_;
    datagram.to = datagram.meant_for = send.to;
    datagram.ecn = send.ecn;
    transmit_(std::move(datagram));
  }
  sent_.push_back({send.token, static_cast<std::int32_t>(send.bytes.size())});
  return true;
}

void SimDriver::turn(Instant, io::Sink& sink) {
  // What is queued from here on belongs to the next turn.
  std::swap(sent_, sent_now_);
  std::swap(files_, files_now_);
  const bool woken = std::exchange(woken_, false);
  for (const Sent& sent : sent_now_) sink.on_sent(sent.token, sent.result);
  sent_now_.clear();
  for (const FileDone& done : files_now_) sink.on_file(done.token, io::FileOp::kRead, done.result);
  files_now_.clear();
  deliver_datagrams(sink);
  if (woken) sink.on_wake();
}

// One run of coalesced datagrams after the other, each in the same buffer: valid only during the call, as the
// contract says.
void SimDriver::deliver_datagrams(io::Sink& sink) {
  for (std::uint32_t taken = 0; taken < profile_.batch && !inbox_.empty();) {
    const bool coalesce = rng_.chance(profile_.gro);
    io::Received received;
    received.from = inbox_.front().from;
    received.ecn = inbox_.front().ecn;
    const std::size_t segment = inbox_.front().bytes.size();
    std::size_t size = 0;
    bool last = false;
    do {
      const Datagram& d = inbox_.front();
      std::ranges::copy(d.bytes, receive_buffer_.begin() + static_cast<std::ptrdiff_t>(size));
      size += d.bytes.size();
      last = d.bytes.size() < segment;
      inbox_charge_ -= charge(d);
      inbox_.pop_front();
      ++taken;
    } while (coalesce && !last && segment > 0 && taken < profile_.batch && !inbox_.empty() &&
             inbox_.front().from == received.from && inbox_.front().ecn == received.ecn &&
             inbox_.front().bytes.size() <= segment && size + segment <= kCoalescedMost);
    received.bytes = MutableByteSpan(receive_buffer_).first(size);
    received.segment_size = static_cast<std::uint32_t>(std::max<std::size_t>(segment, 1));
    sink.on_datagrams(now(), std::span(&received, 1));
  }
}

}  // namespace peernet::sim
