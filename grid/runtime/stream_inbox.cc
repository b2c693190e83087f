#include "grid/runtime/stream_inbox.h"

namespace grid {

ReadResult StreamReader::MessageOf(PieceResult piece) {
  if (!piece.ok()) return piece.status();
  if (!piece->has_value()) return ReadResult(std::nullopt);
  return ReadResult(std::optional<Buffer>(std::move((*piece)->bytes)));
}

void StreamReader::Complete(asio::io_context* io, PieceResult result) {
  if (piece_) return piece_.Complete(io, std::move(result));
  message_.Complete(io, MessageOf(std::move(result)));
}

ReadyCompletion StreamReader::With(PieceResult result) {
  if (piece_) return piece_.With(std::move(result));
  return message_.With(MessageOf(std::move(result)));
}

std::optional<StreamInbox::Taken> StreamInbox::Take() {
  if (!pieces_.empty()) {
    std::optional<Piece> piece(std::move(pieces_.front()));
    pieces_.pop_front();
    if (piece->last) ++unsettled_.messages;
    unsettled_.bytes += piece->bytes.size();
    return Taken{std::move(piece), !std::exchange(has_unsettled_, true)};
  }
  if (!closed_.has_value()) return std::nullopt;
  if (closed_->ok()) return Taken{PieceResult(std::nullopt)};
  return Taken{PieceResult(*closed_)};
}

uint64_t StreamInbox::Wait(StreamReader reader) {
  reader_ = std::move(reader);
  return ++reader_number_;
}

bool StreamInbox::Join(BytesView piece, bool last) {
  if (pieces_.empty() || pieces_.back().last) return false;
  Buffer& bytes = pieces_.back().bytes;
  if (piece.size() > bytes.capacity() - bytes.size()) return false;
  bytes.Append(piece);
  pieces_.back().last = last;
  return true;
}

void StreamInbox::Close(const absl::Status& why) {
  if (!closed_.has_value() || closed_->ok()) closed_ = why;
}

StreamInbox::Unsettled StreamInbox::Settle() {
  has_unsettled_ = false;
  return std::exchange(unsettled_, Unsettled());
}

}  // namespace grid
