// StreamEnd: what the program writes, and what waits for credit.
#include <boost/asio/bind_executor.hpp>
#include <future>
#include <mutex>
#include <utility>

#include "grid/runtime/stream_end.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

// A stream message is never nil: version 1 can't carry that (PROTOCOL.md, "Version 1 peers").
PayloadRef NotNil(PayloadRef payload) {
  return IsNil(payload.view()) ? PayloadRef(EmptyBytes()) : payload;
}

}  // namespace

void StreamEnd::StartWrite(PayloadRef payload, WriteHandler handler) {
  StartWrite(payload, OutgoingMessage(), std::move(handler));
}

void StreamEnd::StartWritePiece(PayloadRef piece, bool last, WriteHandler handler) {
  StartWrite(piece, OutgoingMessage::Piece(last), std::move(handler));
}

void StreamEnd::StartWrite(PayloadRef payload, OutgoingMessage message, WriteHandler handler) {
  absl::Status error;
  uint64_t number = 0;
  Link* here;
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(mutex_);
    here = LinkHere();
    if (compression_.enabled) link = link_;
    error = SendError();
    if (error.ok() && write_pending_) error = absl::FailedPreconditionError("one Write at a time");
    if (error.ok()) {
      write_pending_ = true;
      number = ++write_number_;
    }
  }
  if (!error.ok()) return Later(here, handler.With(std::move(error)));
  // Here, on the caller's thread: the slot is not ours to touch on any other.
  auto slot = handler.cancellation_slot();
  if (slot.is_connected()) {
    slot.assign([weak = weak_from_this(), number](asio::cancellation_type) {
      if (auto self = weak.lock()) self->CancelWrite(number);
    });
  }
  payload = NotNil(payload);
  OutgoingPayload packed;
  if (link != nullptr) {
    packed = message.Compress(link->compressor(), compression_, payload.view());
    payload = packed.Wire(payload);
  }
  if (here != nullptr) {
    // Straight into what is being sent; copied first only if it has to wait.
    SendOrBlock(&here->session(), mux_, payload, &message, std::move(handler));
    return here->Changed();
  }
  Run([copy = payload.Take(*pool_), message, handler = std::move(handler)](
          StreamEnd& self, Session* session, StreamMux* mux) mutable {
    OutgoingPayload packed;
    // What was written before there was a link to compress it for.
    if (session != nullptr && self.compression_.enabled) {
      if (const std::shared_ptr<Link> link = self.CurrentLink()) {
        packed = message.Compress(link->compressor(), self.compression_, copy);
      }
    }
    self.SendOrBlock(session, mux, packed.Wire(std::move(copy)), &message, std::move(handler));
  });
}

void StreamEnd::SendOrBlock(Session* session, StreamMux* mux, PayloadRef payload,
                            OutgoingMessage* message, WriteHandler handler) {
  if (std::optional<absl::Status> status = Send(session, mux, payload, message)) {
    return FinishWrite(std::move(handler), *std::move(status));
  }
  blocked_write_ = {payload.Take(*pool_), *message, std::move(handler)};
}

// What became of the message; nothing yet while there is no credit for it.
// The payload is taken only if it was sent.
std::optional<absl::Status> StreamEnd::Send(Session* session, StreamMux* mux, PayloadRef payload,
                                            OutgoingMessage* message) {
  auto result = Session::SendResult::kClosed;
  if (mux != nullptr) result = message->Send(*session, mux, payload);
  if (result == Session::SendResult::kSent) return absl::OkStatus();
  if (result == Session::SendResult::kNoCredit) return std::nullopt;
  if (result == Session::SendResult::kClosed) return WhyClosed();
  return message->ErrorOf(result, *session, payload.view());
}

// Why nothing can be written; OK if it still can.
absl::Status StreamEnd::SendError() const {
  if (end_.has_value()) {
    return end_->ok() ? absl::FailedPreconditionError("the peer has ended the stream") : *end_;
  }
  if (send_closed_) {
    return absl::FailedPreconditionError("the stream takes no more input from this end");
  }
  return absl::OkStatus();
}

// The same where it can't, by what the session says.
absl::Status StreamEnd::WhyClosed() {
  std::lock_guard lock(mutex_);
  absl::Status error = SendError();
  return error.ok() ? DisconnectedError("the stream has ended", Delivery::kMaybeExecuted) : error;
}

// Loop thread, or no link.
void StreamEnd::FinishWrite(WriteHandler handler, absl::Status status) {
  Link* here;
  {
    std::lock_guard lock(mutex_);
    write_pending_ = false;
    here = LinkHere();
  }
  Later(here, handler.With(std::move(status)));
}

void StreamEnd::FinishBlockedWrite(absl::Status status) {
  WriteHandler handler = std::move(blocked_write_->handler);
  blocked_write_.reset();
  FinishWrite(std::move(handler), std::move(status));
}

// The stream has ended.
void StreamEnd::FailBlockedWrite() {
  if (blocked_write_.has_value()) FinishBlockedWrite(WhyClosed());
}

// It comes behind its write: that has been sent by then, or waits for credit.
void StreamEnd::CancelWrite(uint64_t number) {
  Run([number](StreamEnd& self, Session* session, StreamMux* mux) {
    // Without a mux the end of the stream completes it.
    if (mux == nullptr || !self.blocked_write_.has_value()) return;
    // The peer has a part of it: without the rest it would take the message for another.
    if (self.blocked_write_->message.begun()) return;
    {
      std::lock_guard lock(self.mutex_);
      if (self.write_number_ != number) return;
    }
    self.FinishBlockedWrite(absl::CancelledError("Write was cancelled"));
    self.AfterWrite(session, mux);
  });
}

void StreamEnd::OnSendable() {
  if (!blocked_write_.has_value()) return;
  Session* session;
  {
    std::lock_guard lock(mutex_);
    session = &link_->session();
  }
  std::optional<absl::Status> status =
      Send(session, mux_, std::move(blocked_write_->payload), &blocked_write_->message);
  if (!status.has_value()) return;
  FinishBlockedWrite(*std::move(status));
  AfterWrite(session, mux_);
}

// What was asked for while a write waited.
void StreamEnd::AfterWrite(Session* session, StreamMux* mux) {
  if (mux == nullptr) return;
  if (std::exchange(close_after_write_, false)) session->CloseSend(mux);
  if (!finish_after_write_.has_value()) return;
  FinishNow(session, mux, *finish_after_write_);
}

absl::Status StreamEnd::WriteBlocking(PayloadRef payload) {
  return WriteBlocking(payload, OutgoingMessage());
}

absl::Status StreamEnd::WritePieceBlocking(PayloadRef piece, bool last) {
  return WriteBlocking(piece, OutgoingMessage::Piece(last));
}

absl::Status StreamEnd::WriteBlocking(PayloadRef payload, OutgoingMessage message) {
  if (absl::Status error = CheckMayBlock(); !error.ok()) return error;
  auto written = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> status = written->get_future();
  // On the system's executor: the I/O thread need not be free to wake us.
  StartWrite(
      payload, message,
      WriteHandler(asio::bind_executor(asio::system_executor(), [written](absl::Status result) {
        written->set_value(std::move(result));
      })));
  return status.get();
}

}  // namespace grid
