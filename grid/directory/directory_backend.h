// DirectoryBackend: who keeps the table of a directory: this process (local), a member (hosted),
// etcd. It only passes on what it is asked; leases, tokens, repetition and caches are the
// DirectoryClient's, the same over all of them.
//
// Everything happens on the directory's thread. `done` is called exactly once, never from inside
// the function that is given it, and by the end of `limit`, unless the backend is closed before:
// then at most once, and never once it is destroyed. What the statuses mean to the client:
//
//   kAborted             the session is not there (any more): renew, or begin anew
//   kFailedPrecondition  a newer incarnation of the member has replaced this one
//   kUnavailable, kDeadlineExceeded, kCancelled: not reached; tried again
//   any other            the answer
#ifndef GRID_GRID_DIRECTORY_DIRECTORY_BACKEND_H_
#define GRID_GRID_DIRECTORY_DIRECTORY_BACKEND_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/directory/entry.h"
#include "grid/directory/name.h"
#include "grid/directory/selector.h"

namespace grid {

// A session: one incarnation of one member. The hosted directory takes the member from the
// connection, whatever is said here.
struct LeaseCall {
  std::string member = {};
  uint64_t incarnation = 0;
  uint64_t seen_epoch = 0;  // the greatest that the member has seen
  // How many registrations the member has. At a directory that was restarted it is settled once
  // the session has as many.
  uint64_t holds = 0;
};

struct LeaseGrant {
  // The session was not there: what the member holds must be claimed.
  bool fresh = false;
};

struct RegisterCall {
  std::string member = {};
  uint64_t incarnation = 0;
  uint64_t request = 0;  // unique within the incarnation; the same when a call is repeated
  Name name;
  Holding holding = Holding::kExclusive;
  Attributes attributes = {};
  uint64_t claim = 0;  // the epoch that it had before the directory restarted; 0: it is new
};

struct UpdateCall {
  std::string member = {};
  uint64_t incarnation = 0;
  Name name;
  uint64_t epoch = 0;
  Attributes attributes = {};
};

struct DeregisterCall {
  std::string member = {};
  uint64_t incarnation = 0;
  Name name;
  uint64_t epoch = 0;    // 0: not known, as the answer was lost; then the request counts
  uint64_t request = 0;  // of the RegisterCall
};

// What a subscription brings. Called on the directory's thread, never after the subscription was
// destroyed, which may be done from inside.
class SubscriptionSink {
 public:
  virtual ~SubscriptionSink() = default;
  // All there is; comes first.
  virtual void OnAll(std::vector<Entry> entries) = 0;
  virtual void OnPut(Entry entry) = 0;  // new, or changed
  virtual void OnRemove(const Name& name, uint64_t epoch) = 0;
  // It has ended, and nothing follows.
  virtual void OnEnd(absl::Status why) = 0;
};

struct DirectoryStats;

class Subscription {
 public:
  virtual ~Subscription() = default;
};

class DirectoryBackend {
 public:
  template <typename T>
  using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;
  using StatusDone = absl::AnyInvocable<void(absl::Status)>;

  virtual ~DirectoryBackend() = default;

  virtual void Renew(LeaseCall call, Duration limit, Done<LeaseGrant> done) = 0;
  virtual void Register(RegisterCall call, Duration limit, Done<Entry> done) = 0;
  virtual void Update(UpdateCall call, Duration limit, StatusDone done) = 0;
  virtual void Deregister(DeregisterCall call, Duration limit, StatusDone done) = 0;
  virtual void End(LeaseCall call, Duration limit, StatusDone done) = 0;
  // Ends every session, with all it holds, and says how many registrations that were. Each member
  // hears of it by kAborted with its next renewal, at the latest; until all have heard, or a lease
  // has passed, nobody gets a name.
  virtual void Flush(Duration limit, Done<uint64_t> done) = 0;
  virtual void Resolve(Selector selector, Duration limit, Done<std::vector<Entry>> done) = 0;
  // `sink` must outlive what is returned.
  virtual std::unique_ptr<Subscription> Subscribe(const Selector& selector,
                                                  SubscriptionSink& sink) = 0;
  // Adds what the backend itself counts. Any thread.
  virtual void AddStats(DirectoryStats& stats) const { (void)stats; }
  // The Directory is going away. Once this has returned no other thread uses the directory's
  // thread; the destructor follows, on that thread. Any thread.
  virtual void Close() {}
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_DIRECTORY_BACKEND_H_
