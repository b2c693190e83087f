// Resident: one target of this process, an actor or a mailbox: its registration, its box, how it is
// ended, and who waits for that.
//
//   running --> ending (its box has ended; the name is being given back) --> over
//
// Internal to grid/actor. Any thread.
#ifndef GRID_GRID_ACTOR_RESIDENT_H_
#define GRID_GRID_ACTOR_RESIDENT_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/post.h"
#include "grid/actor/target.h"
#include "grid/directory/directory.h"
#include "handlers/completion.h"

namespace grid::internal {

class Resident final : public std::enable_shared_from_this<Resident> {
 public:
  // What it runs, until it has ended.
  struct Box {
    std::shared_ptr<LetterBox> letters;  // where they go; null: it has ended
    std::function<void(StopMode)> stop;
    std::function<void(const absl::Status&)> lose_lease;  // it is gone for good, and why
  };

  // Completions without an executor of their own run on `io`. `trusted_callers` stay, and stand in
  // the directory as an attribute.
  Resident(boost::asio::io_context& io, Registration registration,
           std::vector<std::string> trusted_callers);

  // As the directory has it; after a lost lease a shared holder is another target.
  Target target() const;
  Entry entry() const;
  LeaseToken lease() const;
  const std::vector<std::string>& trusted_callers() const { return trusted_callers_; }
  std::shared_ptr<LetterBox> letters() const;
  bool over() const { return over_.load(); }

  // Once. It is stopped at once when somebody has asked for that already.
  void SetBox(Box box);
  void Stop(StopMode mode);
  void LoseLease(const absl::Status& why);
  bool stopping() const;
  void StartWait(Completion<absl::Status> completion);
  void StartUpdate(Attributes attributes, std::chrono::milliseconds timeout,
                   Completion<absl::Status> completion);
  // Resolvers skip it from now on; nobody waits for it.
  void MarkDraining();
  // A lost registration's successor. False: it is ending, and `registration` is given back.
  bool Replace(Registration registration);
  // The box has ended: gives the name back, calls `done`, then who waits.
  void End(const absl::Status& why, std::function<void()> done);

 private:
  void OnReleased(const absl::Status& why);

  boost::asio::io_context& io_;
  const std::vector<std::string> trusted_callers_;
  std::atomic<bool> over_{false};
  mutable std::mutex mutex_;
  Entry entry_ ABSL_GUARDED_BY(mutex_);
  LeaseToken lease_ ABSL_GUARDED_BY(mutex_);
  Registration registration_ ABSL_GUARDED_BY(mutex_);
  Box box_ ABSL_GUARDED_BY(mutex_);
  std::optional<StopMode> asked_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> why_ ABSL_GUARDED_BY(mutex_);
  std::vector<Completion<absl::Status>> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_RESIDENT_H_
