#include "grid/actor/batch_sink.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <optional>
#include <utility>

namespace grid::internal {
namespace {

class RecipientsSink final : public BatchSink {
 public:
  explicit RecipientsSink(std::shared_ptr<RecipientsCore> to) : to_(std::move(to)) {}

  void Send(Outgoing batch, bool, Completion<absl::Status> completion) override {
    StartSend(to_, std::move(batch), std::move(completion));
  }

 private:
  const std::shared_ptr<RecipientsCore> to_;
};

class PublisherSink final : public BatchSink {
 public:
  explicit PublisherSink(std::shared_ptr<PublisherCore> to) : to_(std::move(to)) {}

  void Send(Outgoing batch, bool again, Completion<absl::Status> completion) override {
    // The completion may come on another thread, but always before the next Send.
    auto status = [last = last_](absl::StatusOr<PublishReport> report) {
      if (!report.ok()) return report.status();
      *last = *std::move(report);
      return (*last)->status();
    };
    std::optional<PublishReport> failed;
    if (again) failed = *last_;  // none, where nobody was asked
    if (!again) last_->reset();
    const auto slot = completion.cancellation_slot();
    StartPublish(to_, std::move(batch), std::move(failed),
                 PublishCompletion(asio::bind_cancellation_slot(
                     slot, Converting(std::move(completion), std::move(status)))));
  }

 private:
  const std::shared_ptr<PublisherCore> to_;
  const std::shared_ptr<std::optional<PublishReport>> last_ =
      std::make_shared<std::optional<PublishReport>>();
};

}  // namespace

std::unique_ptr<BatchSink> SinkTo(std::shared_ptr<RecipientsCore> to) {
  return std::make_unique<RecipientsSink>(std::move(to));
}

std::unique_ptr<BatchSink> SinkTo(std::shared_ptr<PublisherCore> to) {
  return std::make_unique<PublisherSink>(std::move(to));
}

}  // namespace grid::internal
