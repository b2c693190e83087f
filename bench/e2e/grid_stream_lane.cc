#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "bench/e2e/batch_clock.h"
#include "bench/e2e/grid_lane.h"
#include "tools/common/handler_memory.h"

namespace grid::bench {
namespace {

class StreamLane final : public Lane {
 public:
  StreamLane(LanePlace place, const Workload& workload)
      : place_(std::move(place)),
        workload_(workload),
        payload_(workload.size, 'x'),
        clock_(*place_.io),
        timer_(*place_.io) {}

  void Start(const Window& window, std::function<void()> done) override {
    load_.emplace(workload_, window);
    done_ = std::move(done);
    absl::StatusOr<Stream> stream = Open();
    if (!stream.ok()) {
      load_->Failed(stream.status());
      return done_();
    }
    stream_ = *std::move(stream);
    end_ = window.end;
    Read();
    Fill(Clock::now());
  }
  const Tally& tally() const override { return load_->load().tally(); }

 private:
  struct OnRead {
    using allocator_type = tools::HandlerAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&lane->read_memory_); }
    void operator()(const ReadResult& message) const { lane->OnMessage(message); }
    StreamLane* lane;
  };
  struct OnWritten {
    using allocator_type = tools::HandlerAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&lane->write_memory_); }
    // A failed write is followed by the stream's end, which is what counts.
    void operator()(const absl::Status& status) const {
      lane->writing_ = false;
      if (status.ok()) lane->Write();
    }
    StreamLane* lane;
  };

  absl::StatusOr<Stream> Open() {
    const int index = CapacityIndex(workload_.inflight);
    const uint32_t capacity = CapacityAt(index);
    if (workload_.mode == Mode::kTwoWay) {
      return place_.peer.OpenStream(TwoWayId(place_.handler, index), {},
                                    {.has_input = true,
                                     .in_capacity = capacity,
                                     .out_capacity = capacity,
                                     .window = WindowOf(capacity)});
    }
    return place_.peer.OpenStream(OneWayId(place_.handler, index),
                                  AsBytes(absl::StrCat(workload_.size)),
                                  {.has_input = false,
                                   .in_capacity = 0,
                                   .out_capacity = capacity,
                                   .window = WindowOf(capacity)});
  }

  void Read() { stream_.Read(OnRead{this}); }

  void OnMessage(const ReadResult& message) {
    if (!message.ok() || !message->has_value()) {
      // After the end of the window the stream was given up on purpose.
      if (!cancelled_) {
        load_->Failed(message.ok() ? absl::DataLossError("the peer ended the stream")
                                   : message.status());
      }
      timer_.cancel();
      return done_();
    }
    if ((*message)->size() != payload_.size()) {
      load_->Failed(absl::DataLossError("a message of another length"));
    }
    const Clock::time_point now = clock_.Now();
    load_->Answered(1, now);
    Read();
    Fill(now);
  }

  // A stream takes one write at a time; those that are due wait here.
  void Fill(Clock::time_point now) {
    unwritten_ += load_->Begin(now);
    if (!writing_) Write();
    if (const auto wake = std::min(load_->WakeAt(), end_); wake < armed_) Wait(wake);
  }
  void Write() {
    if (unwritten_ == 0 || cancelled_) return;
    --unwritten_;
    writing_ = true;
    stream_.Write(AsBytes(payload_), OnWritten{this});
  }

  // Until the next message is due, or the end.
  void Wait(Clock::time_point wake) {
    armed_ = wake;
    timer_.expires_at(wake);
    timer_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      armed_ = Clock::time_point::max();
      const Clock::time_point now = Clock::now();
      if (!load_->Over(now)) return Fill(now);
      cancelled_ = true;
      stream_.Cancel();
    });
  }

  const LanePlace place_;
  const Workload workload_;
  const std::string payload_;
  std::optional<OrderedLoad> load_;
  BatchClock clock_;
  boost::asio::steady_timer timer_;
  Clock::time_point armed_ = Clock::time_point::max();  // when the timer goes off
  Clock::time_point end_;
  std::function<void()> done_;
  Stream stream_;
  size_t unwritten_ = 0;
  bool writing_ = false;
  bool cancelled_ = false;
  tools::HandlerMemory read_memory_;
  tools::HandlerMemory write_memory_;
};

}  // namespace

std::unique_ptr<Lane> MakeStreamLane(LanePlace place, const Workload& workload) {
  return std::make_unique<StreamLane>(std::move(place), workload);
}

}  // namespace grid::bench
