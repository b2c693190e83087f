// Directory: who holds which name. Every member of a cluster has one, and what it says is the same
// for all.
//
//   // By local_directory.h, hosted_directory.h or etcd_directory.h.
//   std::unique_ptr<Directory> names = ...;
//   absl::StatusOr<Registration> held =
//       co_await names->Register(*Name::Parse("shop/leader/0"), Holding::kExclusive);
//   if (std::optional<HolderInfo> other = HolderOf(held.status())) ...   // somebody else has it
//   held->token().OnLost([] { ... });
//
//   absl::StatusOr<Resolution> found = co_await names->Resolve(Selector::Under(*path));
//   absl::StatusOr<Watcher> watcher = names->Watch(Selector::Under(*path));
//   for (;;) {
//     absl::StatusOr<WatchEvent> event = co_await watcher->Next();
//     if (!event.ok()) break;
//   }
//
// The member has one session with the directory, whose lease is renewed as long as this object is
// there; a lease that runs out is an event (LeaseToken), and the next registration begins a new one
// under a new incarnation. While the directory can't be reached, what is asked waits until its
// time-out, and Resolve answers from what it has seen before.
//
// Any thread. Completions run on their associated executor, otherwise on the directory's thread (do
// not block there).
#ifndef GRID_GRID_DIRECTORY_DIRECTORY_H_
#define GRID_GRID_DIRECTORY_DIRECTORY_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/directory/entry.h"
#include "grid/directory/lease_token.h"
#include "grid/directory/selector.h"
#include "grid/directory/watch_view.h"
#include "handlers/completion.h"

namespace grid {

namespace asio = boost::asio;

// What a Registration stands on.
class RegistrationBackend {
 public:
  virtual ~RegistrationBackend() = default;
  virtual Entry entry() const = 0;
  virtual LeaseToken token() const = 0;
  virtual void StartUpdate(Attributes attributes, std::chrono::milliseconds timeout,
                           Completion<absl::Status> completion) = 0;
  // Null: nobody waits.
  virtual void StartRelease(Completion<absl::Status> completion) = 0;
};

// A name that this process holds. Move-only; its destruction gives the name back, this registration
// of it and no other, whoever holds the name by then.
class Registration {
 public:
  Registration() = default;  // holds nothing
  explicit Registration(std::shared_ptr<RegistrationBackend> backend)
      : backend_(std::move(backend)) {}
  Registration(Registration&&) noexcept = default;
  Registration& operator=(Registration&& other) noexcept;
  ~Registration();

  explicit operator bool() const { return backend_ != nullptr; }
  // As the directory has it. Not of one that holds nothing.
  Entry entry() const { return backend_->entry(); }
  uint64_t epoch() const { return backend_->entry().epoch; }
  LeaseToken token() const { return backend_ != nullptr ? backend_->token() : LeaseToken(); }

  // Replaces the attributes. Completes with OK; with kFailedPrecondition while another Update is
  // under way; with the token's status when the registration is lost; or as Directory::Resolve
  // does when the directory can't be reached.
  template <typename Token = asio::use_awaitable_t<>>
  auto Update(Attributes attributes,
              std::chrono::milliseconds timeout = std::chrono::milliseconds(0),
              Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<RegistrationBackend> backend, Attributes values,
           std::chrono::milliseconds limit) {
          StartUpdate(std::move(backend), std::move(values), limit,
                      Completion<absl::Status>(std::move(handler)));
        },
        token, backend_, std::move(attributes), timeout);
  }

  // Gives the name back, as the destructor does, and completes with OK once the directory knows, or
  // once it must have noticed by itself; with kCancelled when the Directory is stopped before.
  template <typename Token = asio::use_awaitable_t<>>
  auto Release(Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<RegistrationBackend> backend) {
          StartRelease(std::move(backend), Completion<absl::Status>(std::move(handler)));
        },
        token, std::move(backend_));
  }

 private:
  static void StartUpdate(std::shared_ptr<RegistrationBackend> backend, Attributes attributes,
                          std::chrono::milliseconds timeout, Completion<absl::Status> completion);
  static void StartRelease(std::shared_ptr<RegistrationBackend> backend,
                           Completion<absl::Status> completion);

  std::shared_ptr<RegistrationBackend> backend_;
};

