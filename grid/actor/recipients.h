// Recipients: who is meant, how many of them, and what happens on failure (Selector, Routing,
// CallPolicy), bound to an ActorSystem; and the three verbs.
//
//   Recipients workers = system.To(Selector::Under(*path), Routing::LeastOutstanding());
//   absl::StatusOr<Answer<int64_t>> sum = co_await workers.Call(kSum, numbers);   // one, who says
//   absl::Status sent = co_await workers.Send(kLog, line);                        // no reply
//   GatherResults<int64_t> all = co_await everyone.GatherAll(kSum, numbers);      // each one's
//
// A handle keeps what it has resolved, and watches the directory for changes: after the first call
// none asks it again. A target that could not be reached, or is not there any more, leaves the
// rotation until the directory says something new of it, unless it is the only one. Whoever is
// marked kDraining is left out.
//
// Copies are the same handle, with one cache. They may outlive the system: calls then fail with
// kFailedPrecondition, not sent. Any thread. Completions run on their associated executor,
// otherwise on whichever thread has the outcome (do not block there), or before the verb returns.
// Terminal cancellation completes with kCancelled, and is passed on to the target.
#ifndef GRID_GRID_ACTOR_RECIPIENTS_H_
#define GRID_GRID_ACTOR_RECIPIENTS_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <string_view>
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
  const Selector& selector() const;
  const Routing& routing() const;
  const CallPolicy& policy() const;

  // To one of them, by a Routing that takes one (Routing::one(); otherwise kInvalidArgument), with
  // its answer. Tried again as the policy says, each time with whoever is next. kNotFound, not
  // sent, where there is nobody; otherwise the error of the last attempt, with its delivery class,
  // and who it came from in its text. An answer that can't be decoded is kInvalidArgument,
  // executed.
  template <typename Req, typename Resp, typename Token = asio::use_awaitable_t<>>
  auto Call(const MessageType<Req, Resp>& type, const Req& request, Token&& token = Token()) const;

  // To one of them, or to all by a Routing that takes several, without an answer: completes once
  // the policy's acknowledgement level is reached. With several, OK when each one's was; otherwise
  // the first error, and how many of how many there were. Nobody is kNotFound, not sent, with a
  // Routing that takes one, and otherwise OK.
  template <typename Req, typename Resp, typename Token = asio::use_awaitable_t<>>
  auto Send(const MessageType<Req, Resp>& type, const Req& request, Token&& token = Token()) const;

  // To all of them, by a Routing that takes several, each one's result as it comes: see Gathering.
  // With Routing::First(k) the others are cancelled once k have succeeded. Each target gets the
  // message once, however often it is meant; one message goes to each member, to `max_fan_out` of
  // them at a time.
  template <typename Req, typename Resp>
  Gathering<Resp> Gather(const MessageType<Req, Resp>& type, const Req& request) const;
  // The same, all results together.
  template <typename Req, typename Resp, typename Token = asio::use_awaitable_t<>>
  auto GatherAll(const MessageType<Req, Resp>& type, const Req& request,
                 Token&& token = Token()) const;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_RECIPIENTS_H_
