// Actor: state that only one thing at a time happens to. A class says which messages it
// understands:
//
//   class Counter final : public grid::Actor {
//    public:
//     Counter() {
//       On(kAdd, [this](const Add& add, grid::ActorContext&) -> absl::StatusOr<int64_t> {
//         return total_ += add.by;
//       });
//     }
//    private:
//     int64_t total_ = 0;
//   };
//
// A handler is one of
//
//   absl::StatusOr<Resp> (const Req&, ActorContext&)          or absl::Status, where Resp is
//                                                             NoPayload
//   asio::awaitable<...> (const Req&, ActorContext&)          the same as a coroutine
//   void                 (const Req&, Reply<Resp>, ActorContext&)   answers when it likes; or
//                                                                   asio::awaitable<void>
//
// and copyable. The request lives until it has finished. Errors that it returns are its own:
// kExecuted, also where they come from calls that it made.
//
// Actors run on the threads of their ActorSystem, never on two at once; at most
// ActorOptions::concurrency handlers of one actor are under way at a time, by default one. The next
// letter waits until the coroutine has ended. An exception is logged, answers the sender with
// kInternal ("no reply" where a Reply went down with it), and restarts or stops the actor
// (ActorOptions::on_exception).
//
// An actor that reads its own mailbox instead is a coroutine: coroutine_actor.h.
#ifndef GRID_GRID_ACTOR_ACTOR_H_
#define GRID_GRID_ACTOR_ACTOR_H_

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor_context.h"
#include "grid/actor/letter.h"
#include "grid/actor/message_type.h"
#include "handlers/typed.h"

namespace grid {

namespace asio = boost::asio;

// The answer to one message, given once, from any thread, also after its handler has returned.
// Dropped: "no reply".
template <typename Resp>
class Reply {
 public:
  Reply(ReplyToken token, std::string_view type) : token_(std::move(token)), type_(type) {}

  // False: the sender waits for none, or it was given.
  explicit operator bool() const { return static_cast<bool>(token_); }
  // Answers, as what a handler returns does. A second time has no effect.
  void operator()(const absl::StatusOr<Resp>& answer) {
    internal::AnswerWith(token_, type_, answer);
  }

 private:
  ReplyToken token_;
  std::string_view type_;
};

namespace internal {
class ActorCell;
class CoroutineActor;
}  // namespace internal

class Actor {
 public:
  virtual ~Actor() = default;

  // Before the first message, also after a restart. An error stops the actor: it is what starting
  // it completes with; at a restart it is another failure. An awaitable that is not valid(), as by
  // default, is nothing to wait for.
  virtual asio::awaitable<absl::Status> OnStart(ActorContext& context);
  // After the last message, before the name is given back; not where OnStart has failed, and not
  // at a restart. `why`: OK when it was stopped, kAborted when its lease was lost: it must by now
  // have let go of what the name allows; kInternal when an exception has stopped it.
  virtual void OnStop(const absl::Status& why);

  // How one message is handled: the letter is answered through its ReplyToken, or by `letter` being
  // let go. For the ActorCell.
  using PlainBehaviour = std::function<void(Letter& letter, ActorContext& context)>;
  using CoroutineBehaviour =
      std::function<asio::awaitable<void>(Letter& letter, ActorContext& context)>;
  using Behaviour = std::variant<PlainBehaviour, CoroutineBehaviour>;
  // Null: this actor does not know the type. Valid until On or OnOther is called.
  const Behaviour* Find(std::string_view type) const;

 protected:
  Actor() = default;
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  // In the constructor or in OnStart. A second one for a type replaces the first.
  template <typename Req, typename Resp, typename Function>
  void On(const MessageType<Req, Resp>& type, Function function);
  // For letters of every other type, which are otherwise answered with kUnimplemented.
  void OnOther(Behaviour behaviour) { other_ = std::make_unique<Behaviour>(std::move(behaviour)); }

 private:
  friend class internal::ActorCell;
  friend class internal::CoroutineActor;
  // For those that read their own mailbox: it ends, for that reason.
  virtual void OnMailboxEnd(const absl::Status& why);

  void Set(std::string_view type, Behaviour behaviour);

