// StreamEnd: what arrives, and who reads it.
#include <mutex>
#include <utility>

#include "grid/runtime/stream_end.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

absl::Status ReadInPiecesError() {
  return absl::FailedPreconditionError("the stream is read with ReadPiece");
}

absl::Status OneReadError() { return absl::FailedPreconditionError("one Read at a time"); }

}  // namespace

// --- The program's side ---

void StreamEnd::StartRead(ReadHandler handler) {
  if (!read_pieces_) return StartRead(StreamReader(std::move(handler)));
  Link* here;
  {
    std::lock_guard lock(mutex_);
    here = LinkHere();
  }
  Later(here, handler.With(ReadInPiecesError()));
}

void StreamEnd::StartReadPiece(PieceHandler handler) {
  StartRead(StreamReader(std::move(handler)));
}

void StreamEnd::StartRead(StreamReader reader) {
  std::optional<StreamInbox::Taken> taken;
  Link* here;
  {
    std::lock_guard lock(mutex_);
    here = LinkHere();
    if (inbox_.has_reader()) {
      taken = StreamInbox::Taken{OneReadError()};
    } else {
      taken = inbox_.Take();
    }
    if (!taken.has_value()) {
      auto slot = reader.cancellation_slot();
      const uint64_t number = inbox_.Wait(std::move(reader));
      // Under the lock: until it is released nothing completes the reader, whose slot this is.
      if (slot.is_connected()) {
        slot.assign([weak = weak_from_this(), number](asio::cancellation_type) {
          if (auto self = weak.lock()) self->CancelRead(number);
        });
      }
      return;
    }
  }
  if (taken->first_unsettled) GiveCredits();
  Later(here, reader.With(std::move(taken->result)));
}

void StreamEnd::CancelRead(uint64_t number) {
  StreamReader reader;
  {
    std::lock_guard lock(mutex_);
    reader = inbox_.TakeReader(number);
  }
  if (reader) Later(nullptr, reader.With(absl::CancelledError("Read was cancelled")));
}

ReadResult StreamEnd::ReadBlocking() {
  if (read_pieces_) return ReadInPiecesError();
  return StreamReader::MessageOf(ReadPieceBlocking());
}

PieceResult StreamEnd::ReadPieceBlocking() {
  if (absl::Status error = CheckMayBlock(); !error.ok()) return error;
  std::optional<StreamInbox::Taken> taken;
  {
    std::unique_lock lock(mutex_);
    if (inbox_.has_reader()) return OneReadError();
    while (!(taken = inbox_.Take()).has_value()) changed_.wait(lock);
  }
  if (taken->first_unsettled) GiveCredits();
  return std::move(taken->result);
}

// Whoever takes the first tells the session; until that happens, others only add to it.
void StreamEnd::GiveCredits() {
  Run([](StreamEnd& self, Session* session, StreamMux* mux) {
    StreamInbox::Unsettled read;
    TimePoint now;
    {
      std::lock_guard lock(self.mutex_);
      read = self.inbox_.Settle();
      // Without a mux this may be any thread, and the link has gone down.
      if (mux != nullptr && self.link_ != nullptr) now = self.link_->Now();
    }
    if (mux != nullptr) session->Consumed(mux, read.messages, read.bytes, now);
  });
}

// --- The session's side ---

void StreamEnd::Arrive(BytesView payload, bool last) {
  StreamReader reader;
  Link* link;
  Buffer bytes;
  bool fits;
  {
    std::lock_guard lock(mutex_);
    link = link_.get();
    bytes = link->session().TakePayload();
    if (bytes.is_nil() && inbox_.Join(payload, last)) return changed_.notify_one();
    fits = !bytes.is_nil() || pool_->TryCopy(payload, &bytes);
    if (fits) {
      reader = inbox_.TakeReader();
      if (!reader) {
        inbox_.Put({std::move(bytes), last});
        return changed_.notify_one();
      }
    }
  }
  if (!fits) {
    link->CountBufferedLimit();
    return link->session().Abort(
        mux_, WithDelivery(absl::ResourceExhaustedError(
                               "max_buffered_bytes are held by messages that are not read"),
                           Delivery::kMaybeExecuted));
  }
  link->session().Consumed(mux_, last ? 1 : 0, payload.size(), link->Now());
  reader.Complete(&link->loop().io(), std::optional<Piece>({std::move(bytes), last}));
}

void StreamEnd::OnEof() {
  StreamReader reader;
  {
    std::lock_guard lock(mutex_);
    inbox_.Close(absl::OkStatus());
    changed_.notify_all();
    reader = inbox_.TakeReader();
  }
  if (reader) reader.Complete(&home_.loop().io(), PieceResult(std::nullopt));
}

}  // namespace grid
