// CellAnswers: what an actor or mailbox hears of the answers to its letters: errors are counted,
// those that nobody waits for are logged as well, and after a kill none is passed on.
//
// Shared by it and by every answer that is still open. Any thread.
#ifndef GRID_GRID_ACTOR_CELL_ANSWERS_H_
#define GRID_GRID_ACTOR_CELL_ANSWERS_H_

#include <atomic>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/actor/actor_runtime.h"
#include "grid/actor/letter.h"
#include "grid/actor/mailbox_queue.h"
#include "grid/directory/name.h"

namespace grid::internal {

class CellAnswers final : public AnswerObserver {
 public:
  CellAnswers(std::shared_ptr<ActorRuntime> runtime, Name name)
      : runtime_(std::move(runtime)), name_(std::move(name)) {}

  // From now on every answer is kAborted, kMaybeExecuted.
  void Kill() { killed_.store(true, std::memory_order_release); }

  void OnAnswer(LetterOutcome& outcome, bool heard) override;
  void OnNoReply() override;
  void OnUnencodable(const absl::Status& error) override;

  // These answer what never begins, and count it.
  // What becomes of a letter that was put, and of those that made room for it.
  void Settle(Letter& letter, MailboxQueue::PutResult& put, const MailboxOptions& options) const;
  void RefuseClosed(std::vector<Letter> letters) const;
  void RefuseClosed(Letter& letter) const;
  void RefuseExpired(Letter& letter) const;
  // Its sender has given up, or its deadline has passed.
  bool IsLate(const Letter& letter, TimePoint now) const;
  // True: it was, and was answered so.
  bool RefuseLate(Letter& letter, TimePoint now) const;

  void Log(LogLevel level, std::string_view text) const;

 private:
  void RefuseFull(Letter& letter, const MailboxOptions& options) const;

  const std::shared_ptr<ActorRuntime> runtime_;
  const Name name_;
  std::atomic<bool> killed_{false};
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_CELL_ANSWERS_H_
