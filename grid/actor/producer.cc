#include "grid/actor/producer.h"

#include <boost/asio/post.hpp>

#include "absl/strings/str_cat.h"
#include "grid/actor/producer_core.h"

namespace grid {

absl::Status ProducerOptions::Check() const {
  const auto refused = [](const char* field, const char* range) {
    return absl::InvalidArgumentError(absl::StrCat("ProducerOptions::", field, " must be ", range));
  };
  const auto within_a_day = [](std::chrono::milliseconds time) {
    return time >= std::chrono::milliseconds(0) && time <= std::chrono::hours(24);
  };
  if (io == nullptr) return refused("io", "set");
  if (max_batch < 1 || max_batch > 1'000'000) return refused("max_batch", "1 to 1000000");
  if (max_batch_bytes < 1) return refused("max_batch_bytes", "at least 1");
  if (!within_a_day(linger)) return refused("linger", "0 to a day");
  if (max_queue < 1 || max_queue > 100'000'000) return refused("max_queue", "1 to 100000000");
  if (max_queue_bytes < 1) return refused("max_queue_bytes", "at least 1");
  if (!within_a_day(drain)) return refused("drain", "0 to a day");
  return absl::OkStatus();
}

namespace internal {

absl::StatusOr<std::shared_ptr<ProducerCore>> MakeProducer(std::unique_ptr<BatchSink> sink,
                                                           std::string_view type,
                                                           const DecodeLimits& limits,
                                                           ProducerOptions options) {
  if (absl::Status status = options.Check(); !status.ok()) return status;
  if (options.max_batch > limits.max_elements) {
    return absl::InvalidArgumentError(
        absl::StrCat("ProducerOptions::max_batch is ", options.max_batch,
                     ", the message type decodes arrays of ", limits.max_elements));
  }
  if (options.clock == nullptr) options.clock = RealClock();
  if (options.log == nullptr) options.log = DefaultLog();
  return std::make_shared<ProducerCore>(std::move(sink), type, std::move(options));
}

void StartProduce(const std::shared_ptr<ProducerCore>& core, Buffer item, absl::Status encoded,
                  Completion<absl::Status> completion) {
  core->Produce(std::move(item), std::move(encoded), std::move(completion));
}

void StartStop(const std::shared_ptr<ProducerCore>& core, Completion<ProducerRest> completion) {
  asio::post(core->io(), [core, completion = std::move(completion)]() mutable {
    core->Stop(std::move(completion));
  });
}

ProducerStats StatsOf(const ProducerCore& core) { return core.Stats(); }
absl::Status StatusOf(const ProducerCore& core) { return core.status(); }
void Close(ProducerCore& core) { core.Close(); }

}  // namespace internal
}  // namespace grid
