// Hold: one registration of ours, behind the Registration that the user has.
//
//   attached --- the directory was restarted ---> detached --- claimed ---> attached
//       |                                            |
//       +-----------------------+--------------------+
//                released, or the lease has lapsed ---> over
//
// The directory's thread, but for what RegistrationBackend says.
#ifndef GRID_GRID_DIRECTORY_HOLD_H_
#define GRID_GRID_DIRECTORY_HOLD_H_

#include <memory>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "grid/directory/directory_core.h"

namespace grid::internal {

class Hold final : public RegistrationBackend, public std::enable_shared_from_this<Hold> {
 public:
  Hold(std::shared_ptr<DirectoryCore> core, Entry entry, uint64_t request, TimePoint until);

  Entry entry() const override;
  LeaseToken token() const override { return LeaseToken(token_); }
  void StartUpdate(Attributes attributes, std::chrono::milliseconds timeout,
                   Completion<absl::Status> completion) override;
  void StartRelease(Completion<absl::Status> completion) override;

  bool over() const { return over_; }
  bool attached() const { return attached_; }
  TimePoint until() const { return token_->until(); }
  // The lease runs on. False: too late, the token has ended.
  bool Extend(TimePoint until) { return token_->Extend(until); }
  void Detach() { attached_ = false; }
  // Registers again at a directory that was restarted.
  void Claim();
  void Lose(const absl::Status& why);

 private:
  void Update(Attributes attributes, TimePoint deadline,
              const std::shared_ptr<DirectoryCore::Canceller>& canceller,
              Completion<absl::Status> completion);
  void OnClaimed(absl::StatusOr<Entry> claimed);
  void Release(Completion<absl::Status> completion);

  const std::shared_ptr<DirectoryCore> core_;
  const uint64_t request_;
  const std::shared_ptr<LeaseToken::State> token_;
  bool attached_ = true;
  bool claiming_ = false;
  bool updating_ = false;
  bool over_ = false;
  mutable std::mutex mutex_;
  Entry entry_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_HOLD_H_
