#include "grid/actor/mailbox.h"

#include "grid/actor/mailbox_end.h"

namespace grid {

Mailbox& Mailbox::operator=(Mailbox&& other) noexcept {
  Mailbox taken(std::move(other));
  end_.swap(taken.end_);
  return *this;
}

Mailbox::~Mailbox() { Close(); }

const Name& Mailbox::name() const { return end_->name(); }
uint64_t Mailbox::epoch() const { return end_->epoch(); }
const LeaseToken& Mailbox::lease() const { return end_->lease(); }

void Mailbox::Close() {
  if (end_ != nullptr) end_->Close();
}

void internal::StartReceive(const std::shared_ptr<MailboxEnd>& end,
                            Completion<absl::StatusOr<Letter>> completion) {
  if (end != nullptr) return end->StartReceive(std::move(completion));
  // There is no system whose threads it could run on.
  completion.Post(absl::FailedPreconditionError("this Mailbox has no name"));
}

}  // namespace grid
