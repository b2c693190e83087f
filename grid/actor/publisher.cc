#include "grid/actor/publisher.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "grid/actor/publisher_core.h"
#include "handlers/delivery.h"

namespace grid {

absl::Status PublisherOptions::Check() const {
  const auto refused = [](const char* field, const char* range) {
    return absl::InvalidArgumentError(
        absl::StrCat("PublisherOptions::", field, " must be ", range));
  };
  if (max_under_way < 1 || max_under_way > 1'000) return refused("max_under_way", "1 to 1000");
  if (max_queue > 1'000'000) return refused("max_queue", "0 to 1000000");
  if (max_queue_bytes < 1) return refused("max_queue_bytes", "at least 1");
  return absl::OkStatus();
}

absl::Status PublishReport::status() const {
  if (failed.empty()) return absl::OkStatus();
  Delivery worst = reached.empty() ? Delivery::kNotSent : Delivery::kExecuted;
  for (const Failure& failure : failed) worst = std::max(worst, DeliveryOf(failure.status));
  const absl::Status& first = failed.front().status;
  return WithDelivery(
      absl::Status(first.code(),
                   absl::StrCat(failed.size(), " of ", meant(),
                                " subscribers not reached, the first: ", first.message())),
      worst, IsRemote(first));
}

PublisherStats Publisher::Stats() const { return core_->Stats(); }

namespace internal {

std::shared_ptr<PublisherCore> MakePublisher(std::shared_ptr<RecipientsCore> to,
                                             const PublisherOptions& options) {
  return std::make_shared<PublisherCore>(std::move(to), options);
}

void StartPublish(const std::shared_ptr<PublisherCore>& core, Outgoing message,
                  std::optional<PublishReport> again, PublishCompletion completion) {
  core->Publish(std::move(message), std::move(again), std::move(completion));
}

}  // namespace internal
}  // namespace grid
