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
//   void                 (const Req&, Reply<Resp>, ActorContext&)   answers when it likes
//
// Actors run on the threads of their ActorSystem; at most ActorOptions::concurrency handlers of one
// actor run at a time, by default one, so it needs no locks. The next letter waits until the
// coroutine has ended. An exception is logged, answers the sender with kInternal, and restarts or
// stops the actor (ActorOptions::on_exception).
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
  explicit Reply(ReplyToken token) : token_(std::move(token)) {}

  // False: the sender waits for none, or it was given.
  explicit operator bool() const { return static_cast<bool>(token_); }
  void operator()(const absl::StatusOr<Resp>& answer);

 private:
  ReplyToken token_;
};

class Actor {
 public:
  virtual ~Actor() = default;

  // Before the first message, also after a restart. An error stops the actor: it is what starting
  // it completes with.
  virtual asio::awaitable<absl::Status> OnStart(ActorContext& context);
  // After the last message, before the name is given back. `why`: OK when it was stopped, kAborted
  // when its lease was lost: it must by now have let go of what the name allows.
  virtual void OnStop(const absl::Status& why);

  // How one message is handled: the letter is answered through its ReplyToken, or by `letter` being
  // let go. For the ActorCell.
  using PlainBehaviour = std::function<void(Letter& letter, ActorContext& context)>;
  using CoroutineBehaviour =
      std::function<asio::awaitable<void>(Letter& letter, ActorContext& context)>;
  using Behaviour = std::variant<PlainBehaviour, CoroutineBehaviour>;
  // Null: this actor does not know the type.
  const Behaviour* Find(std::string_view type) const;

 protected:
  Actor() = default;
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  // In the constructor or in OnStart. A second one for a type replaces the first.
  template <typename Req, typename Resp, typename Function>
  void On(const MessageType<Req, Resp>& type, Function function);

 private:
  absl::flat_hash_map<std::string, Behaviour> behaviours_;
};

// Makes an actor, when it starts and at every restart. Never null; an exception is the start's
// error.
using ActorFactory = std::function<absl::StatusOr<std::unique_ptr<Actor>>()>;

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_H_
