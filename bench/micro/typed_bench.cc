// What typed handlers cost over raw ones: a request and its answer, 10 fields and about 512 bytes
// each way, between two managers over the memory transport, everything in one thread.
//
//   build/release/bin/typed_bench --benchmark_repetitions=9
//                                 --benchmark_enable_random_interleaving=true
//
// Each line also says how many allocations a call makes. `Structs` copies the structure twice,
// which is what a typed call has to make of it: one at the handler, one at the caller.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "bench/micro/allocations.h"
#include "grid/testing/cluster.h"
#include "handlers/single_handler.h"

namespace grid {
namespace {

struct ObjectInfo {
  std::string bucket;
  std::string object;
  std::string version_id;
  std::string etag;
  std::string content_type;
  uint64_t size = 0;
  int64_t modified = 0;
  uint32_t parts = 0;
  bool deleted = false;
  Bytes inline_data;
  MSGPACK_DEFINE_MAP(bucket, object, version_id, etag, content_type, size, modified, parts, deleted,
                     inline_data);
};

ObjectInfo Sample() {
  ObjectInfo info;
  info.bucket = "photographs-2024";
  info.object = "holidays/iceland/IMG_20240611_143000.jpg";
  info.version_id = "5f3c1f5e-8a8f-4e5d-9c41-7b2f8f0f3a10";
  info.etag = "9b2cf535f27731c974343645a3985328";
  info.content_type = "image/jpeg; variant=raw";
  info.size = 7'340'032;
  info.modified = 1'718'116'200'000'000'000;
  info.parts = 3;
  info.inline_data = Bytes(232, 0xA5);
  return info;
}

constexpr SingleHandler<ObjectInfo, ObjectInfo> kTyped{HandlerId{20}};
constexpr HandlerId kRaw{21};

// Both handlers answer with what they have at hand, on the I/O thread.
void Register(Manager& manager) {
  const auto typed = [reply = std::make_shared<const ObjectInfo>(Sample())](
                         const ObjectInfo& request,
                         RequestContext&) -> absl::StatusOr<SharedResponse<ObjectInfo>> {
    benchmark::DoNotOptimize(request.size);
    return reply;
  };
  absl::Status status = kTyped.Register(manager, typed, {.run_on = RunOn::kIoThread});
  if (status.ok()) {
    status = manager.RegisterSingle(
        {.id = kRaw, .run_on = RunOn::kIoThread},
        [](BytesView request, RequestContext& context) -> absl::StatusOr<Buffer> {
          Buffer reply = context.NewBuffer(request.size());
          reply.Append(request);
          return reply;
        });
  }
  if (!status.ok()) std::abort();
}

class TwoNodes {
 public:
  TwoNodes() : cluster_({.setup = [](int, Manager& manager) { Register(manager); }}) {
    if (!cluster_.StartAll()) std::abort();
    peer_ = cluster_.Peer(0, 1);
  }

  // Runs until `start`'s completion was called.
  template <typename Start>
  void Call(Start&& start) {
    bool done = false;
    start(peer_, [&done](const auto& reply) {
      if (!reply.ok()) std::abort();
      done = true;
    });
    if (!cluster_.RunUntil([&done] { return done; }, std::chrono::seconds(10))) std::abort();
  }

 private:
  testing::Cluster cluster_;
  Connection peer_;
};

template <typename Operation>
void Measure(benchmark::State& state, Operation&& operation) {
  for (int i = 0; i < 100; ++i) operation();  // pools and tables have their size afterwards
  const uint64_t before = bench::Allocations();
  for (auto _ : state) operation();
  state.counters["allocations"] =
      static_cast<double>(bench::Allocations() - before) / static_cast<double>(state.iterations());
}

void RawCall(benchmark::State& state) {
  TwoNodes nodes;
  Buffer payload;
  if (!Encode(Sample(), payload).ok()) std::abort();
  Measure(state, [&] {
    nodes.Call([&](const Connection& peer, auto done) {
      peer.Request(kRaw, payload, {}, std::move(done));
    });
  });
  state.counters["payload"] = static_cast<double>(payload.size());
}
BENCHMARK(RawCall);

void TypedCall(benchmark::State& state) {
  TwoNodes nodes;
  const ObjectInfo request = Sample();
  Measure(state, [&] {
    nodes.Call([&](const Connection& peer, auto done) {
      kTyped.Call(peer, request, {}, std::move(done));
    });
  });
}
BENCHMARK(TypedCall);

void Structs(benchmark::State& state) {
  const ObjectInfo sample = Sample();
  Measure(state, [&] {
    ObjectInfo copies[2] = {sample, sample};
    benchmark::DoNotOptimize(copies);
  });
}
BENCHMARK(Structs);

void EncodeStruct(benchmark::State& state) {
  const ObjectInfo sample = Sample();
  Buffer out;
  Measure(state, [&] {
    out.Resize(0);
    if (!Encode(sample, out).ok()) std::abort();
    benchmark::DoNotOptimize(out.data());
  });
}
BENCHMARK(EncodeStruct);

void DecodeStruct(benchmark::State& state) {
  Buffer payload;
  if (!Encode(Sample(), payload).ok()) std::abort();
  Measure(state, [&] {
    ObjectInfo info;
    if (!Decode(payload.view(), info).ok()) std::abort();
    benchmark::DoNotOptimize(info);
  });
}
BENCHMARK(DecodeStruct);

// What it would be by msgpack-c's own conversion.
void DecodeStructByTree(benchmark::State& state) {
  Buffer payload;
  if (!Encode(Sample(), payload).ok()) std::abort();
  Measure(state, [&] {
    ObjectInfo info;
    msgpack::unpack(reinterpret_cast<const char*>(payload.data()), payload.size())
        .get()
        .convert(info);
    benchmark::DoNotOptimize(info);
  });
}
BENCHMARK(DecodeStructByTree);

}  // namespace
}  // namespace grid
