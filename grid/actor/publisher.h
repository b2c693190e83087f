// Publisher: what it publishes goes to every subscriber of a topic, numbered.
//
// A topic is a path; its subscribers are shared registrations under it: actors or mailboxes that
// were started there with Holding::kShared, in any process. There is no other actor of the topic's,
// so none that can be lost.
//
//   Publisher orders(system.To(Selector::Under(*Path::Parse("shop/orders")), Routing::All()));
//   absl::StatusOr<PublishReport> report = co_await orders.Publish(kOrder, order);
//   if (report.ok() && !report->failed.empty()) report = co_await orders.Republish(...);
//
//   co_await system.Start(*Name::Parse("shop/orders/audit"), MakeAudit,   // a subscriber
//                         {.holding = Holding::kShared});
//
// The Recipients say who subscribes (Selector), whether all of them get it or one of each group
// below the path (Routing::All, OnePerNextSegment), and what counts as reached
// (CallPolicy::acknowledge). Subscribers see the numbers (Sender::publication, SequenceCheck).
//
// Order: numbers are those of the calls of Publish, on one thread; with `max_under_way` 1, the
// default, the next one is sent when each subscriber has the one before at that level, or has
// failed. So each mailbox gets them in the order of their numbers, whatever is tried again in
// between, but for those whose outcome says that they may have been executed (a deadline, a lost
// connection): they may still come, later. A slow subscriber delays all others, at the most to the
// policy's deadline; with an acknowledgement less than kProcessed only a full mailbox is slow. With
// more under way nothing is promised: they may overtake each other, and their numbers show it.
//
// Copies are the same publisher. What was published goes on without it. May outlive the system:
// then everything fails with kFailedPrecondition or kCancelled. Any thread. Completions run on
// their associated executor, otherwise on whichever thread has the outcome (do not block there),
// perhaps before Publish returns.
#ifndef GRID_GRID_ACTOR_PUBLISHER_H_
#define GRID_GRID_ACTOR_PUBLISHER_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/message_type.h"
#include "grid/actor/outgoing.h"
#include "grid/actor/publication.h"
#include "grid/actor/recipients.h"
#include "grid/actor/target.h"
#include "handlers/completion.h"
#include "handlers/typed.h"

namespace grid {

namespace asio = boost::asio;

struct PublisherOptions {
  // What subscribers know it by. 0: another one each time. One that is given stays the same when
  // the publisher is made anew, and its subscribers hear of a restart; no two may have it at a
  // time.
  uint64_t id = 0;
  size_t max_under_way = 1;  // publications at a time; 1 to 1000; see "Order"
  // Publications that wait for their turn, and bytes of them: beyond it Publish is rejected.
  size_t max_queue = 10'000;  // 0 to 1,000,000
  // At least 1. With none waiting one of any size is taken.
  size_t max_queue_bytes = size_t{64} << 20;

  // kInvalidArgument names the field and its range.
  absl::Status Check() const;
};

// What became of one publication.
struct PublishReport {
  struct Failure {
    Target target;
    absl::Status status;  // with its delivery class
  };

  Publication publication;
  std::vector<Target> reached;  // at the policy's acknowledgement level
  std::vector<Failure> failed;

  // How many subscribers it was meant for.
  size_t meant() const { return reached.size() + failed.size(); }
  // OK when none has failed, so also where nobody subscribes; otherwise the first error, how many
  // of how many there were, and the worst delivery class: kExecuted if any was reached.
  absl::Status status() const;
};

// Totals; gauges say so.
struct PublisherStats {
  uint64_t published = 0, republished = 0;  // that were begun
  uint64_t reached = 0, failed = 0;         // subscribers, of each of them
  uint64_t not_published = 0;               // begun, and nobody was asked: it ended with an error
  uint64_t waiting = 0, under_way = 0;      // gauges
  uint64_t queue_limit = 0;                 // rejected by max_queue or max_queue_bytes
  uint64_t cancelled = 0;                   // by their callers
};

namespace internal {

class PublisherCore;
using PublishCompletion = Completion<absl::StatusOr<PublishReport>>;

std::shared_ptr<PublisherCore> MakePublisher(std::shared_ptr<RecipientsCore> to,
                                             const PublisherOptions& options);
// `again`: the report of what is published once more.
void StartPublish(const std::shared_ptr<PublisherCore>& core, Outgoing message,
                  std::optional<PublishReport> again, PublishCompletion completion);

}  // namespace internal

class Publisher {
 public:
  // Options or a Routing that do not fit are the error of every Publish.
  explicit Publisher(const Recipients& to, const PublisherOptions& options = {})
      : core_(internal::MakePublisher(to.core_, options)) {}

  // Completes with the report once each subscriber has been reached, or has failed for good as the
  // policy says. With an error where nobody was asked, not sent or rejected: kResourceExhausted for
  // a queue that is full, kInvalidArgument for what can't be published, the directory's errors.
  // What is refused or cancelled before its turn takes no number; what fails in its turn does, so
  // that subscribers notice. The policy's deadline begins with its turn. Terminal cancellation
  // completes with kCancelled, or with a report in which the subscribers not reached yet have
  // failed with that.
  template <typename Req, typename Resp, typename Token = asio::use_awaitable_t<>>
  auto Publish(const MessageType<Req, Resp>& type, const std::type_identity_t<Req>& message,
               Token&& token = Token()) const {
    return Start(type, message, std::nullopt, std::forward<Token>(token));
  }

  // The same message once more, with its number, to those that `report` has as failed: by their
  // names, so where several hold one name, each of these gets it; and everybody does, where so many
  // have failed that no Selector takes their names. Who had it sees it twice, by its number.
  // Completes as Publish, with the report brought up to date: who was reached stays so, who has
  // gone is left out. kInvalidArgument for a report of another publisher, or of another
  // incarnation.
  template <typename Req, typename Resp, typename Token = asio::use_awaitable_t<>>
  auto Republish(const MessageType<Req, Resp>& type, const std::type_identity_t<Req>& message,
                 PublishReport report, Token&& token = Token()) const {
    return Start(type, message, std::move(report), std::forward<Token>(token));
  }

  PublisherStats Stats() const;

 private:
  template <typename Item>
  friend class Producer;

  template <typename Req, typename Resp, typename Token>
  auto Start(const MessageType<Req, Resp>& type, const Req& message,
             std::optional<PublishReport> again, Token&& token) const {
    return asio::async_initiate<Token, void(absl::StatusOr<PublishReport>)>(
        [](auto handler, std::shared_ptr<internal::PublisherCore> core, internal::Outgoing outgoing,
           std::optional<PublishReport> report) {
          internal::StartPublish(core, std::move(outgoing), std::move(report),
                                 internal::PublishCompletion(std::move(handler)));
        },
        token, core_, Recipients::Encoded<NoPayload>(type, message), std::move(again));
  }

  std::shared_ptr<internal::PublisherCore> core_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_PUBLISHER_H_
