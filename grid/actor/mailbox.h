// Mailbox: a name that letters come to, without an actor: whoever has it reads them.
//
//   absl::StatusOr<Mailbox> mailbox = co_await system.OpenMailbox(*Name::Parse("shop/orders/in"));
//   for (;;) {
//     absl::StatusOr<Letter> letter = co_await mailbox->Receive();
//     if (!letter.ok()) break;
//     absl::StatusOr<Order> order = letter->Read(kOrder);
//     if (!order.ok()) letter->reply.Refuse(order.status());
//     else letter->Answer(kOrder, Take(*order));
//   }
//
// The same bounded queue that actors have (MailboxOptions). Closing answers what waits with
// "closed, not executed", and gives the name back; so does the end of the lease, if the name is
// exclusive. A shared one is registered again. Any thread.
#ifndef GRID_GRID_ACTOR_MAILBOX_H_
#define GRID_GRID_ACTOR_MAILBOX_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/letter.h"
#include "grid/directory/lease_token.h"
#include "grid/directory/name.h"
#include "handlers/completion.h"

namespace grid {

namespace asio = boost::asio;

namespace internal {
class MailboxEnd;
void StartReceive(const std::shared_ptr<MailboxEnd>& end,
                  Completion<absl::StatusOr<Letter>> completion);
}  // namespace internal

class Mailbox {
 public:
  Mailbox() = default;  // Receive fails with kFailedPrecondition
  explicit Mailbox(std::shared_ptr<internal::MailboxEnd> end) : end_(std::move(end)) {}
  Mailbox(Mailbox&&) noexcept = default;
  Mailbox& operator=(Mailbox&& other) noexcept;
  ~Mailbox();  // Close()

  // Not on a default-constructed or moved-from one. Of a shared name: as it was when it was opened,
  // also after a lost lease.
  const Name& name() const;
  uint64_t epoch() const;
  const LeaseToken& lease() const;

  // Completes with the next letter, the oldest first; one Receive at a time (a second one fails
  // with kFailedPrecondition); with kCancelled once it was closed, with kAborted once the lease of
  // an exclusive name was lost. Letters whose senders have given up are left out. Terminal or
  // partial cancellation completes it with kCancelled and loses no letter. On the associated
  // executor, otherwise on the system's threads.
  template <typename Token = asio::use_awaitable_t<>>
  auto Receive(Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<Letter>)>(
        [](auto handler, std::shared_ptr<internal::MailboxEnd> end) {
          internal::StartReceive(end, Completion<absl::StatusOr<Letter>>(std::move(handler)));
        },
        token, end_);
  }

  // Idempotent.
  void Close();

 private:
  std::shared_ptr<internal::MailboxEnd> end_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_MAILBOX_H_
