#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "absl/strings/str_cat.h"
#include "bench/common/load.h"
#include "bench/peers/grpc_client.h"
#include "bench/peers/grpc_pace.h"

namespace grid::bench {
namespace {

class StreamClient final : public Client,
                           private grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  StreamClient(const std::string& address, const Workload& workload)
      : workload_(workload),
        stub_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())) {
    const grpc::Slice slice(std::string(workload.size, 'x'));
    payload_ = grpc::ByteBuffer(&slice, 1);
  }

  Tally Run(const Window& window) override {
    load_.emplace(workload_, window);
    const std::string method =
        workload_.mode == Mode::kTwoWay ? kGrpcTwoWay : absl::StrCat(kGrpcOneWay, workload_.size);
    stub_.PrepareBidiStreamingCall(&context_, method, grpc::StubOptions(), this);
    AddHold();  // for the writes of other threads
    StartRead(&message_);
    StartCall();
    Pace(window, [this] {
      std::lock_guard lock(mutex_);
      Fill(Clock::now());
      return load_->WakeAt();
    });
    context_.TryCancel();
    RemoveHold();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return over_; });
    return load_->load().tally();
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    const Clock::time_point now = Clock::now();
    {
      std::lock_guard lock(mutex_);
      if (message_.Length() == workload_.size) {
        load_->Answered(1, now);
      } else {
        load_->Failed(absl::DataLossError("a message of another length"));
      }
      Fill(now);
    }
    StartRead(&message_);
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    writing_ = false;
    if (ok) Write();
  }

  void OnDone(const grpc::Status& status) override {
    const Clock::time_point now = Clock::now();
    std::lock_guard lock(mutex_);
    if (!load_->Over(now)) load_->Failed(absl::UnavailableError(status.error_message()));
    over_ = true;
    done_.notify_one();
  }

  // A stream takes one write at a time; those that are due wait here. With the lock.
  void Fill(Clock::time_point now) {
    unwritten_ += load_->Begin(now);
    if (!writing_) Write();
  }
  void Write() {
    if (unwritten_ == 0 || over_) return;
    --unwritten_;
    writing_ = true;
    StartWrite(&payload_);
  }

  const Workload workload_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer payload_;
  grpc::ByteBuffer message_;

  std::mutex mutex_;
  std::condition_variable done_;
  // Guarded by mutex_.
  std::optional<OrderedLoad> load_;
  size_t unwritten_ = 0;
  bool writing_ = false;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<Client> MakeGrpcStreamClient(const std::string& address, const Workload& workload) {
  return std::make_unique<StreamClient>(address, workload);
}

}  // namespace grid::bench
