// Two sessions wired together: what the library itself costs per request, both ends together, with
// nothing in between that moves the bytes.
//
//   build/release/bin/session_bench
//
// Request: pushed, written in one batch with the others, answered inside the host's callback,
// response decoded and handed to the caller. Stream: one message to the handler, and the credit
// that comes back for it. `each` is the time of one; once warm neither allocates.
#include "grid/mux/session.h"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "bench/micro/measure.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr uint8_t kEcho = 78;
constexpr uint8_t kTake = 4;
constexpr uint32_t kWindow = 256;
constexpr TimePoint kNow = TimePoint(std::chrono::hours(1));

void Require(bool true_in_a_sound_run) {
  if (!true_in_a_sound_run) std::abort();
}

const HandlerTable& Handlers() {
  static const auto* const table = [] {
    auto* made = new HandlerTable;
    // Found, but never run: that is up to the host.
    const SingleFunction single = [](BytesView, RequestContext&) -> absl::StatusOr<Buffer> {
      return Buffer();
    };
    const StreamFunction stream = [](Stream&, RequestContext&) { return absl::OkStatus(); };
    Require(made->RegisterSingle({.id = HandlerId{kEcho}}, single).ok());
    Require(made->RegisterStream({.id = HandlerId{kTake}, .in_capacity = kWindow}, stream).ok());
    return made;
  }();
  return *table;
}

// Echoes requests, takes what streams bring.
class Host final : public SessionHost, public StreamSink {
 public:
  void OnReply(PendingCall*, BytesView) override { ++replies; }
  void OnCallFailed(PendingCall*, const absl::Status&) override { std::abort(); }
  Admit OnRequest(const HandlerEntry&, const InboundRequest& request, RunningRequest**) override {
    session->Answer(request, nullptr, request.payload, kNow);
    return Admit::kAnswered;
  }
  void OnRequestCancelled(RunningRequest*, const absl::Status&) override {}
  StreamSink* OnStream(const HandlerEntry&, const InboundStream& stream) override {
    mux_ = stream.mux;
    return this;
  }
  void OnSessionEnd(SessionEnd, std::string_view) override { std::abort(); }

  void OnData(BytesView payload) override { session->Consumed(mux_, 1, payload.size(), kNow); }
  void OnEof() override { session->Finish(mux_, absl::OkStatus()); }
  void OnSendable() override {}
  void OnEnd(const absl::Status&) override {}

  Session* session = nullptr;
  int64_t replies = 0;

 private:
  StreamMux* mux_ = nullptr;
};

// The caller of a stream.
class Sink final : public StreamSink {
 public:
  void OnData(BytesView) override { std::abort(); }
  void OnEof() override {}
  void OnSendable() override {}
  void OnEnd(const absl::Status&) override {}
};

class Pair {
 public:
  explicit Pair(const benchmark::State& state)
      : payload_(static_cast<size_t>(state.range(0)), 0xA5), batch_(state.range(1)) {
    caller_host_.session = &caller_;
    handler_host_.session = &handler_;
  }

  int64_t batch() const { return batch_; }

  void Calls() {
    caller_host_.replies = 0;
    for (int64_t i = 0; i < batch_; ++i) {
      const CallArgs call{.handler = kEcho, .payload = BytesView(payload_), .deadline = kNow + 10s};
      Require(caller_.StartCall(call, &call_, kNow).ok());
    }
    Pump();
    Require(caller_host_.replies == batch_);
  }

  StreamMux* Open() {
    const StreamArgs args{.handler = kTake, .has_input = true, .in_capacity = kWindow};
    const absl::StatusOr<StreamMux*> stream = caller_.OpenStream(args, &sink_, kNow);
    Require(stream.ok());
    Pump();
    return *stream;
  }
  void Send(StreamMux* stream) {
    for (int64_t i = 0; i < batch_; ++i) {
      Require(caller_.Send(stream, BytesView(payload_)) == Session::SendResult::kSent);
    }
    Pump();
  }

 private:
  static bool Move(Session& from, Session& to) {
    if (!from.CanStartWrite()) return false;
    to.OnMessage(from.StartWrite(), kNow);
    from.FinishWrite();
    return true;
  }
  void Pump() {
    bool moved = true;
    while (moved) {
      moved = false;
      while (Move(caller_, handler_)) moved = true;
      while (Move(handler_, caller_)) moved = true;
    }
  }

  const std::vector<uint8_t> payload_;
  const int64_t batch_;
  const std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
  PendingCall call_;
  Sink sink_;
  Host caller_host_, handler_host_;
  SessionCounters caller_counters_, handler_counters_;
  Session caller_{{}, Handlers(), *pool_, caller_counters_, caller_host_, kNow};
  Session handler_{{}, Handlers(), *pool_, handler_counters_, handler_host_, kNow};
};

void Requests(benchmark::State& state) {
  Pair pair(state);
  bench::Measure(
      state, [&] { pair.Calls(); }, pair.batch());
}

void StreamMessages(benchmark::State& state) {
  Pair pair(state);
  StreamMux* const stream = pair.Open();
  bench::Measure(
      state, [&] { pair.Send(stream); }, pair.batch());
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{32, 512}, {1, 16, kWindow}})->ArgNames({"", "batch"});
}
BENCHMARK(Requests)->Apply(Sizes);
BENCHMARK(StreamMessages)->Apply(Sizes);

}  // namespace
}  // namespace grid
