// OutgoingMessage: a message of a stream, or a piece of one, on its way into the session: what is
// known of it besides its bytes, which stay with whoever writes it.
//
//   OutgoingMessage message;  // whole; or OutgoingMessage::Piece(last)
//   OutgoingPayload packed = message.Compress(link.compressor(), how, payload.view());
//   message.Send(session, mux, packed.Wire(payload));  // after kNoCredit once more, the same
#ifndef GRID_GRID_RUNTIME_OUTGOING_MESSAGE_H_
#define GRID_GRID_RUNTIME_OUTGOING_MESSAGE_H_

#include <cstddef>

#include "absl/status/status.h"
#include "grid/mux/session.h"
#include "grid/runtime/payload_compressor.h"

namespace grid {

class OutgoingMessage {
 public:
  OutgoingMessage() = default;
  static OutgoingMessage Piece(bool last);

  // Pieces are never compressed, and nothing is twice. Any thread.
  OutgoingPayload Compress(const PayloadCompressor& compressor, const Compression& how,
                           BytesView payload);

  // As Session::Send, or SendPiece for what goes in pieces: also a whole message that is too large
  // for a peer that reads so. Loop thread.
  Session::SendResult Send(Session& session, StreamMux* mux, PayloadRef payload) {
    if (!in_pieces_) {
      const Session::SendResult result = session.Send(mux, payload, compressed_);
      // Inside another message it is an error.
      in_pieces_ = result == Session::SendResult::kInPieces && !mux->sending.open;
      if (!in_pieces_) return result;
    }
    return session.SendPiece(mux, payload.view(), last_, &sent_);
  }
  // The peer has a part of it.
  bool begun() const { return sent_ > 0; }

  // What `result`, an error of Send, is to the program; kClosed is the stream's to tell.
  absl::Status ErrorOf(Session::SendResult result, const Session& session, BytesView payload) const;

 private:
  bool in_pieces_ = false;
  bool last_ = true;
  size_t sent_ = 0;        // bytes, in pieces
  Compressed compressed_;  // what the bytes were
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_OUTGOING_MESSAGE_H_