  absl::flat_hash_map<std::string, Behaviour> behaviours_;
  // Letters of one type mostly come in a row. Null: none, or they have moved.
  mutable const std::pair<const std::string, Behaviour>* last_found_ = nullptr;
  std::unique_ptr<Behaviour> other_;
};

// Makes an actor, when it starts and at every restart. Never null; an exception is the start's
// error.
using ActorFactory = std::function<absl::StatusOr<std::unique_ptr<Actor>>()>;

namespace internal {

template <typename Resp>
absl::StatusOr<Resp> ToAnswer(absl::StatusOr<Resp> answer) {
  return answer;
}
inline absl::StatusOr<NoPayload> ToAnswer(absl::Status status) {
  if (!status.ok()) return status;
  return NoPayload{};
}

// What a function returns becomes the answer.
template <typename Req, typename Resp, typename Function>
Actor::Behaviour AnsweringBehaviour(const MessageType<Req, Resp>& type, Function function) {
  using Result = std::invoke_result_t<Function&, const Req&, ActorContext&>;
  using Returned = Awaited<Result>;
  static_assert(std::is_same_v<Returned, absl::StatusOr<Resp>> ||
                    (std::is_same_v<Returned, absl::Status> && std::is_same_v<Resp, NoPayload>),
                "a handler returns absl::StatusOr<Resp>, or absl::Status where Resp is NoPayload, "
                "or an asio::awaitable of it");
  if constexpr (kIsAwaitable<Result>) {
    return Actor::CoroutineBehaviour(
        [type, function](Letter& letter, ActorContext& context) mutable -> asio::awaitable<void> {
          const absl::StatusOr<Req> request = letter.Read(type);
          if (!request.ok()) {
            letter.reply.Refuse(request.status());
            co_return;
          }
          letter.Answer(type, ToAnswer(co_await function(*request, context)));
        });
  } else {
    return Actor::PlainBehaviour([type, function](Letter& letter, ActorContext& context) mutable {
      const absl::StatusOr<Req> request = letter.Read(type);
      if (!request.ok()) return letter.reply.Refuse(request.status());
      letter.Answer(type, ToAnswer(function(*request, context)));
    });
  }
}

// A function that is given the Reply.
template <typename Req, typename Resp, typename Function>
Actor::Behaviour ReplyingBehaviour(const MessageType<Req, Resp>& type, Function function) {
  using Result = std::invoke_result_t<Function&, const Req&, Reply<Resp>, ActorContext&>;
  static_assert(std::is_void_v<Result> || std::is_same_v<Result, asio::awaitable<void>>,
                "a handler that is given the Reply returns void or asio::awaitable<void>");
  if constexpr (kIsAwaitable<Result>) {
    return Actor::CoroutineBehaviour(
        [type, function](Letter& letter, ActorContext& context) mutable -> asio::awaitable<void> {
          const absl::StatusOr<Req> request = letter.Read(type);
          if (!request.ok()) {
            letter.reply.Refuse(request.status());
            co_return;
          }
          Reply<Resp> reply(std::move(letter.reply), type.name());
          co_await function(*request, std::move(reply), context);
        });
  } else {
    return Actor::PlainBehaviour([type, function](Letter& letter, ActorContext& context) mutable {
      const absl::StatusOr<Req> request = letter.Read(type);
      if (!request.ok()) return letter.reply.Refuse(request.status());
      function(*request, Reply<Resp>(std::move(letter.reply), type.name()), context);
    });
  }
}

}  // namespace internal

template <typename Req, typename Resp, typename Function>
void Actor::On(const MessageType<Req, Resp>& type, Function function) {
  if constexpr (std::is_invocable_v<Function&, const Req&, Reply<Resp>, ActorContext&>) {
    Set(type.name(), internal::ReplyingBehaviour(type, std::move(function)));
  } else {
    static_assert(std::is_invocable_v<Function&, const Req&, ActorContext&>,
                  "a handler takes (const Req&, ActorContext&) or (const Req&, Reply<Resp>, "
                  "ActorContext&)");
    Set(type.name(), internal::AnsweringBehaviour(type, std::move(function)));
  }
}

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_H_
