// Membership: who is alive. Nothing else decides that; where a name is, the Directory says.
//
//   std::unique_ptr<Membership> members = ...;  // static_membership.h, directory_membership.h
//   for (const Member& member : members->View()->members) ...
//   absl::StatusOr<MembershipWatcher> watcher = members->Watch();
//   for (;;) {
//     absl::StatusOr<MembershipWatcher::ViewPtr> view = co_await watcher->Next();
//     if (!view.ok()) break;
//   }
//   const AttributeChanges load = {{"load", "0.7"}};
//   absl::Status told = co_await members->Change(load);
//   absl::Status blocked = co_await members->DeclareDown(member.name, member.incarnation);
//
// A process that joins as a client sees the members and is none: it hosts nothing and is never
// placed on.
//
// Any thread. Completions run on their associated executor, otherwise on the membership's thread
// (do not block there).
#ifndef GRID_GRID_MEMBERSHIP_MEMBERSHIP_H_
#define GRID_GRID_MEMBERSHIP_MEMBERSHIP_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/membership/membership_view.h"
#include "handlers/completion.h"

namespace grid {

namespace asio = boost::asio;

namespace internal {
class MembershipWatch;
}

// The views as they come. Move-only; ends when it is closed or destroyed.
class MembershipWatcher {
 public:
  using ViewPtr = std::shared_ptr<const MembershipView>;  // not null

  MembershipWatcher() = default;  // fails with kFailedPrecondition
  explicit MembershipWatcher(std::shared_ptr<internal::MembershipWatch> watch)
      : watch_(std::move(watch)) {}
  MembershipWatcher(MembershipWatcher&&) noexcept = default;
  MembershipWatcher& operator=(MembershipWatcher&& other) noexcept;
  ~MembershipWatcher();

  // Completes with a view that is newer than the last one: the newest, so a slow reader misses
  // steps between and never the end. At first with the one there is, unless its number is 0. One
  // Next at a time (a second one fails with kFailedPrecondition); kCancelled once the watch was
  // closed or the Membership has ended. Terminal or partial cancellation completes it with
  // kCancelled and loses nothing.
  template <typename Token = asio::use_awaitable_t<>>
  auto Next(Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<ViewPtr>)>(
        [](auto handler, std::shared_ptr<internal::MembershipWatch> watch) {
          StartNext(std::move(watch), Completion<absl::StatusOr<ViewPtr>>(std::move(handler)));
        },
        token, watch_);
  }

  // Idempotent.
  void Close();

 private:
  static void StartNext(std::shared_ptr<internal::MembershipWatch> watch,
                        Completion<absl::StatusOr<ViewPtr>> completion);

  std::shared_ptr<internal::MembershipWatch> watch_;
};

// By key: the new value, or nothing where the attribute is to go. Others stay.
using AttributeChanges = std::map<std::string, std::optional<std::string>>;

// Totals since the Membership was made; gauges say so.
struct MembershipStats {
  uint64_t members = 0;       // gauge: those in the view, clients and what is down included
  uint64_t joined = 0;        // gauge: 1 while others see us
  uint64_t views = 0;         // the number of the newest
  uint64_t lost = 0;          // our own membership, with its lease
  uint64_t suspected = 0;     // members that were not heard of
  uint64_t retries = 0;       // attempts to join, to tell of a change, or to watch, after a failure
  uint64_t tombstones = 0;    // gauge: incarnations that somebody has declared down
  uint64_t declared = 0;      // times that we have declared one down
  uint64_t renounced = 0;     // times that we were declared down, and joined again as another one
  uint64_t ignored = 0;       // entries that are not those of the member that made them
  uint64_t member_limit = 0;  // members left out because of max_members
  uint64_t watch_limit = 0;   // Watch refused because of max_watches
  // Tombstones left out, and DeclareDown refused, because of max_tombstones.
  uint64_t tombstone_limit = 0;
};

class Membership {
 public:
  virtual ~Membership() = default;

  // Our own name in the mesh. A client has one, too.
  virtual const std::string& self() const = 0;
  // Never null.
  virtual std::shared_ptr<const MembershipView> View() const = 0;
  // kResourceExhausted for one too many.
  virtual absl::StatusOr<MembershipWatcher> Watch() = 0;
  virtual MembershipStats Stats() const = 0;

  // Changes our own attributes, and completes with OK once others can see them: not when each has.
  // An error of the attempt that was to tell them, say that the source can't be reached, is not the
  // end: they are told as soon as that is possible, also after a lost lease. kInvalidArgument names
  // a bad attribute, and changes nothing; kFailedPrecondition for a client; kCancelled once we have
  // left.
  template <typename Token = asio::use_awaitable_t<>>
  auto Change(AttributeChanges changes, Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, Membership* self, AttributeChanges values) {
          self->StartChange(std::move(values), Completion<absl::Status>(std::move(handler)));
        },
        token, this, std::move(changes));
  }

  // We are no member any more, and others see that, at once where they can be told. Completes with
  // OK then. Watches go on.
  template <typename Token = asio::use_awaitable_t<>>
  auto Leave(Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, Membership* self) {
          self->StartLeave(Completion<absl::Status>(std::move(handler)));
        },
        token, this);
  }

  // Declares this incarnation of a member down, for the whole cluster: each member's view says so,
  // nothing is placed there, and it can't come back. Should it be alive, it hears of it too, gives
  // up all names that it holds, and joins again as a new incarnation: an address is never blocked.
  // The tombstone stands for as long as what is down stays in the view. Every member may, for any
  // other, and for itself.
  //
  // Completes with OK once others can see it, at once where that incarnation is down already or has
  // been replaced; with kNotFound for one that nobody knows; kFailedPrecondition for a client;
  // kResourceExhausted names the limit; kUnimplemented by a source that can't tell others (a static
  // list); kCancelled once we have left; or with the error of Directory::Register.
  template <typename Token = asio::use_awaitable_t<>>
  auto DeclareDown(std::string name, uint64_t incarnation, Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, Membership* self, std::string who, uint64_t which) {
          self->StartDeclareDown(std::move(who), which,
                                 Completion<absl::Status>(std::move(handler)));
        },
        token, this, std::move(name), incarnation);
  }

  virtual void StartChange(AttributeChanges changes, Completion<absl::Status> completion) = 0;
  virtual void StartLeave(Completion<absl::Status> completion) = 0;
  virtual void StartDeclareDown(std::string name, uint64_t incarnation,
                                Completion<absl::Status> completion) = 0;
};

// `attributes` with `changes` made. kInvalidArgument names an attribute that can't be (Member::kUrl
// among them).
absl::StatusOr<Attributes> WithChanges(Attributes attributes, const AttributeChanges& changes);

}  // namespace grid

#endif  // GRID_GRID_MEMBERSHIP_MEMBERSHIP_H_
