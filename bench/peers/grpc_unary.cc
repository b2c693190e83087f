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
    while (Call* const call = Take()) {
      call->context.emplace();
      call->reply.Clear();
      stub_.UnaryCall(&*call->context, kGrpcEcho, grpc::StubOptions(), &payload_, &call->reply,
                      [this, call](const grpc::Status& status) { OnReply(*call, status); });
    }
  }

  // The next to be started; null: none is due, or all are in flight.
  Call* Take() {
    const Clock::time_point now = Clock::now();
    std::lock_guard lock(mutex_);
    if (free_.empty() || !load_->Due(now)) return nullptr;
    Call* const call = free_.back();
    free_.pop_back();
    call->sent = load_->Begin(now);
    ++in_flight_;
    return call;
  }

  // On one of gRPC's threads.
  void OnReply(Call& call, const grpc::Status& status) {
    Count(call, status);
    Fill();
    std::lock_guard lock(mutex_);
    // Only now: Run may go on once nothing is in flight.
    if (--in_flight_ == 0) done_.notify_one();
  }

  void Count(Call& call, const grpc::Status& status) {
    const Clock::time_point now = Clock::now();
    std::lock_guard lock(mutex_);
    if (!status.ok()) return load_->Failed(absl::UnavailableError(status.error_message()));
    if (call.reply.Length() != workload_.size) {
      return load_->Failed(absl::DataLossError("an answer of another length"));
    }
    load_->Answered(call.sent, now);
    free_.push_back(&call);
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
