#include <boost/asio/steady_timer.hpp>
#include <vector>

#include "handlers/delivery.h"
#include "handlers/requester.h"
#include "tools/common/handler_memory.h"
#include "tools/gridctl/bench_loop.h"

namespace grid::tools {
namespace {

constexpr std::chrono::seconds kTimeout{10};
constexpr std::chrono::milliseconds kPause{10};

class EchoLoop final : public BenchLoop {
 public:
  EchoLoop(boost::asio::io_context& io, Connection peer, const BenchOptions& options)
      : peer_(std::move(peer)),
        handler_(options.handler),
        payload_(options.size, 'x'),
        slots_(static_cast<size_t>(options.inflight)),
        pause_(io) {
    paused_.reserve(slots_.size());
    for (Slot& slot : slots_) slot.loop = this;
  }

  void Start(Window window, std::function<void()> done) override {
    window_ = window;
    done_ = std::move(done);
    active_ = slots_.size();
    const Clock::time_point now = Clock::now();
    for (Slot& slot : slots_) Issue(slot, now);
  }

 private:
  // One request in flight at a time, with everything it needs.
  struct Slot {
    EchoLoop* loop = nullptr;
    Clock::time_point sent;
    HandlerMemory memory;
  };

  struct Completion {
    using allocator_type = HandlerAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&slot->memory); }
    void operator()(absl::StatusOr<Buffer> reply) const { slot->loop->OnReply(*slot, reply); }

    Slot* slot;
  };

  void Issue(Slot& slot, Clock::time_point now) {
    slot.sent = now;
    peer_.StartRequest(handler_, AsBytes(std::string_view(payload_)), {.timeout = kTimeout},
                       ReplyHandler(Completion{&slot}));
  }

  void OnReply(Slot& slot, const absl::StatusOr<Buffer>& reply) {
    const Clock::time_point now = Clock::now();
    // A request that never left must not be tried again from inside: it would fail again, deeper.
    bool again = true;
    if (!reply.ok()) {
      CountError(reply.status());
      again = IsRemote(reply.status());
    } else if (reply->size() != payload_.size()) {
      CountError(absl::DataLossError("the answer is not as long as the request"));
    } else {
      CountAnswer(window_, slot.sent, now, 2 * payload_.size());
    }
    if (now >= window_.end) {
      if (--active_ == 0) done_();
    } else if (again) {
      Issue(slot, now);
    } else {
      Pause(slot);
    }
  }

  void Pause(Slot& slot) {
    paused_.push_back(&slot);
    if (paused_.size() > 1) return;
    pause_.expires_after(kPause);
    pause_.async_wait([this](boost::system::error_code) {
      std::vector<Slot*> slots;
      slots.swap(paused_);
      for (Slot* each : slots) Issue(*each, Clock::now());
    });
  }

  Connection peer_;
  const HandlerId handler_;
  const std::string payload_;
  std::vector<Slot> slots_;
  boost::asio::steady_timer pause_;
  std::vector<Slot*> paused_;
  Window window_;
  std::function<void()> done_;
  size_t active_ = 0;
};

}  // namespace

std::unique_ptr<BenchLoop> MakeEchoLoop(boost::asio::io_context& io, Connection peer,
                                        const BenchOptions& options) {
  return std::make_unique<EchoLoop>(io, std::move(peer), options);
}

}  // namespace grid::tools
