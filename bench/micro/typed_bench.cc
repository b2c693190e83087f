// What typed handlers cost over raw ones: a request and its answer, 10 fields and about 512 bytes
// each way, between two managers over the memory transport, everything in one thread.
//
//   build/release/bin/typed_bench --benchmark_repetitions=9
//                                 --benchmark_enable_random_interleaving=true
//
// Two structures: DiskInfo is numbers, two names and a block of bytes; ObjectInfo is mostly
// strings, each of which is an allocation at either end. Each line says how many allocations a call
// makes; `Structs` copies a structure twice, which is what a typed call has to make of it: one at
// the handler, one at the caller.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "bench/micro/measure.h"
#include "grid/testing/cluster.h"
#include "handlers/single_handler.h"

namespace grid {
namespace {

using bench::Measure;

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

struct DiskInfo {
  std::string endpoint;
  std::string id;
  uint64_t total = 0;
  uint64_t free = 0;
  uint64_t used = 0;
  uint64_t free_inodes = 0;
  uint32_t waiting = 0;
  int64_t last_seen = 0;
  bool healing = false;
  Bytes metrics;
  MSGPACK_DEFINE_MAP(endpoint, id, total, free, used, free_inodes, waiting, last_seen, healing,
                     metrics);
};

template <typename T>
T Sample();

template <>
DiskInfo Sample() {
  DiskInfo info;
  info.endpoint = "10.0.0.12:9000/d7";
  info.id = "5f3c1f5e-8a8f-4e5d-9c41-7b2f8f0f3a10";
  info.total = 18'000'207'937'536;
  info.free = 7'340'032'000'000;
  info.used = info.total - info.free;
  info.free_inodes = 1'757'812'000;
  info.waiting = 3;
  info.last_seen = 1'718'116'200'000'000'000;
  info.metrics = Bytes(320, 0xA5);
  return info;
}

template <>
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

template <typename T>
constexpr HandlerId kTypedId{std::is_same_v<T, DiskInfo> ? 20 : 21};
template <typename T>
constexpr SingleHandler<T, T> kTyped{kTypedId<T>};
constexpr HandlerId kRaw{22};

// The handlers answer with what they have at hand, on the I/O thread.
template <typename T>
absl::Status RegisterTyped(Manager& manager) {
  const auto typed = [reply = std::make_shared<const T>(Sample<T>())](
                         const T& request, RequestContext&) -> absl::StatusOr<SharedResponse<T>> {
    benchmark::DoNotOptimize(request);
    return reply;
  };
  return kTyped<T>.Register(manager, typed, {.run_on = RunOn::kIoThread});
}

void Register(Manager& manager) {
  absl::Status status = RegisterTyped<DiskInfo>(manager);
  status.Update(RegisterTyped<ObjectInfo>(manager));
  status.Update(manager.RegisterSingle(
      {.id = kRaw, .run_on = RunOn::kIoThread},
      [](BytesView request, RequestContext& context) -> absl::StatusOr<Buffer> {
        Buffer reply = context.NewBuffer(request.size());
        reply.Append(request);
        return reply;
      }));
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

template <typename T>
Buffer Encoded() {
  Buffer payload;
  if (!Encode(Sample<T>(), payload).ok()) std::abort();
  return payload;
}

template <typename T>
void RawCall(benchmark::State& state) {
  TwoNodes nodes;
  const Buffer payload = Encoded<T>();
  Measure(state, [&] {
    nodes.Call([&](const Connection& peer, auto done) {
      peer.Request(kRaw, payload, {}, std::move(done));
    });
  });
  state.counters["payload"] = static_cast<double>(payload.size());
}

template <typename T>
void TypedCall(benchmark::State& state) {
  TwoNodes nodes;
  const T request = Sample<T>();
  Measure(state, [&] {
    nodes.Call([&](const Connection& peer, auto done) {
      kTyped<T>.Call(peer, request, {}, std::move(done));
    });
  });
}

template <typename T>
void Structs(benchmark::State& state) {
  const T sample = Sample<T>();
  Measure(state, [&] {
    T copies[2] = {sample, sample};
    benchmark::DoNotOptimize(copies);
  });
}

template <typename T>
void EncodeStruct(benchmark::State& state) {
  const T sample = Sample<T>();
  Buffer out;
  Measure(state, [&] {
    out.Resize(0);
    if (!Encode(sample, out).ok()) std::abort();
    benchmark::DoNotOptimize(out.data());
  });
}

template <typename T>
void DecodeStruct(benchmark::State& state) {
  const Buffer payload = Encoded<T>();
  Measure(state, [&] {
    T info;
    if (!Decode(payload.view(), info).ok()) std::abort();
    benchmark::DoNotOptimize(info);
  });
}

// What it would be by msgpack-c's own conversion.
template <typename T>
void DecodeStructByTree(benchmark::State& state) {
  const Buffer payload = Encoded<T>();
  Measure(state, [&] {
    T info;
    msgpack::unpack(reinterpret_cast<const char*>(payload.data()), payload.size())
        .get()
        .convert(info);
    benchmark::DoNotOptimize(info);
  });
}

BENCHMARK_TEMPLATE(RawCall, DiskInfo);
BENCHMARK_TEMPLATE(TypedCall, DiskInfo);
BENCHMARK_TEMPLATE(Structs, DiskInfo);
BENCHMARK_TEMPLATE(EncodeStruct, DiskInfo);
BENCHMARK_TEMPLATE(DecodeStruct, DiskInfo);
BENCHMARK_TEMPLATE(DecodeStructByTree, DiskInfo);
BENCHMARK_TEMPLATE(RawCall, ObjectInfo);
BENCHMARK_TEMPLATE(TypedCall, ObjectInfo);
BENCHMARK_TEMPLATE(Structs, ObjectInfo);
BENCHMARK_TEMPLATE(EncodeStruct, ObjectInfo);
BENCHMARK_TEMPLATE(DecodeStruct, ObjectInfo);
BENCHMARK_TEMPLATE(DecodeStructByTree, ObjectInfo);

}  // namespace
}  // namespace grid
