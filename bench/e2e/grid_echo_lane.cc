#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/e2e/batch_clock.h"
#include "bench/e2e/grid_actors.h"
#include "bench/e2e/grid_lane.h"
#include "tools/common/handler_memory.h"

namespace grid::bench {
namespace {

constexpr std::chrono::seconds kTimeout{10};

size_t SizeOf(const Buffer& reply) { return reply.size(); }
size_t SizeOf(const Blob& reply) { return reply.size(); }
size_t SizeOf(const Answer<std::string>& reply) { return reply.value.size(); }

class EchoLane final : public Lane {
 public:
  EchoLane(LanePlace place, const Workload& workload)
      : place_(std::move(place)),
        workload_(workload),
        payload_(workload.size, 'x'),
        blob_(workload.size, 'x'),
        slots_(workload.inflight),
        clock_(*place_.io),
        timer_(*place_.io) {
    free_.reserve(slots_.size());
    for (Slot& slot : slots_) {
      slot.lane = this;
      free_.push_back(&slot);
    }
  }

  void Start(const Window& window, std::function<void()> done) override {
    load_.emplace(workload_, window);
    done_ = std::move(done);
    Fill(Clock::now());
  }
  const Tally& tally() const override { return load_->tally(); }

 private:
  // Room for one request in flight. One that fails is not used again: it would fail again.
  struct Slot {
    EchoLane* lane = nullptr;
    Clock::time_point sent;
    tools::HandlerMemory memory;
  };

  struct Completion {
    using allocator_type = tools::HandlerAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&slot->memory); }
    template <typename Reply>
    void operator()(const absl::StatusOr<Reply>& reply) const {
      slot->lane->OnReply(*slot, reply);
    }
    Slot* slot;
  };

  void Fill(Clock::time_point now) {
    while (!free_.empty() && load_->Due(now)) {
      Slot* const slot = free_.back();
      free_.pop_back();
      slot->sent = load_->Begin(now);
      ++in_flight_;
      Issue(*slot);
    }
    if (!load_->Over(now)) {
      if (!free_.empty()) Wait();
    } else if (in_flight_ == 0) {
      timer_.cancel();
      if (done_) std::exchange(done_, nullptr)();
    }
  }

  void Issue(Slot& slot) {
    const RequestOptions options{.timeout = kTimeout};
    if (place_.handler == HandlerKind::kTyped) {
      kTypedEcho.Call(place_.peer, blob_, options, Completion{&slot});
    } else if (place_.actor.has_value()) {
      place_.actor->Call(kActorEcho, payload_, Completion{&slot});
    } else {
      place_.peer.StartRequest(EchoId(place_.handler), AsBytes(payload_), options,
                               ReplyHandler(Completion{&slot}));
    }
  }

  template <typename Reply>
  void OnReply(Slot& slot, const absl::StatusOr<Reply>& reply) {
    const Clock::time_point now = clock_.Now();
    --in_flight_;
    if (reply.ok() && SizeOf(*reply) == payload_.size()) {
      load_->Answered(slot.sent, now);
      free_.push_back(&slot);
    } else {
      load_->Failed(reply.ok() ? absl::DataLossError("an answer of another length")
                               : reply.status());
      if (in_flight_ == 0 && free_.empty() && done_) return std::exchange(done_, nullptr)();
    }
    Fill(now);
  }

  // For an open loop: until the next request is due, or the end.
  void Wait() {
    if (waiting_) return;
    waiting_ = true;
    timer_.expires_at(std::min(load_->due(), load_->end()));
    timer_.async_wait([this](boost::system::error_code) {
      waiting_ = false;
      Fill(Clock::now());
    });
  }

  const LanePlace place_;
  const Workload workload_;
  const std::string payload_;
  const Blob blob_;
  std::vector<Slot> slots_;
  std::vector<Slot*> free_;
  size_t in_flight_ = 0;
  std::optional<Load> load_;
  BatchClock clock_;
  boost::asio::steady_timer timer_;
  bool waiting_ = false;
  std::function<void()> done_;
};

}  // namespace

std::unique_ptr<Lane> MakeEchoLane(LanePlace place, const Workload& workload) {
  return std::make_unique<EchoLane>(std::move(place), workload);
}

}  // namespace grid::bench
