// DirectoryMember: what a DirectoryMembership is made of: our own registration, which is begun
// again whenever it is lost, and the watch of everybody's.
//
//   joining --registered--> joined --lease lost, or released--> joining, or left
//
// One attempt is under way at a time: to register, or to tell of changed attributes. Whatever comes
// in the meantime is what the next one does.
//
// Internal to grid/membership. Everything on the membership's thread, but for what says otherwise.
#ifndef GRID_GRID_MEMBERSHIP_DIRECTORY_MEMBER_H_
#define GRID_GRID_MEMBERSHIP_DIRECTORY_MEMBER_H_

#include <atomic>
#include <boost/asio/bind_executor.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/membership/directory_membership.h"
#include "grid/membership/member_table.h"
#include "grid/membership/membership_board.h"
#include "grid/membership/tombstones.h"
#include "grid/transport/loop_timer.h"

namespace grid::internal {

class DirectoryMember final : public std::enable_shared_from_this<DirectoryMember> {
 public:
  // `options` have been checked, with nothing null; `name` is what we register.
  DirectoryMember(Directory& directory, DirectoryMembershipOptions options, Name name);

  void Start();
  void Change(const AttributeChanges& changes, Completion<absl::Status> completion);
  void Leave(Completion<absl::Status> completion);
  void DeclareDown(const Tombstone& tombstone, Completion<absl::Status> completion);
  // The Membership is gone. What was posted before still comes.
  void Close();

  // --- Any thread ---

  asio::io_context& io() { return *options_.io; }
  MembershipBoard& board() { return *board_; }
  MembershipStats Stats() const;
  // The directory is not used afterwards.
  void LetGoOfDirectory();

 private:
  struct Waiter {
    uint64_t version;
    Completion<absl::Status> completion;
  };

  // `function(Directory&)`, while there is one.
  template <typename Function>
  void WithDirectory(Function function) {
    std::lock_guard lock(directory_mutex_);
    if (directory_ != nullptr) function(*directory_);
  }
  // A completion handler for `function(DirectoryMember&, Result)`, as long as we are there.
  template <typename Result, typename Function>
  Completion<Result> Then(Function function);

  // Does what is to be done next for our own registration.
  void Sync();
  void OnRegistered(uint64_t version, absl::StatusOr<Registration> registered);
  void OnTold(uint64_t version, const absl::Status& told);
  void OnLost(uint64_t epoch);
  // What came of the attempt for `version` and those before.
  void Finish(uint64_t version, const absl::Status& status);
  Duration PauseAfter(uint32_t failures);

  void Watch();
  void OnEvent(absl::StatusOr<WatchEvent> event);
  void Apply(const WatchEvent& event);
  std::optional<Member> MemberOf(const Entry& entry);
  // The entry is a tombstone; no member's, whatever it says.
  static bool IsTombstone(const Entry& entry);
  bool ApplyTombstones(const WatchEvent& event);
  // Whether we ourselves were declared down.
  void CheckOurselves();
  void OnDeclared(uint64_t number, const Tombstone& tombstone, absl::StatusOr<Registration> put_up);
  void TakeDown();
  void OnTableTimer();
  // The table may have changed.
  void Publish(bool changed);

  const DirectoryMembershipOptions options_;
  const Name name_;
  const std::shared_ptr<MembershipBoard> board_;
  std::mutex directory_mutex_;
  Directory* directory_ ABSL_GUARDED_BY(directory_mutex_);
  std::mt19937_64 random_;

  // Our own.
  Attributes attributes_;
  uint64_t version_ = 1;  // of attributes_
  uint64_t told_ = 0;     // the version that the directory has
  Registration registration_;
  bool busy_ = false;  // an attempt is under way
  bool left_ = false;
  uint32_t failures_ = 0;  // in a row
  std::vector<Waiter> waiters_;
  std::vector<Completion<absl::Status>> leaving_;
  LoopTimer retry_;

  // Everybody's.
  MemberTable table_;
  Tombstones tombstones_;
  Watcher watcher_;
  uint32_t watch_failures_ = 0;
  LoopTimer watch_retry_;
  LoopTimer table_timer_;

  // The tombstones that we hold up, and until when; and who waits for one to be put up.
  std::multimap<TimePoint, Registration> held_up_;
  std::map<uint64_t, Completion<absl::Status>> declaring_;
  uint64_t last_declared_ = 0;
  uint64_t renounced_last_ = 0;  // the incarnation of ours that was declared down
  LoopTimer take_down_;

  std::atomic<uint64_t> members_{0}, joined_{0}, lost_{0}, suspected_{0}, retries_{0};
  std::atomic<uint64_t> ignored_{0}, member_limit_{0};
  std::atomic<uint64_t> buried_{0}, declared_{0}, renounced_{0}, tombstone_limit_{0};
};

template <typename Result, typename Function>
Completion<Result> DirectoryMember::Then(Function function) {
  return Completion<Result>(
      asio::bind_executor(io().get_executor(), [weak = weak_from_this(), function](Result result) {
        if (const auto self = weak.lock()) function(*self, std::move(result));
      }));
}

}  // namespace grid::internal

#endif  // GRID_GRID_MEMBERSHIP_DIRECTORY_MEMBER_H_
