// PendingCall: the outcome of one outgoing request, on its way to the completion handler. Recycled
// by its Link.
#ifndef GRID_GRID_RUNTIME_PENDING_CALL_H_
#define GRID_GRID_RUNTIME_PENDING_CALL_H_

#include <utility>

#include "grid/mux/session_host.h"
#include "grid/runtime/link.h"

namespace grid {

class PendingCall final : public CallSink {
 public:
  explicit PendingCall(Link& link) : link_(link) {}

  void Begin(ReplyHandler handler) { handler_ = std::move(handler); }
  // Takes the handler back, when the call could not start or was cancelled.
  ReplyHandler TakeHandler() { return std::move(handler_); }

  // The call is recycled first: the handler may start the next.
  void OnReply(BytesView payload) override {
    Link& link = link_;
    ReplyHandler handler = std::move(handler_);
    link.Recycle(this);
    Buffer whole = link.session().TakePayload();
    handler.Reply(link.loop().io(), link.pool(),
                  whole.is_nil() ? PayloadRef(payload) : PayloadRef(std::move(whole)));
  }
  void OnError(const absl::Status& status) override {
    Link& link = link_;
    ReplyHandler handler = std::move(handler_);
    link.Recycle(this);
    handler.Fail(&link.loop().io(), status);
  }

 private:
  Link& link_;
  ReplyHandler handler_;
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_PENDING_CALL_H_
