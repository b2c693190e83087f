// Recipients: who is meant, how many of them, and what happens on failure (Selector, Routing,
// CallPolicy), bound to an ActorSystem; and the three verbs.
//
//   Recipients workers = system.To(Selector::Under(*path), Routing::LeastOutstanding());
//   absl::StatusOr<Answer<int64_t>> sum = co_await workers.Call(kSum, numbers);   // one, who says
//   absl::Status sent = co_await workers.Send(kLog, line);                        // no reply
//   GatherResults<int64_t> all = co_await everyone.GatherAll(kSum, numbers);      // each one's
//
// A handle keeps what it has resolved, and from its second use on watches the directory for
// changes: then no use asks it any more. "No such target" from a member, or nobody at all, makes it
// ask anew, once in each call. A target that could not be reached leaves the rotation until the
// directory says something new of it, there is a connection to its member, or it answers another
// message, unless it is the only one. Whoever is marked kDraining is left out; who is asked for by
// name is found all the same, as long as nobody else of the selector is there. A message for one
// waits for the next holder where there was somebody just now (CallPolicy::hand_over), or in any
// case (wait_for_holder).
//
// Copies are the same handle, with one cache. They may outlive the system: calls then fail with
// kFailedPrecondition, not sent. Any thread. Completions run on their associated executor,
// otherwise on whichever thread has the outcome (do not block there), perhaps before the verb
// returns. Terminal cancellation completes with kCancelled, and is passed on to the target. The
// policy's deadline is for all attempts together, and travels with the message. What fails says how
// far the message can have come at the most, in all attempts together (DeliveryOf).
//
// With CallPolicy::deduplicate a call that may have been executed is tried again only with the
// member that remembers it, and cancellation does not reach the target. A selector, routing or
// policy out of range, one that does not fit the verb, and an answer wanted with less than
// Acknowledgement::kProcessed are kInvalidArgument, not sent.
#ifndef GRID_GRID_ACTOR_RECIPIENTS_H_
#define GRID_GRID_ACTOR_RECIPIENTS_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/gather.h"
#include "grid/actor/message_type.h"
#include "grid/actor/target.h"
#include "grid/directory/call_policy.h"
#include "grid/directory/routing.h"
#include "grid/directory/selector.h"
#include "handlers/completion.h"
#include "handlers/typed.h"

namespace grid {

namespace asio = boost::asio;

// An answer, and who gave it.
template <typename T>
struct Answer {
  T value;
  Target from;
};

class Recipients {
 public:
  // For ActorSystem. With null every verb fails with kFailedPrecondition, not sent.
  explicit Recipients(std::shared_ptr<internal::RecipientsCore> core) : core_(std::move(core)) {}

  // Not of one with null.
  const Selector& selector() const;
  const Routing& routing() const;
  const CallPolicy& policy() const;

  // To one of them, by a Routing that takes one (Routing::one(); otherwise kInvalidArgument), with
  // its answer. Tried again as the policy says, each time with whoever is next (but with
  // Routing::Hash: with the same, as long as it can be reached). kNotFound, not sent, where there
  // is nobody, nor was within CallPolicy::hand_over; otherwise the error of the last attempt, with
  // whom it was for in its text. An answer that can't be decoded is kInvalidArgument, executed.
  template <typename Req, typename Resp, typename Token = asio::use_awaitable_t<>>
  auto Call(const MessageType<Req, Resp>& type, const std::type_identity_t<Req>& request,
            Token&& token = Token()) const {
    return asio::async_initiate<Token, void(absl::StatusOr<Answer<Resp>>)>(
        [](auto handler, std::shared_ptr<internal::RecipientsCore> core, internal::Outgoing message,
           DecodeLimits limits) {
          internal::StartCall(core, std::move(message),
                              internal::CallCompletion(internal::Converting(
                                  std::move(handler), AnswerDecoder<Resp>{limits})));
        },
        token, core_, Encoded<Resp>(type, request), type.limits());
  }