// What a Watcher stands on.
class WatcherBackend {
 public:
  virtual ~WatcherBackend() = default;
  virtual void StartNext(Completion<absl::StatusOr<WatchEvent>> completion) = 0;
  virtual void Close() = 0;
};

// A watch: a snapshot, then every change, without a gap. Ends when it is closed or destroyed.
class Watcher {
 public:
  Watcher() = default;  // fails with kFailedPrecondition
  explicit Watcher(std::shared_ptr<WatcherBackend> backend) : backend_(std::move(backend)) {}
  Watcher(Watcher&&) noexcept = default;
  Watcher& operator=(Watcher&& other) noexcept;
  ~Watcher();

  // Completes with the next event, one Next at a time (a second one fails with
  // kFailedPrecondition); with kCancelled once the watch was closed or the Directory stopped; with
  // kPermissionDenied, kUnauthenticated or kResourceExhausted where the directory refuses the
  // watch, which ends it. A directory that is lost is waited for; then comes kResynchronised.
  // Terminal or partial cancellation completes it with kCancelled and loses no event.
  template <typename Token = asio::use_awaitable_t<>>
  auto Next(Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<WatchEvent>)>(
        [](auto handler, std::shared_ptr<WatcherBackend> backend) {
          StartNext(std::move(backend), Completion<absl::StatusOr<WatchEvent>>(std::move(handler)));
        },
        token, backend_);
  }

  // Idempotent.
  void Close();

 private:
  static void StartNext(std::shared_ptr<WatcherBackend> backend,
                        Completion<absl::StatusOr<WatchEvent>> completion);

  std::shared_ptr<WatcherBackend> backend_;
};

struct Resolution {
  std::vector<Entry> entries = {};  // by name, then epoch
  // The directory could not be reached, and this is what was last seen of it.
  bool stale = false;
};

// Totals since the Directory was made; gauges say so.
struct DirectoryStats {
  uint64_t ready = 0;          // gauge: 1 while the session's lease runs
  uint64_t registrations = 0;  // gauge: held, or on their way back
  uint64_t watches = 0;        // gauge
  uint64_t operations = 0;     // gauge: under way
  uint64_t renewals = 0, renewals_failed = 0;
  uint64_t lapsed = 0;        // sessions whose lease ran out, or was replaced
  uint64_t lost = 0;          // registrations that went with them
  uint64_t claimed = 0;       // registrations renewed after the directory's restart
  uint64_t retries = 0;       // attempts after the first
  uint64_t stale = 0;         // Resolve answered from what was seen before
  uint64_t coalesced = 0;     // watches whose reader was too slow
  uint64_t resubscribed = 0;  // watches begun again after the directory was lost
  uint64_t connections = 0;   // to etcd: opened
  uint64_t reused = 0;        // to etcd: questions asked on one that was there
  // Refused by a limit of DirectoryLimits.
  uint64_t registration_limit = 0, watch_limit = 0, operation_limit = 0;
  uint64_t cache_limit = 0;   // resolutions forgotten: max_cached
  uint64_t answer_limit = 0;  // answers not taken: EtcdOptions::max_answer_bytes
};

class Directory {
 public:
  virtual ~Directory() = default;

