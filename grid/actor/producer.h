// Producer: collects items, and sends them in batches, one after the other, to Recipients or to a
// topic.
//
//   inline constexpr MessageType<std::vector<Line>> kLines{"log.lines"};   // a batch of them
//
//   absl::StatusOr<std::unique_ptr<Producer<Line>>> log = Producer<Line>::Make(
//       system.To(Selector::Under(*Path::Parse("ops/log"))), kLines,
//       {.io = &io, .on_failure = [](const BatchFailure& failure) {
//          return IsSafeToRetry(failure.status) ? ProducerDecision::RetryAfter(1s)
//                                               : ProducerDecision::FailAndContinue();
//        }});
//   absl::Status sent = co_await (*log)->Produce(line);
//   ProducerRest left = co_await (*log)->Stop();
//
// Items are sent in the order of Produce. While a batch is under way the next one fills; without
// `linger` it is sent as soon as that is done, so a lone item is sent at once. What has failed,
// after all that the CallPolicy has tried, is up to `on_failure`, which is told how far it can have
// come: nothing is sent again unless it says so. A batch that is sent again is the same one. It
// goes to all of the Recipients again; but of a topic (Publisher) only to the subscribers that were
// not reached, under the same number, unless nobody had been asked at all.
//
// Produce and Stats on any thread; the destructor, which gives up what is there, on that of `io`,
// or when it does not run. Completions run on their associated executor, otherwise on the thread of
// `io`, never inside what starts them. May outlive the ActorSystem: then batches fail.
#ifndef GRID_GRID_ACTOR_PRODUCER_H_
#define GRID_GRID_ACTOR_PRODUCER_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/batch_sink.h"
#include "grid/actor/message_type.h"
#include "grid/actor/publisher.h"
#include "grid/actor/recipients.h"
#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "handlers/completion.h"
#include "serialization/messagepack.h"

namespace grid {

namespace asio = boost::asio;

// A batch that could not be sent.
struct BatchFailure {
  // Why the last attempt has failed, with the worst delivery class of all attempts.
  absl::Status status;
  uint32_t attempt = 1;  // which one it was, of this batch
  size_t items = 0;
};

// What comes of it.
struct ProducerDecision {
  enum class What {
    kFailAndStop,      // its items fail, all that wait fail as not sent, and no more are taken
    kFailAndContinue,  // its items fail; the next batch is sent
    kRetryAfter,       // it is sent again `after` from now; what was produced later waits
    kRetryNow,
  };
  static ProducerDecision FailAndStop() { return {What::kFailAndStop}; }
  static ProducerDecision FailAndContinue() { return {What::kFailAndContinue}; }
  static ProducerDecision RetryAfter(std::chrono::milliseconds after) {
    return {What::kRetryAfter, after};
  }
  static ProducerDecision RetryNow() { return {What::kRetryNow}; }

  What what = What::kFailAndStop;
  std::chrono::milliseconds after{0};  // 0 to a day; what is outside counts as the nearest
};

struct ProducerOptions {
  // The producer's thread: one thread runs it. Required.
  boost::asio::io_context* io = nullptr;
  // Of one batch. The first item of a batch may be larger than `max_batch_bytes`.
  size_t max_batch = 2'000;  // items, 1 to 1,000,000, and no more than the message type can decode
  size_t max_batch_bytes = size_t{4} << 20;  // at least 1
  // How long an item may wait for others to fill its batch; 0 to a day.
  std::chrono::milliseconds linger{0};
  // Of items that are not sent yet, those of the batch under way included: beyond it Produce is
  // rejected. An empty queue takes an item of any size.
  size_t max_queue = 100'000;  // 1 to 100,000,000
  size_t max_queue_bytes = size_t{64} << 20;
  // Runs on the thread of `io`. One that throws has said kFailAndStop, and is logged. Null:
  // FailAndStop, as nothing that comes later may overtake what has failed.
  std::function<ProducerDecision(const BatchFailure& failure)> on_failure = nullptr;
  // How long Stop waits for what is there to be sent; 0 to a day.
  std::chrono::milliseconds drain{30'000};

  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
  std::shared_ptr<LogSink> log = nullptr;  // null: DefaultLog

  // kInvalidArgument names the option and its range.
  absl::Status Check() const;
};

// What a producer has left when it has stopped.
struct ProducerRest {
  // OK: nothing. kDeadlineExceeded: what had not been sent within ProducerOptions::drain. Otherwise
  // the failure by which it has stopped before.
  absl::Status status;
  size_t not_executed = 0;    // items that were not sent, or refused
  size_t maybe_executed = 0;  // items of a batch that may have been executed

