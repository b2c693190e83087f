// PendingCall: the outcome of one outgoing request, on its way to the completion handler. Recycled
// by its Link.
#ifndef GRID_GRID_RUNTIME_PENDING_CALL_H_
#define GRID_GRID_RUNTIME_PENDING_CALL_H_

#include <utility>

#include "grid/mux/session_host.h"
#include "grid/runtime/complete.h"
#include "grid/runtime/link.h"

namespace grid {

class PendingCall final : public CallSink {
 public:
  explicit PendingCall(Link& link) : link_(link) {}

  void Begin(ReplyHandler handler) { StoreHandler(handler_, std::move(handler)); }
  // Takes the handler back, when the call could not start or was cancelled.
  ReplyHandler TakeHandler() { return std::move(handler_); }

  void OnReply(BytesView payload) override { Complete(link_.pool().Copy(payload)); }
  void OnError(const absl::Status& status) override { Complete(status); }

 private:
  void Complete(absl::StatusOr<Buffer> result) {
    ReplyHandler handler = std::move(handler_);
    link_.Recycle(this);  // first: the handler may start the next call
    CompleteOnLoop(link_.loop().io(), std::move(handler), std::move(result));
  }

  Link& link_;
  ReplyHandler handler_;
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_PENDING_CALL_H_