  // Completes with the registration once the directory has it. `timeout` 0: DirectoryOptions::
  // timeout. kAlreadyExists when the name is held, exclusively or against `holding`, also by
  // ourselves: HolderOf(status) is who holds it. kInvalidArgument names a bad attribute.
  // kDeadlineExceeded names the reason of the last attempt; kPermissionDenied, kUnauthenticated;
  // kResourceExhausted names the limit. What is given up, by its time-out or by cancellation
  // (terminal, kCancelled), is not held afterwards.
  template <typename Token = asio::use_awaitable_t<>>
  auto Register(Name name, Holding holding, Attributes attributes = {},
                std::chrono::milliseconds timeout = std::chrono::milliseconds(0),
                Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<Registration>)>(
        [](auto handler, Directory* self, Name what, Holding how, Attributes values,
           std::chrono::milliseconds limit) {
          self->StartRegister(std::move(what), how, std::move(values), limit,
                              Completion<absl::StatusOr<Registration>>(std::move(handler)));
        },
        token, this, std::move(name), holding, std::move(attributes), timeout);
  }

  // Completes with whoever holds what is selected. While the directory can't be reached: with what
  // was last seen, if the same selector was resolved before or is watched; otherwise it waits until
  // the time-out, and completes with kDeadlineExceeded, naming the reason.
  template <typename Token = asio::use_awaitable_t<>>
  auto Resolve(Selector selector, std::chrono::milliseconds timeout = std::chrono::milliseconds(0),
               Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<Resolution>)>(
        [](auto handler, Directory* self, Selector who, std::chrono::milliseconds limit) {
          self->StartResolve(std::move(who), limit,
                             Completion<absl::StatusOr<Resolution>>(std::move(handler)));
        },
        token, this, std::move(selector), timeout);
  }

  // Begins to watch. Fails at once with kInvalidArgument for a selector that is too large, with
  // kResourceExhausted for one watch too many, with kCancelled when stopped.
  virtual absl::StatusOr<Watcher> Watch(Selector selector) = 0;

  // Takes every name from its holder, ours too, and completes with how many registrations that
  // were; of several attempts, the last. Their tokens end with their members' next renewals, and
  // until all members have heard of it, or a lease has passed, nobody gets a name. What is
  // registered before this completes may be gone as well. Only a member may, and in etcd whoever
  // may write there: kPermissionDenied for a client of the mesh. In etcd our lease must not be
  // shorter than that of the holders. Otherwise it completes as Resolve does.
  template <typename Token = asio::use_awaitable_t<>>
  auto Flush(std::chrono::milliseconds timeout = std::chrono::milliseconds(0),
             Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<uint64_t>)>(
        [](auto handler, Directory* self, std::chrono::milliseconds limit) {
          self->StartFlush(limit, Completion<absl::StatusOr<uint64_t>>(std::move(handler)));
        },
        token, this, timeout);
  }

  // Completes with OK once the directory was reached and has taken our session; at once with the
  // error that keeps it from ever doing so (a wrong password, say), and with kDeadlineExceeded
  // after `timeout`, naming the reason why it can't be reached.
  template <typename Token = asio::use_awaitable_t<>>
  auto WaitReady(std::chrono::milliseconds timeout, Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, Directory* self, std::chrono::milliseconds limit) {
          self->StartWaitReady(limit, Completion<absl::Status>(std::move(handler)));
        },
        token, this, timeout);
  }

  // Ends everything: tokens are lost, what is under way completes with kCancelled, and the names
  // are given back. Completes when the directory knows, or after a second without hearing from it:
  // then the lease runs out by itself. Nothing is under way any more by then. The destructor does
  // the same without telling the directory, and without waiting.
  template <typename Token = asio::use_awaitable_t<>>
  auto Stop(Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, Directory* self) {
          self->StartStop(Completion<absl::Status>(std::move(handler)));
        },
        token, this);
  }

  // Ends our session, as a lease that runs out does: all tokens are lost, and we go on under a new
  // incarnation, which ends what is left of the old one at the directory. Without effect when
  // `incarnation` is not ours any more, and for a client.
  virtual void Renounce(uint64_t incarnation, std::string why) = 0;

  virtual DirectoryStats Stats() const = 0;

  virtual void StartRegister(Name name, Holding holding, Attributes attributes,
                             std::chrono::milliseconds timeout,
                             Completion<absl::StatusOr<Registration>> completion) = 0;
  virtual void StartResolve(Selector selector, std::chrono::milliseconds timeout,
                            Completion<absl::StatusOr<Resolution>> completion) = 0;
  virtual void StartWaitReady(std::chrono::milliseconds timeout,
                              Completion<absl::Status> completion) = 0;
  virtual void StartFlush(std::chrono::milliseconds timeout,
                          Completion<absl::StatusOr<uint64_t>> completion) = 0;
  virtual void StartStop(Completion<absl::Status> completion) = 0;
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_DIRECTORY_H_