  size_t items() const { return not_executed + maybe_executed; }
};

// Totals; gauges say so.
struct ProducerStats {
  uint64_t produced = 0;               // items taken
  uint64_t sent = 0, failed = 0;       // of them
  uint64_t batches = 0;                // that were sent
  uint64_t failures = 0, retries = 0;  // of batches
  uint64_t queue_limit = 0;            // items rejected by max_queue or max_queue_bytes
  uint64_t refused = 0;                // could not be encoded, or came after the stop
  uint64_t decision_errors = 0;        // on_failure has thrown
  uint64_t waiting = 0;                // gauge: items that are not sent yet, and bytes of them
  uint64_t waiting_bytes = 0;          // gauge
  uint64_t under_way = 0;              // gauge: items of the batch under way, 0 in a pause
};

namespace internal {

class ProducerCore;

// kInvalidArgument names the option.
absl::StatusOr<std::shared_ptr<ProducerCore>> MakeProducer(std::unique_ptr<BatchSink> sink,
                                                           std::string_view type,
                                                           const DecodeLimits& limits,
                                                           ProducerOptions options);
// `encoded`: an error, with which the item is refused.
void StartProduce(const std::shared_ptr<ProducerCore>& core, Buffer item, absl::Status encoded,
                  Completion<absl::Status> completion);
void StartStop(const std::shared_ptr<ProducerCore>& core, Completion<ProducerRest> completion);
ProducerStats StatsOf(const ProducerCore& core);
absl::Status StatusOf(const ProducerCore& core);
void Close(ProducerCore& core);

}  // namespace internal

// `Item` is MessagePack, and no byte: a batch is the array of them.
template <typename Item>
class Producer {
 public:
  static_assert(std::is_base_of_v<MessagePackCodec<std::vector<Item>>, Codec<std::vector<Item>>> &&
                    std::is_base_of_v<MessagePackCodec<Item>, Codec<Item>>,
                "items are encoded one by one, as MessagePack: a codec of yours can't be used");
  static_assert(!std::is_integral_v<Item> || sizeof(Item) > 1, "an array of bytes is no batch");

  // A batch is one message to one of `to`, or to all of them, as its Routing says, and is sent once
  // it is acknowledged as its CallPolicy says. kInvalidArgument names the option.
  template <typename Resp>
  static absl::StatusOr<std::unique_ptr<Producer>> Make(
      const Recipients& to, const MessageType<std::vector<Item>, Resp>& type,
      ProducerOptions options) {
    return Made(internal::SinkTo(to.core_), type, std::move(options));
  }
  // A batch is one publication, and is sent once every subscriber was reached; that may be nobody.
  template <typename Resp>
  static absl::StatusOr<std::unique_ptr<Producer>> Make(
      const Publisher& to, const MessageType<std::vector<Item>, Resp>& type,
      ProducerOptions options) {
    return Made(internal::SinkTo(to.core_), type, std::move(options));
  }
  ~Producer() { internal::Close(*core_); }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Completes once the item's batch is sent; with kResourceExhausted, rejected, at a limit of the
  // queue; kInvalidArgument, not sent, for what can't be encoded; kFailedPrecondition, not sent,
  // once it has stopped; the batch's failure, if it is given up.
  template <typename Token = asio::use_awaitable_t<>>
  auto Produce(const Item& item, Token&& token = Token()) {
    Buffer bytes;
    absl::Status encoded = MessagePackCodec<Item>::Encode(item, bytes);
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<internal::ProducerCore> core, Buffer encoded_item,
           absl::Status status) {
          internal::StartProduce(core, std::move(encoded_item), std::move(status),
                                 Completion<absl::Status>(std::move(handler)));
        },
        token, core_, std::move(bytes), std::move(encoded));
  }

  // No more items are taken; what is there is sent, without lingering, for `drain` at the most, and
  // what has failed is decided as before. Then what is left fails with kDeadlineExceeded, and with
  // its delivery class. Completes with what was left. Idempotent.
  template <typename Token = asio::use_awaitable_t<>>
  auto Stop(Token&& token = Token()) {
    return asio::async_initiate<Token, void(ProducerRest)>(
        [](auto handler, std::shared_ptr<internal::ProducerCore> core) {
          internal::StartStop(core, Completion<ProducerRest>(std::move(handler)));
        },
        token, core_);
  }

  // OK as long as it takes items; otherwise what Produce fails with.
  absl::Status status() const { return internal::StatusOf(*core_); }
  ProducerStats Stats() const { return internal::StatsOf(*core_); }

 private:
  explicit Producer(std::shared_ptr<internal::ProducerCore> core) : core_(std::move(core)) {}

  template <typename Resp>
  static absl::StatusOr<std::unique_ptr<Producer>> Made(
      std::unique_ptr<internal::BatchSink> sink, const MessageType<std::vector<Item>, Resp>& type,
      ProducerOptions options) {
    auto core =
        internal::MakeProducer(std::move(sink), type.name(), type.limits(), std::move(options));
    if (!core.ok()) return core.status();
    return std::unique_ptr<Producer>(new Producer(*std::move(core)));
  }

  const std::shared_ptr<internal::ProducerCore> core_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_PRODUCER_H_