  // To one of them, or to all by a Routing that takes several, without an answer: completes once
  // the policy's acknowledgement level is reached. With several, OK when each one's was (with
  // Routing::First(k), when k were); otherwise the first error, and how many of how many there
  // were. Nobody is kNotFound, not sent, with a Routing that takes one, and otherwise OK.
  template <typename Req, typename Resp, typename Token = asio::use_awaitable_t<>>
  auto Send(const MessageType<Req, Resp>& type, const std::type_identity_t<Req>& request,
            Token&& token = Token()) const {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<internal::RecipientsCore> core,
           internal::Outgoing message) {
          internal::StartSend(core, std::move(message),
                              internal::SendCompletion(std::move(handler)));
        },
        token, core_, Encoded<NoPayload>(type, request));
  }

  // To all of them, by a Routing that takes several (otherwise kInvalidArgument), each one's result
  // as it comes: see Gathering. With Routing::First(k) the others are cancelled once k have
  // succeeded. Each target gets the message once, however often it is meant; one message goes to
  // each member (with `deduplicate`, one for each holder of a name that it has several of), to
  // ActorLimits::max_fan_out members at a time. A target is tried again as the policy says; when
  // its name has moved, whoever holds it; with Routing::OnePerNextSegment another one of its group,
  // if there is one. Nobody is no error.
  template <typename Req, typename Resp>
  Gathering<Resp> Gather(const MessageType<Req, Resp>& type,
                         const std::type_identity_t<Req>& request) const {
    return Gathering<Resp>(internal::StartGather(core_, Encoded<Resp>(type, request)),
                           type.limits());
  }
  // The same, all results together: a GatherResults<Resp>, whose status() says where nobody was
  // asked. Terminal cancellation completes it with what there is.
  template <typename Req, typename Resp, typename Token = asio::use_awaitable_t<>>
  auto GatherAll(const MessageType<Req, Resp>& type, const std::type_identity_t<Req>& request,
                 Token&& token = Token()) const {
    return asio::async_initiate<Token, void(GatherResults<Resp>)>(
        [](auto handler, std::shared_ptr<internal::RecipientsCore> core, internal::Outgoing message,
           DecodeLimits limits) {
          internal::StartGatherAll(core, std::move(message),
                                   internal::ResultsCompletion(internal::Converting(
                                       std::move(handler), ResultsDecoder<Resp>{limits})));
        },
        token, core_, Encoded<Resp>(type, request), type.limits());
  }

 private:
  friend class Publisher;
  template <typename Item>
  friend class Producer;

  template <typename Resp, typename Req, typename Any>
  static internal::Outgoing Encoded(const MessageType<Req, Any>& type, const Req& request) {
    internal::ScratchBuffer body;
    absl::Status encoded = body.Encode(request);
    return {.type = type.name(),
            .body = std::move(body),
            .encoded = std::move(encoded),
            .answered = !std::is_same_v<Resp, NoPayload>};
  }

  template <typename Resp>
  struct AnswerDecoder {
    DecodeLimits limits;

    absl::StatusOr<Answer<Resp>> operator()(absl::StatusOr<internal::RawAnswer> raw) const {
      if (!raw.ok()) return raw.status();
      absl::StatusOr<Resp> value =
          internal::DecodeAnswer<Resp>(std::move(raw->bytes), *raw->from, limits);
      if (!value.ok()) return value.status();
      return Answer<Resp>{.value = *std::move(value), .from = *raw->from};
    }
  };

  template <typename Resp>
  struct ResultsDecoder {
    DecodeLimits limits;

    GatherResults<Resp> operator()(internal::RawResults raw) const {
      return GatherResults<Resp>(std::move(raw), limits);
    }
  };

  std::shared_ptr<internal::RecipientsCore> core_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_RECIPIENTS_H_
