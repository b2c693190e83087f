// Writing and reading one message, with and without its checksum, beside msgpack-c's packer and
// unpacker doing the same without one.
//
//   build/release/bin/codec_bench --benchmark_filter='/512/'
//
// A line is called after what it does, the payload's size and `crc`: whether there is a checksum.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <msgpack.hpp>
#include <vector>

#include "bench/micro/measure.h"
#include "serialization/message.h"

namespace grid {
namespace {

constexpr uint64_t kMuxId = 0x12345600007;  // what a connection of some age numbers its calls

Message Request(BytesView payload) {
  return {.mux_id = kMuxId,
          .deadline_ms = 60'000,
          .handler = 78,
          .op = Op::kRequest,
          .flags = kFlagEof,
          .payload = payload};
}
Message Response(BytesView payload) {
  return {.mux_id = kMuxId, .op = Op::kResponse, .flags = kFlagEof, .payload = payload};
}

using Make = Message (*)(BytesView payload);

// A message for the state's arguments, and its bytes.
struct Sample {
  Sample(const benchmark::State& state, Make make)
      : payload(static_cast<size_t>(state.range(0)), 0xA5), message(make(payload)) {
    if (state.range(1) != 0) message.flags |= kFlagCrc;
    encoded.resize(EncodedSize(message));
    EncodeMessage(message, encoded.data());
  }

  const std::vector<uint8_t> payload;
  Message message;
  std::vector<uint8_t> encoded;
};

void Encode(benchmark::State& state, Make make) {
  Sample sample(state, make);
  bench::Measure(state, [&] {
    if (EncodedSize(sample.message) > sample.encoded.size()) std::abort();
    benchmark::DoNotOptimize(EncodeMessage(sample.message, sample.encoded.data()));
    benchmark::ClobberMemory();
  });
}

void Decode(benchmark::State& state, Make make) {
  const Sample sample(state, make);
  bench::Measure(state, [&] {
    Message message;
    if (DecodeMessage(sample.encoded, &message) != DecodeError::kOk) std::abort();
    benchmark::DoNotOptimize(message);
  });
}

void MsgpackEncode(benchmark::State& state, Make make) {
  const Sample sample(state, make);
  const Message& message = sample.message;
  const auto size = static_cast<uint32_t>(message.payload.size());
  msgpack::sbuffer out;
  bench::Measure(state, [&] {
    out.clear();
    msgpack::packer<msgpack::sbuffer> packer(out);
    packer.pack_array(7);
    packer.pack(message.mux_id);
    packer.pack(message.seq);
    packer.pack(message.deadline_ms);
    packer.pack(message.handler);
    packer.pack(static_cast<uint8_t>(message.op));
    packer.pack(message.flags);
    packer.pack_bin(size);
    packer.pack_bin_body(reinterpret_cast<const char*>(message.payload.data()), size);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  });
}

// Leaves the payload where it is, as ours does.
void MsgpackDecode(benchmark::State& state, Make make) {
  const Sample sample(state, make);
  const auto* bytes = reinterpret_cast<const char*>(sample.encoded.data());
  const auto in_place = [](msgpack::type::object_type, size_t, void*) { return true; };
  bench::Measure(state, [&] {
    bool referenced = false;
    const msgpack::object_handle read =
        msgpack::unpack(bytes, sample.encoded.size(), referenced, in_place);
    const msgpack::object_array& fields = read->via.array;
    if (fields.size != 7) std::abort();
    Message message;
    fields.ptr[0].convert(message.mux_id);
    fields.ptr[1].convert(message.seq);
    fields.ptr[2].convert(message.deadline_ms);
    fields.ptr[3].convert(message.handler);
    message.op = static_cast<Op>(fields.ptr[4].as<uint8_t>());
    fields.ptr[5].convert(message.flags);
    const msgpack::object_bin& payload = fields.ptr[6].via.bin;
    message.payload = {reinterpret_cast<const uint8_t*>(payload.ptr), payload.size};
    benchmark::DoNotOptimize(message);
  });
}

void Ours(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{0, 32, 512, 4096, 65536}, {0, 1}})->ArgNames({"", "crc"});
}
void Theirs(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{0, 32, 512, 4096, 65536}, {0}})->ArgNames({"", "crc"});
}

BENCHMARK_CAPTURE(Encode, Request, Request)->Apply(Ours);
BENCHMARK_CAPTURE(MsgpackEncode, Request, Request)->Apply(Theirs);
BENCHMARK_CAPTURE(Encode, Response, Response)->Apply(Ours);
BENCHMARK_CAPTURE(MsgpackEncode, Response, Response)->Apply(Theirs);
BENCHMARK_CAPTURE(Decode, Request, Request)->Apply(Ours);
BENCHMARK_CAPTURE(MsgpackDecode, Request, Request)->Apply(Theirs);
BENCHMARK_CAPTURE(Decode, Response, Response)->Apply(Ours);
BENCHMARK_CAPTURE(MsgpackDecode, Response, Response)->Apply(Theirs);

}  // namespace
}  // namespace grid
