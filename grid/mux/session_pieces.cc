// Session: stream messages in pieces: of any length, given to the sink as they come, each fragment
// within the window. Only where both ends speak fragments and credits, and who receives asks for
// it.
#include <algorithm>

#include "grid/mux/session.h"
#include "handlers/delivery.h"

namespace grid {

// We read this stream in pieces, and say so.
void Session::ReadInPieces(StreamMux* mux, ExtensionFields* fields) {
  if (!SpeaksPieces()) return;
  mux->reads_pieces = true;
  ++piece_readers_;
  fields->pieces = true;
}

// --- Sending ---

Session::SendResult Session::SendPiece(StreamMux* mux, BytesView payload, bool last, size_t* sent) {
  if (ended_ || mux->over || mux->sent_eof || mux->finishing) return SendResult::kClosed;
  if (!mux->peer_reads_pieces) {
    // The caller learns it with AckMux, as it does what it may send.
    const bool unknown = SpeaksPieces() && mux->side == StreamMux::Side::kCaller && !mux->acked;
    mux->wants_credit = unknown;
    return unknown ? SendResult::kNoCredit : SendResult::kNoPieces;
  }
  if (payload.empty() && !last) return SendResult::kSent;
  const size_t most = Fragmenter::BytesOf(config_.extensions.fragments);
  do {
    const BytesView part = payload.subspan(*sent, std::min(most, payload.size() - *sent));
    if (!(mux->sending.open ? mux->send.open_for_more() : mux->send.open())) {
      mux->wants_credit = true;
      return SendResult::kNoCredit;
    }
    if (WaitForOutput(mux, part.size())) return SendResult::kNoCredit;
    *sent += part.size();
    SendPart(mux, part, last && *sent == payload.size());
  } while (*sent < payload.size());
  return SendResult::kSent;
}

void Session::SendPart(StreamMux* mux, BytesView part, bool ends) {
  OpenMessage& open = mux->sending;
  const bool caller = mux->side == StreamMux::Side::kCaller;
  Message message{.mux_id = mux->id,
                  .seq = open.seq,
                  .op = caller ? Op::kMuxClientMsg : Op::kMuxServerMsg,
                  .flags = base_flags_,
                  .payload = part};
  if (part.empty()) message.flags |= kFlagPayloadIsZero;
  if (open.open) {
    mux->send.UseMore(part.size());
  } else {
    mux->send.Use(part.size());
    open = {.seq = mux->next_send++};
    message.seq = open.seq;
  }
  ExtensionBlock block;
  if (open.open || !ends) {
    block.Write({.offset = open.offset, .more = !ends});
    message.flags |= kFlagExtended;
    message.extension = block.view();
  }
  open.open = !ends;
  open.offset += part.size();
  // Behind everything else, as other large payloads are.
  const auto of = mux->priority == Priority::kDefault
                      ? OutputQueue::kNormal
                      : static_cast<OutputQueue::Class>(mux->priority);
  output_.PushToLane(message, of, {mux->id, caller});
  CheckOutput();
}

// --- Receiving ---

// False: it is none of a stream that is read in pieces.
bool Session::OnPiece(const Message& message) {
  const bool to_handler = message.op == Op::kMuxClientMsg;
  if (!to_handler && message.op != Op::kMuxServerMsg) return false;
  StreamMux* mux =
      FindAlive(message.mux_id, to_handler ? StreamMux::Side::kHandler : StreamMux::Side::kCaller);
  if (mux == nullptr || !mux->reads_pieces) return false;
  // An error is no piece of a message, however long its text is.
  if (!to_handler && (message.flags & kFlagPayloadIsErr) != 0) return false;
  // Compressed, it has to be whole before it can be read.
  if ((message.flags & compressed_flag_) != 0 && !mux->receiving.open) return false;
  OnPiece(message, mux);
  return true;
}

void Session::OnPiece(const Message& message, StreamMux* mux) {
  OpenMessage& open = mux->receiving;
  const size_t size = message.payload.size();
  if (mux->finishing) {
    // What still comes is dropped; numbers go on.
    if (!fields_.more && fields_.offset == 0) return Process(message);
    if (fields_.offset == 0 && !CheckSequence(message, mux)) return;
    return counters_.Count(Drop::kLateStreamMessage);
  }
  const bool compressed = (message.flags & compressed_flag_) != 0;
  if (compressed || (!fields_.more && fields_.offset == 0)) {
    if (!open.open || (message.flags & kFlagPayloadIsErr) != 0) return Process(message);
    return RefusePiece(mux, (message.flags & kFlagEof) != 0
                                ? "the stream ended inside a message"
                                : "a message came between the fragments of another");
  }
  if (open.open ? message.seq != open.seq || fields_.offset != open.offset : fields_.offset != 0) {
    return RefusePiece(mux, "a fragment is not the next of its message");
  }
  if (size > config_.extensions.fragments) {
    return RefusePiece(mux, "a fragment is larger than agreed");
  }
  if (size == 0 && fields_.more) return RefusePiece(mux, "a fragment is empty");
  const bool first = !open.open;
  // All of them have the number of the first.
  if (first && !CheckSequence(message, mux)) return;
  mux->last_heard = now_;
  if ((first || !mux->receive.open_for_more()) && !CheckCredit(mux)) return;
  if (first) {
    mux->receive.Receive(size);
    open = {.seq = message.seq};
  } else {
    mux->receive.ReceiveMore(size);
  }
  open.open = fields_.more;
  open.offset += size;
  // The sink may end the stream.
  const Credits grant{fields_.grant_messages, fields_.grant_bytes};
  const StreamMux::Side side = mux->side;
  mux->sink->OnPiece(IsNil(message.payload) ? EmptyBytes() : message.payload, !fields_.more);
  mux = FindAlive(message.mux_id, side);
  if (mux != nullptr) TakeCredits(mux, grant);
}

void Session::RefusePiece(StreamMux* mux, std::string_view what) {
  counters_.Count(Drop::kBadFragment);
  if (mux->side == StreamMux::Side::kHandler) CountReset();
  Abort(mux,
        WithDelivery(absl::DataLossError({what.data(), what.size()}), Delivery::kMaybeExecuted));
}

}  // namespace grid
