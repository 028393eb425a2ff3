// Parsing and encoding: what every packet pays, and the frames of a busy session.
#include <benchmark/benchmark.h>

#include "wire/frames.hpp"
#include "wire/packet.hpp"

namespace peernet::wire {
namespace {

void decode_data_packet(benchmark::State& state) {
  std::vector<std::byte> packet(1472);
  encode(
      DataHeader{.packet = {.type = PacketType::kData, .flags = 0, .receiver = SessionId(7), .number = PacketNumber(9)},
                 .request = RequestId(3),
                 .offset = 4096},
      std::span(packet).first<kDataHeaderSize>());
  for (auto _ : state) {
    const auto header = decode_header(packet);
    benchmark::DoNotOptimize(decode_data(*header, packet));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode_data_packet);

void encode_data_header(benchmark::State& state) {
  ByteArray<kDataHeaderSize> out;
  DataHeader header{
      .packet = {.type = PacketType::kData, .flags = 1, .receiver = SessionId(7), .number = PacketNumber(9)},
      .request = RequestId(3),
      .offset = 4096};
  for (auto _ : state) {
    encode(header, std::span(out));
    benchmark::DoNotOptimize(out);
    ++header.packet.number;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(encode_data_header);

// An ACK with as many ranges as the argument says.
void ack_round_trip(benchmark::State& state) {
  AckFrame ack;
  for (std::int64_t i = state.range(0); i > 0; --i)
    ack.ranges.push_back(
        {PacketNumber(static_cast<std::uint64_t>(i) * 100), PacketNumber(static_cast<std::uint64_t>(i) * 100 + 50)});
  ByteArray<1200> buffer;
  for (auto _ : state) {
    ByteWriter writer(buffer);
    encode(ack, writer);
    FrameReader reader(writer.written());
    Frame frame;
    benchmark::DoNotOptimize(reader.next(frame));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ack_round_trip)->Arg(1)->Arg(8)->Arg(64);

void request_round_trip(benchmark::State& state) {
  const Frame request = RequestFrame{.slot = ContentSlot(2), .request = RequestId(5), .index = 17, .length = 1 << 20};
  ByteArray<64> buffer;
  for (auto _ : state) {
    ByteWriter writer(buffer);
    encode(request, writer);
    FrameReader reader(writer.written());
    Frame frame;
    benchmark::DoNotOptimize(reader.next(frame));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(request_round_trip);

}  // namespace
}  // namespace peernet::wire

BENCHMARK_MAIN();
