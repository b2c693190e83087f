// PostOffice: the Post of an ActorSystem: letters for this process go into their boxes, all others
// over the manager's connections.
//
// Internal to grid/actor. Any thread.
#ifndef GRID_GRID_ACTOR_POST_OFFICE_H_
#define GRID_GRID_ACTOR_POST_OFFICE_H_

#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/actor/local_letters.h"
#include "grid/actor/post.h"
#include "grid/actor/residents.h"
#include "grid/base/clock.h"
#include "grid/manager.h"

namespace grid::internal {

class PostOffice final : public Post {
 public:
  // `manager` must live until Close.
  PostOffice(Manager& manager, std::shared_ptr<Residents> residents, std::shared_ptr<Clock> clock);

  // From now on everything fails with kFailedPrecondition, not sent.
  void Close();

  std::shared_ptr<const LocalLetters> letters() const override { return letters_; }
  void Deliver(const Target& target, const Message& message,
               std::unique_ptr<OutcomeSink> sink) override;
  std::shared_ptr<LetterBox> BoxHere(const Target& target) override;
  void DeliverMany(const std::string& member, const std::vector<Target>& targets,
                   const Message& message, std::shared_ptr<OutcomesSink> sink,
                   std::shared_ptr<Cancellation> cancellation) override;
  void WhenConnected(const std::string& member,
                     absl::AnyInvocable<void(absl::Status)> done) override;

 private:
  void DeliverHere(const Target& target, const Message& message, std::unique_ptr<OutcomeSink> sink);
  // To the member, and the time that is left, in ms; or why nothing can be sent.
  absl::StatusOr<Connection> To(const std::string& member) const;
  absl::StatusOr<std::chrono::milliseconds> TimeLeft(const Message& message) const;

  const std::shared_ptr<const LocalLetters> letters_;
  const std::shared_ptr<Residents> residents_;
  const std::shared_ptr<Clock> clock_;
  mutable std::shared_mutex mutex_;
  Manager* manager_ ABSL_GUARDED_BY(mutex_);  // null: closed
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_POST_OFFICE_H_
