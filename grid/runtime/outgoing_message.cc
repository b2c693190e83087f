#include "grid/runtime/outgoing_message.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"

namespace grid {

OutgoingMessage OutgoingMessage::Piece(bool last) {
  OutgoingMessage piece;
  piece.in_pieces_ = true;
  piece.last_ = last;
  return piece;
}

OutgoingPayload OutgoingMessage::Compress(const PayloadCompressor& compressor,
                                          const Compression& how, BytesView payload) {
  if (in_pieces_ || compressed_.tried()) return {};
  OutgoingPayload packed = compressor.Compress(how, payload);
  compressed_ = packed.compressed;
  return packed;
}

absl::Status OutgoingMessage::ErrorOf(Session::SendResult result, const Session& session,
                                      BytesView payload) const {
  switch (result) {
    case Session::SendResult::kTooBig:
      return WithDelivery(absl::InvalidArgumentError(absl::StrCat(
                              "a message of ", compressed_.OriginalSize(payload), " bytes exceeds ",
                              std::string(session.payload_limit_name()))),
                          Delivery::kNotSent);
    case Session::SendResult::kOutputFull:
      return WithDelivery(
          absl::ResourceExhaustedError("max_output_bytes wait to be written on the connection"),
          Delivery::kRejected);
    case Session::SendResult::kInPieces:
      return absl::FailedPreconditionError(
          "a message has been begun with WritePiece, and not ended");
    case Session::SendResult::kNoPieces:
      return absl::FailedPreconditionError(
          "the peer does not read this stream in pieces: that takes the extensions fragments and "
          "credits, and its read_pieces");
    case Session::SendResult::kSent:
    case Session::SendResult::kNoCredit:
    case Session::SendResult::kClosed:
      break;
  }
  return absl::OkStatus();
}

}  // namespace grid
