// SingleReply: the right to answer one request, once: what a SingleStarter is given (registrar.h).
//
//   [](Buffer request, RequestContext& context, SingleReply reply) {
//     database.Read(request, [reply = std::move(reply)](Buffer row) mutable { reply(row); });
//   }
#ifndef GRID_HANDLERS_SINGLE_REPLY_H_
#define GRID_HANDLERS_SINGLE_REPLY_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "serialization/buffer.h"

namespace grid {

// Move-only. Any thread, one at a time. One that is let go of unused has answered kInternal.
class SingleReply {
 public:
  // The request that waits for it; the runtime's.
  class Call {
   public:
    // Once; the call is gone then.
    virtual void Reply(absl::StatusOr<Buffer> result) = 0;

   protected:
    ~Call() = default;
  };

  SingleReply() = default;
  explicit SingleReply(Call* call) : call_(call) {}
  SingleReply(SingleReply&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  SingleReply& operator=(SingleReply&& other) noexcept {
    if (this != &other) Drop();
    call_ = std::exchange(other.call_, nullptr);
    return *this;
  }
  ~SingleReply() { Drop(); }

  explicit operator bool() const { return call_ != nullptr; }
  // An error reaches the caller as text. The RequestContext is gone once it has been called; a
  // callback of the context's that runs on another thread is waited for.
  void operator()(absl::StatusOr<Buffer> result) {
    std::exchange(call_, nullptr)->Reply(std::move(result));
  }

 private:
  void Drop() {
    if (call_ != nullptr) (*this)(absl::InternalError("the handler has dropped the request"));
  }

  Call* call_ = nullptr;
};

}  // namespace grid

#endif  // GRID_HANDLERS_SINGLE_REPLY_H_
