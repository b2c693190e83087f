#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "bench/common/load.h"
#include "bench/peers/grpc_client.h"
#include "bench/peers/grpc_pace.h"

namespace grid::bench {
namespace {

class UnaryClient final : public Client {
 public:
  UnaryClient(const std::string& address, const Workload& workload)
      : workload_(workload),
        stub_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        calls_(workload.inflight) {
    const grpc::Slice slice(std::string(workload.size, 'x'));
    payload_ = grpc::ByteBuffer(&slice, 1);
    for (Call& call : calls_) free_.push_back(&call);
  }

  Tally Run(const Window& window) override {
    load_.emplace(workload_, window);
    Pace(window, [this] {
      Fill();
      std::lock_guard lock(mutex_);
      return workload_.rate > 0 ? load_->due() : Clock::time_point::max();
    });
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return in_flight_ == 0; });
    return load_->tally();
  }

 private:
  // Room for one call in flight.
  struct Call {
    std::optional<grpc::ClientContext> context;
    grpc::ByteBuffer reply;
    Clock::time_point sent;
  };

  void Fill() {
    for (;;) {
      Call* call = nullptr;
      {
        std::lock_guard lock(mutex_);
        call = Take(Clock::now());
      }
      if (call == nullptr) return;
      Start(*call);
    }
  }

  // The next to be started; null: none is due, or all are in flight. With the lock.
  Call* Take(Clock::time_point now) {
    if (free_.empty() || !load_->Due(now)) return nullptr;
    Call* const call = free_.back();
    free_.pop_back();
    call->sent = load_->Begin(now);
    ++in_flight_;
    return call;
  }

  void Start(Call& call) {
    call.context.emplace();
    call.reply.Clear();
    stub_.UnaryCall(&*call.context, kGrpcEcho, grpc::StubOptions(), &payload_, &call.reply,
                    [this, &call](const grpc::Status& status) { OnReply(call, status); });
  }

  // On one of gRPC's threads; the next call takes the place of this one. A call that failed is not
  // used again: it would fail again.
  void OnReply(Call& call, const grpc::Status& status) {
    const Clock::time_point now = Clock::now();
    Call* next = nullptr;
    {
      std::lock_guard lock(mutex_);
      if (!status.ok()) {
        load_->Failed(absl::UnavailableError(status.error_message()));
      } else if (call.reply.Length() != workload_.size) {
        load_->Failed(absl::DataLossError("an answer of another length"));
      } else {
        load_->Answered(call.sent, now);
        free_.push_back(&call);
      }
      next = Take(now);
      // Run may go on once nothing is in flight, and this object with it.
      if (--in_flight_ == 0) done_.notify_one();
    }
    if (next != nullptr) Start(*next);
  }

  const Workload workload_;
  grpc::GenericStub stub_;
  grpc::ByteBuffer payload_;
  std::deque<Call> calls_;

  std::mutex mutex_;
  std::condition_variable done_;
  // Guarded by mutex_.
  std::vector<Call*> free_;
  std::optional<Load> load_;
  size_t in_flight_ = 0;
};

}  // namespace

std::unique_ptr<Client> MakeGrpcUnaryClient(const std::string& address, const Workload& workload) {
  return std::make_unique<UnaryClient>(address, workload);
}

}  // namespace grid::bench
