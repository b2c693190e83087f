// Registry: the table of a directory that is kept in memory: sessions with leases, and their
// registrations. The local and the hosted directory are made of it. A state machine without I/O:
// no thread, and the time is an argument.
//
// A session belongs to one incarnation of one member, and lasts for the lease since it was last
// renewed; its entries go with it. A newer incarnation of the member ends the older one's at once.
//
// A registry that takes over from an earlier one, whose entries it can't know, gives nothing away
// during its grace time: holders renew what they had (RegisterCall::claim), and everybody else
// waits. That ends early when all members that are expected have said that they are done.
//
// Flush takes everything away. A session that held something is over, which its member hears at its
// next renewal; until all these members are back as another incarnation, or their leases have run
// out, nobody gets a name.
//
//   Registry registry({.lease = 15s});
//   registry.Renew({.member = "http://a:1", .incarnation = 1}, now);
//   registry.Register({.member = "http://a:1", .incarnation = 1, .request = 1, .name = name}, now);
//
// Not thread-safe.
#ifndef GRID_GRID_DIRECTORY_REGISTRY_H_
#define GRID_GRID_DIRECTORY_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/directory/directory_backend.h"
#include "grid/directory/entry.h"
#include "grid/directory/selector.h"
#include "grid/directory/watch_view.h"

namespace grid {

// What a registry bounds; each has a counter in RegistryStats.
struct RegistryLimits {
  size_t max_entries = 100'000;
  size_t max_sessions = 10'000;
  size_t max_watches = 10'000;
  size_t max_watch_events = 1'000;  // that wait for one watch; see WatchView
};

struct RegistryOptions {
  Duration lease = std::chrono::seconds(15);
  RegistryLimits limits = {};
  // Epochs begin above this: a registry that follows another begins beyond the other's last.
  uint64_t last_epoch = 0;
  // Until then what the predecessor's holders do not claim is not given away.
  TimePoint grace_end = TimePoint::min();
  // Who has to be settled for the grace time to end early. Empty: it never does.
  std::vector<std::string> expected = {};
};

struct RegistryStats {
  uint64_t entries = 0, sessions = 0, watches = 0;  // gauges
  uint64_t registered = 0, claimed = 0, deregistered = 0;
  uint64_t expired = 0;     // sessions whose lease ran out
  uint64_t superseded = 0;  // sessions ended by a newer incarnation
  uint64_t flushed = 0;     // registrations removed by Flush
  uint64_t coalesced = 0;   // watches that were too slow
  // Refused by a limit, or because somebody holds the name.
  uint64_t entry_limit = 0, session_limit = 0, watch_limit = 0, already_held = 0;
};

class Registry {
 public:
  explicit Registry(RegistryOptions options);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Opens the session or renews it. kFailedPrecondition: a newer incarnation of the member has one.
  // kResourceExhausted: max_sessions. kAborted: the session was flushed.
  absl::StatusOr<LeaseGrant> Renew(const LeaseCall& call, TimePoint now);

  // The same call again is answered as the first time. kAlreadyExists with the holder (HolderOf);
  // kAborted: there is no such session; kNotFound: a claim comes too late; kUnavailable: during the
  // grace time, and after a Flush; kInvalidArgument; kResourceExhausted: max_entries.
  absl::StatusOr<Entry> Register(const RegisterCall& call, TimePoint now);
  // kNotFound: the session does not hold it (any more).
  absl::Status Update(const UpdateCall& call, TimePoint now);
  // OK also when there is no such registration. Never touches anybody else's.
  absl::Status Deregister(const DeregisterCall& call, TimePoint now);
  // Ends the session, with all it holds.
  void End(const LeaseCall& call, TimePoint now);

  // Removes every registration, and what could still be claimed; returns how many there were.
  uint64_t Flush(TimePoint now);

  std::vector<Entry> Resolve(const Selector& selector, TimePoint now);

  // A watch, which is filled at once; ends when it is destroyed, and must not outlive the registry.
  // `ready` is called, from inside the functions above, whenever the view becomes ready; it must
  // not call back. kResourceExhausted: max_watches.
  class Watch;
  absl::StatusOr<std::unique_ptr<Watch>> StartWatch(const Selector& selector,
                                                    absl::AnyInvocable<void()> ready,
                                                    TimePoint now);

  // Ends the sessions whose lease has run out. The functions above do so first.
  void Expire(TimePoint now);
  // When the next one does; nothing when there is none.
  std::optional<TimePoint> NextExpiry() const;

  bool InGrace(TimePoint now) const;
  RegistryStats Stats() const;

 private:
  struct Record {
    Entry entry;
    uint64_t request = 0;
  };
  struct Session {
    uint64_t incarnation = 0;
    TimePoint expires = {};
    bool settled = false;
    bool flushed = false;                 // over, but its member has not heard of it
    std::map<uint64_t, Name> holds = {};  // by epoch
  };
  using Holders = std::map<uint64_t, Record>;  // of one name, by epoch
  using Sessions = std::map<std::string, Session>;

  Session* FindSession(const std::string& member, uint64_t incarnation);
  Record* FindOwn(const Session& session, const Name& name, uint64_t epoch, uint64_t request);
  std::optional<Entry> Conflict(const RegisterCall& call) const;
  Entry Insert(Session& session, const RegisterCall& call);
  void Remove(Session& session, const Name& name, uint64_t epoch);
  void RemoveAll(Session& session);
  void EndSession(Sessions::iterator found);
  absl::Status WhyNotNow(TimePoint now) const;
  // Calls `visit` for every record that the selector may mean.
  template <typename Visit>
  void ForEach(const Selector& selector, Visit visit) const;

  const RegistryOptions options_;
  std::map<std::string, Holders> names_;  // by name, as text
  Sessions sessions_;                     // by member
  std::set<std::pair<TimePoint, std::string>> expiries_;
  std::set<Watch*> watches_;
  uint64_t last_epoch_ = 0;
  size_t flushed_sessions_ = 0;
  bool claims_over_ = false;  // whatever was held before was flushed
  RegistryStats stats_;
};

class Registry::Watch {
 public:
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  bool ready() const { return view_.ready(); }
  WatchEvent Take() { return view_.Take(); }

 private:
  friend class Registry;
  Watch(Registry* registry, const Selector& selector, size_t max_events,
        absl::AnyInvocable<void()> ready)
      : registry_(registry), view_(selector, max_events), notify_(std::move(ready)) {}

  Registry* const registry_;
  WatchView view_;
  absl::AnyInvocable<void()> notify_;
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_REGISTRY_H_
