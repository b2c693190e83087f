#include <algorithm>
#include <string>
#include <vector>

#include "handlers/requester.h"
#include "handlers/stream.h"
#include "tools/common/handler_memory.h"
#include "tools/gridctl/bench_loop.h"

namespace grid::tools {
namespace {

// The loop's streams, each driven by what its subclass does on a message.
class StreamsLoop : public BenchLoop {
 public:
  StreamsLoop(Connection peer, const BenchOptions& options)
      : peer_(std::move(peer)), options_(options) {}

  void Start(Window window, std::function<void()> done) override {
    window_ = window;
    done_ = std::move(done);
    // One for Start itself, so that streams that end at once don't finish the loop early.
    active_ = 1;
    for (int left = options_.inflight; left > 0;) {
      const int share = std::min(left, static_cast<int>(options_.capacity));
      Open(share);
      left -= share;
    }
    Ended();
  }

 protected:
  struct Lane {
    StreamsLoop* loop = nullptr;
    Stream stream;
    size_t share = 0;  // messages this lane keeps in flight
    size_t in_flight = 0;
    bool writing = false;
    bool closed = false;
    std::vector<Clock::time_point> sent;  // ring of `share`: when each in flight was sent
    size_t oldest = 0;                    // its first
    HandlerMemory read_memory;
    HandlerMemory write_memory;
  };

  struct OnRead {
    using allocator_type = HandlerAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&lane->read_memory); }
    void operator()(const ReadResult& message) const { lane->loop->HandleRead(*lane, message); }
    Lane* lane;
  };

  virtual absl::StatusOr<Stream> OpenStream() = 0;
  virtual void OnOpened(Lane&) {}
  virtual void OnMessage(Lane& lane, BytesView message) = 0;

  void Read(Lane& lane) { lane.stream.Read(OnRead{&lane}); }

  Connection peer_;
  const BenchOptions options_;
  Window window_;

 private:
  void Open(int share) {
    absl::StatusOr<Stream> stream = OpenStream();
    if (!stream.ok()) {
      CountError(stream.status());
      return;
    }
    lanes_.push_back(std::make_unique<Lane>());
    Lane& lane = *lanes_.back();
    lane.loop = this;
    lane.stream = *std::move(stream);
    lane.share = static_cast<size_t>(share);
    lane.sent.resize(lane.share);
    ++active_;
    Read(lane);
    OnOpened(lane);
  }

  void HandleRead(Lane& lane, const ReadResult& message) {
    if (!message.ok() || !message->has_value()) {
      // After the end of the window the stream was given up on purpose.
      if (!message.ok() && !lane.closed) CountError(message.status());
      if (message.ok() && !lane.closed)
        CountError(absl::DataLossError("the peer ended the stream"));
      lane.closed = true;
      Ended();
      return;
    }
    OnMessage(lane, (*message)->view());
    Read(lane);
  }

  void Ended() {
    if (--active_ == 0) done_();
  }

  std::vector<std::unique_ptr<Lane>> lanes_;
  std::function<void()> done_;
  size_t active_ = 0;
};

class TwoWayLoop final : public StreamsLoop {
 public:
  TwoWayLoop(Connection peer, const BenchOptions& options)
      : StreamsLoop(std::move(peer), options), payload_(options.size, 'x') {}

 private:
  struct OnWrite {
    using allocator_type = HandlerAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&lane->write_memory); }
    // A failed write is followed by the stream's end, which is what counts.
    void operator()(const absl::Status& status) const {
      lane->writing = false;
      if (status.ok()) static_cast<TwoWayLoop*>(lane->loop)->Fill(*lane);
    }
    Lane* lane;
  };

  absl::StatusOr<Stream> OpenStream() override {
    return peer_.OpenStream(
        options_.handler, {},
        {.has_input = true, .in_capacity = options_.capacity, .out_capacity = options_.capacity});
  }
  void OnOpened(Lane& lane) override { Fill(lane); }

  void OnMessage(Lane& lane, BytesView message) override {
    if (lane.in_flight == 0 || message.size() != payload_.size()) {
      CountError(absl::DataLossError("an answer that is not the echo"));
      return;
    }
    CountAnswer(window_, lane.sent[lane.oldest], Clock::now(), 2 * payload_.size());
    lane.oldest = (lane.oldest + 1) % lane.share;
    --lane.in_flight;
    Fill(lane);
  }

  // Writes until the lane's share is in flight, one at a time.
  void Fill(Lane& lane) {
    if (lane.writing || lane.closed || lane.in_flight >= lane.share) return;
    const Clock::time_point now = Clock::now();
    if (now >= window_.end) {
      lane.closed = true;
      lane.stream.CloseSend();
      return;
    }
    lane.writing = true;
    lane.sent[(lane.oldest + lane.in_flight) % lane.share] = now;
    ++lane.in_flight;
    lane.stream.Write(AsBytes(std::string_view(payload_)), OnWrite{&lane});
  }

  const std::string payload_;
};

class OneWayLoop final : public StreamsLoop {
 public:
  using StreamsLoop::StreamsLoop;

 private:
  absl::StatusOr<Stream> OpenStream() override {
    // More than any run can take.
    return peer_.OpenStream(
        options_.handler, AsBytes("4294967295"),
        {.has_input = false, .in_capacity = 0, .out_capacity = options_.capacity});
  }

  void OnMessage(Lane& lane, BytesView message) override {
    const Clock::time_point now = Clock::now();
    // in_flight only says that there was a message before this one.
    if (lane.in_flight > 0) CountAnswer(window_, lane.sent[0], now, message.size());
    lane.in_flight = 1;
    lane.sent[0] = now;
    if (now >= window_.end && !lane.closed) {
      lane.closed = true;
      lane.stream.Cancel();
    }
  }
};

}  // namespace

std::unique_ptr<BenchLoop> MakeStreamLoop(Connection peer, const BenchOptions& options) {
  return std::make_unique<TwoWayLoop>(std::move(peer), options);
}

std::unique_ptr<BenchLoop> MakeOneWayLoop(Connection peer, const BenchOptions& options) {
  return std::make_unique<OneWayLoop>(std::move(peer), options);
}

}  // namespace grid::tools
