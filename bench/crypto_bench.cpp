// The cost of what touches every byte (AEAD, XXH3, SHA-256) and of what every session pays once (handshake, key
// derivation).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "base/rng.hpp"
#include "crypto/aead.hpp"
#include "crypto/aead_backends.hpp"
#include "crypto/handshake.hpp"
#include "crypto/hash.hpp"
#include "crypto/initial_keys.hpp"
#include "crypto/packet_keys.hpp"
#include "crypto/replay_window.hpp"
#include "crypto/xxh3_kernels.hpp"

namespace peernet::crypto {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t kHeader = 24;               // DATA header, also the AAD
constexpr std::size_t kFileBuffer = 1024 * 1024;  // a chunk in registered memory
constexpr std::size_t kTrain = 64 * 1024;         // a GSO train
constexpr std::int64_t kSizes[] = {1200, 1376, 1432, 8896, 16384};

Bytes pattern(std::size_t n) {
  Rng rng(n);
  Bytes out(n);
  for (std::byte& b : out) b = static_cast<std::byte>(rng.next() & 0xff);
  return out;
}

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(static_cast<std::int64_t>(each) * state.iterations());
  state.counters["ns/B"] = benchmark::Counter(static_cast<double>(each) * static_cast<double>(state.iterations()) / 1e9,
                                              benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// As the node does it: from a 1 MiB file buffer into a train of packets with gaps for header and tag.
void seal(benchmark::State& state, AeadBackend backend, Cipher cipher) {
  const std::size_t n = static_cast<std::size_t>(state.range(0));
  PacketSealer sealer({cipher, backend, kEpochShift}, Hash256{});
  const Bytes file = pattern(kFileBuffer);
  Bytes train(kTrain);
  const std::size_t packet = kHeader + n + kAeadTagBytes;
  std::uint64_t pn = 0;
  std::size_t from = 0;
  std::size_t at = 0;
  for (auto _ : state) {
    const MutableByteSpan out = MutableByteSpan(train).subspan(at, packet);
    sealer.seal(PacketNumber(pn++), out.first(kHeader), ByteSpan(file).subspan(from, n), out.subspan(kHeader));
    from = from + 2 * n <= file.size() ? from + n : 0;
    at = at + 2 * packet <= train.size() ? at + packet : 0;
    benchmark::ClobberMemory();
  }
  count_bytes(state, n);
}

/// From a receive buffer into a chunk buffer. The same sealed packet is opened again and again: no replay window here.
void open(benchmark::State& state, AeadBackend backend, Cipher cipher) {
  const std::size_t n = static_cast<std::size_t>(state.range(0));
  const PacketKeyOptions options{cipher, backend, kEpochShift};
  PacketSealer sealer(options, Hash256{});
  PacketOpener opener(options, Hash256{});
  Bytes chunk = pattern(kFileBuffer);
  const std::size_t packet = kHeader + n + kAeadTagBytes;
  const std::size_t packets = kTrain / packet;
  Bytes train(kTrain);
  for (std::size_t i = 0; i < packets; ++i) {
    const MutableByteSpan out = MutableByteSpan(train).subspan(i * packet, packet);
    sealer.seal(PacketNumber(i), out.first(kHeader), ByteSpan(chunk).first(n), out.subspan(kHeader));
  }
  std::size_t i = 0;
  std::size_t to = 0;
  for (auto _ : state) {
    const ByteSpan in = ByteSpan(train).subspan(i * packet, packet);
    const OpenResult result =
        opener.open(PacketNumber(i), in.first(kHeader), in.subspan(kHeader), MutableByteSpan(chunk).subspan(to, n));
    PN_CHECK(result == OpenResult::kOk);
    i = i + 1 < packets ? i + 1 : 0;
    to = to + 2 * n <= chunk.size() ? to + n : 0;
    benchmark::ClobberMemory();
  }
  count_bytes(state, n);
}

void xxh3(benchmark::State& state, const internal::Xxh3Kernel* kernel) {
  const Bytes data = pattern(static_cast<std::size_t>(state.range(0)));
  Hash128 out;
  for (auto _ : state) {
    kernel->one_shot(data.data(), data.size(), reinterpret_cast<unsigned char*>(out.data()));
    benchmark::DoNotOptimize(out);
  }
  count_bytes(state, data.size());
}

void xxh3_chosen(benchmark::State& state) {
  const Bytes data = pattern(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(xxh3_128(data));
  count_bytes(state, data.size());
}

void sha256_one_shot(benchmark::State& state) {
  const Bytes data = pattern(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(sha256(data));
  count_bytes(state, data.size());
}

/// A chunk's Merkle leaves of 16 KiB.
void sha256_leaves_of_chunk(benchmark::State& state) {
  const Bytes data = pattern(static_cast<std::size_t>(state.range(0)));
  std::vector<Hash256> out((data.size() + 16383) / 16384);
  for (auto _ : state) {
    sha256_leaves(data, 16384, out);
    benchmark::DoNotOptimize(out.data());
  }
  count_bytes(state, data.size());
}

/// A row of a Merkle tree from the 2048 hashes below it.
void sha256_row(benchmark::State& state) {
  const Bytes data = pattern(2048 * sizeof(Hash256));
  std::vector<Hash256> out(1024);
  for (auto _ : state) {
    sha256_leaves(data, 64, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * 1024);
}

/// A Merkle node: two hashes.
void sha256_node(benchmark::State& state) {
  const Bytes data = pattern(64);
  for (auto _ : state) benchmark::DoNotOptimize(sha256(data));
}

void roll_epoch(benchmark::State& state, AeadBackend backend) {
  PacketSealer sealer({Cipher::kAes128Gcm, backend, 1}, Hash256{});
  Bytes out(kAeadTagBytes);
  std::uint64_t pn = 0;
  for (auto _ : state) sealer.seal(PacketNumber(pn += 2), {}, {}, out);
}

void initial_rekey(benchmark::State& state) {
  InitialProtection protection(AeadBackend::kAuto);
  std::uint64_t id = 0;
  for (auto _ : state) protection.rekey(++id);
}

void replay_window(benchmark::State& state) {
  ReplayWindow window;
  std::uint64_t n = 0;
  for (auto _ : state) {
    ++n;
    benchmark::DoNotOptimize(window.check(PacketNumber(n)));
    window.mark(PacketNumber(n));
  }
}

std::unique_ptr<HandshakeFactory> factory(std::uint8_t seed) {
  ByteArray<32> bytes;
  bytes.fill(std::byte{seed});
  Result<std::unique_ptr<HandshakeFactory>> made = make_tls_handshake_factory(Identity::from_seed(bytes));
  PN_CHECK(made.has_value());
  return std::move(*made);
}

/// Both sides of one handshake with both exporters: half of it is one side.
void handshake_pair(benchmark::State& state) {
  const std::unique_ptr<HandshakeFactory> a = factory(1);
  const std::unique_ptr<HandshakeFactory> b = factory(2);
  for (auto _ : state) {
    const std::unique_ptr<Handshake> initiator = a->start_initiator();
    const std::unique_ptr<Handshake> responder = b->start_responder();
    const std::size_t first = initiator->output().size();
    PN_CHECK(responder->on_stream(initiator->output()).has_value());
    PN_CHECK(initiator->on_stream(responder->output()).has_value());
    PN_CHECK(responder->on_stream(initiator->output().subspan(first)).has_value());
    benchmark::DoNotOptimize(initiator->export_secrets({}));
    benchmark::DoNotOptimize(responder->export_secrets({}));
  }
}

/// What a flood of ClientHellos costs: the responder's first flight.
void handshake_responder_first_flight(benchmark::State& state) {
  const std::unique_ptr<HandshakeFactory> a = factory(1);
  const std::unique_ptr<HandshakeFactory> b = factory(2);
  const std::unique_ptr<Handshake> initiator = a->start_initiator();
  for (auto _ : state) {
    const std::unique_ptr<Handshake> responder = b->start_responder();
    PN_CHECK(responder->on_stream(initiator->output()).has_value());
  }
}

void handshake_factory(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(factory(1));
}

void register_aead() {
  for (const AeadBackend backend : {AeadBackend::kIpsecMb, AeadBackend::kOpenssl}) {
    if (!aead_backend_available(backend)) continue;
    const std::string by =
        backend == AeadBackend::kIpsecMb ? std::string("ipsec-mb.") + internal::ipsec_mb_arch() : "openssl";
    for (const Cipher cipher : {Cipher::kAes128Gcm, Cipher::kAes256Gcm}) {
      const std::string name = by + (cipher == Cipher::kAes128Gcm ? "/aes128" : "/aes256");
      auto* const s = benchmark::RegisterBenchmark(("seal/" + name).c_str(), seal, backend, cipher);
      auto* const o = benchmark::RegisterBenchmark(("open/" + name).c_str(), open, backend, cipher);
      for (const std::int64_t n : kSizes) {
        s->Arg(n);
        o->Arg(n);
      }
    }
    benchmark::RegisterBenchmark(("roll_epoch/" + by).c_str(), roll_epoch, backend);
  }
}

void register_hashes() {
  std::vector<const internal::Xxh3Kernel*> kernels = {&internal::kXxh3Portable};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) kernels.push_back(&internal::kXxh3Avx2);
  if (__builtin_cpu_supports("avx512f")) kernels.push_back(&internal::kXxh3Avx512);
#endif
  for (const internal::Xxh3Kernel* kernel : kernels)
    benchmark::RegisterBenchmark((std::string("xxh3/") + kernel->name).c_str(), xxh3, kernel)->Arg(65536)->Arg(1048576);
  benchmark::RegisterBenchmark("xxh3/chosen", xxh3_chosen)->Arg(65536)->Arg(1048576);
  benchmark::RegisterBenchmark("sha256", sha256_one_shot)->Arg(16384)->Arg(1048576);
  benchmark::RegisterBenchmark("sha256_leaves", sha256_leaves_of_chunk)->Arg(1048576);
  benchmark::RegisterBenchmark("sha256_node", sha256_node);
  benchmark::RegisterBenchmark("sha256_row", sha256_row);
}

}  // namespace
}  // namespace peernet::crypto

int main(int argc, char** argv) {
  using namespace peernet::crypto;
  benchmark::Initialize(&argc, argv);
  register_aead();
  register_hashes();
  benchmark::RegisterBenchmark("initial_rekey", initial_rekey);
  benchmark::RegisterBenchmark("replay_window", replay_window);
  benchmark::RegisterBenchmark("handshake_pair", handshake_pair);
  benchmark::RegisterBenchmark("handshake_responder_first_flight", handshake_responder_first_flight);
  benchmark::RegisterBenchmark("handshake_factory", handshake_factory);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
