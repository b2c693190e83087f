#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "bench/e2e/grid_lane.h"

namespace grid::bench {
namespace {

constexpr std::chrono::seconds kTimeout{10};

// Each answer is sent again as it is: neither side of the connection copies more than it has to.
class BulkLane final : public Lane {
 public:
  BulkLane(LanePlace place, const Workload& workload)
      : place_(std::move(place)), workload_(workload) {}

  void Start(const Window& window, std::function<void()> done) override {
    load_.emplace(workload_, window);
    done_ = std::move(done);
    for (size_t i = 0; i < workload_.inflight; ++i) {
      Buffer payload;
      payload.Resize(workload_.size);
      std::fill_n(payload.data(), payload.size(), 'x');
      ++in_flight_;
      Send(std::move(payload));
    }
  }
  const Tally& tally() const override { return load_->tally(); }

 private:
  void Send(Buffer payload) {
    place_.peer.Request(EchoId(place_.handler), std::move(payload), {.timeout = kTimeout},
                        [this, sent = load_->Begin(Clock::now())](absl::StatusOr<Buffer> reply) {
                          OnReply(sent, std::move(reply));
                        });
  }

  void OnReply(Clock::time_point sent, absl::StatusOr<Buffer> reply) {
    const Clock::time_point now = Clock::now();
    if (!reply.ok() || reply->size() != workload_.size) {
      load_->Failed(reply.ok() ? absl::DataLossError("an answer of another length")
                               : reply.status());
    } else {
      load_->Answered(sent, now);
      if (!load_->Over(now)) return Send(*std::move(reply));
    }
    if (--in_flight_ == 0 && done_) std::exchange(done_, nullptr)();
  }

  const LanePlace place_;
  const Workload workload_;
  size_t in_flight_ = 0;
  std::optional<Load> load_;
  std::function<void()> done_;
};

}  // namespace

std::unique_ptr<Lane> MakeBulkLane(LanePlace place, const Workload& workload) {
  return std::make_unique<BulkLane>(std::move(place), workload);
}

}  // namespace grid::bench
