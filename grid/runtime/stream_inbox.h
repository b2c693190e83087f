// StreamInbox: what has arrived at one end of a stream and was not read yet; or who waits for more.
//
// A state machine without a lock: its StreamEnd guards it.
//
//   nothing --Put--> pieces wait --Take--> nothing --Wait--> a reader waits --TakeReader--> nothing
//
// Close, at any time, lets Take tell how it ended once nothing waits any more.
#ifndef GRID_GRID_RUNTIME_STREAM_INBOX_H_
#define GRID_GRID_RUNTIME_STREAM_INBOX_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "handlers/stream.h"
#include "serialization/bytes.h"

namespace grid {

// Who waits for what comes next: for a message or for a piece, which are the same where nothing
// comes in pieces.
class StreamReader {
 public:
  StreamReader() = default;  // nobody
  explicit StreamReader(ReadHandler message) : message_(std::move(message)) {}
  explicit StreamReader(PieceHandler piece) : piece_(std::move(piece)) {}

  // What a reader of messages is told.
  static ReadResult MessageOf(PieceResult piece);

  explicit operator bool() const {
    return static_cast<bool>(message_) || static_cast<bool>(piece_);
  }
  asio::cancellation_slot cancellation_slot() const {
    return message_ ? message_.cancellation_slot() : piece_.cancellation_slot();
  }

  // As those of Completion.
  void Complete(asio::io_context* io, PieceResult result);
  ReadyCompletion With(PieceResult result);

 private:
  ReadHandler message_;
  PieceHandler piece_;
};

class StreamInbox {
 public:
  struct Taken {
    PieceResult result;
    bool first_unsettled = false;  // the session knows of no read since the last Settle
  };
  // What was read and is to become credit.
  struct Unsettled {
    uint32_t messages = 0;  // that ended
    size_t bytes = 0;
  };

  // A read: what came first, or behind all of it how it ended; nothing while it has to wait.
  std::optional<Taken> Take();
  // The reader of which waits from now on; there is none. Returns a number for TakeReader.
  uint64_t Wait(StreamReader reader);
  bool has_reader() const { return static_cast<bool>(reader_); }
  // Nobody, if nobody waits, or it is not the one of that number.
  StreamReader TakeReader() { return std::exchange(reader_, StreamReader()); }
  StreamReader TakeReader(uint64_t number) {
    return number == reader_number_ ? TakeReader() : StreamReader();
  }

  // Only while there is no reader.
  void Put(Piece piece) { pieces_.push_back(std::move(piece)); }
  // The same where the last piece has room for it, and its message goes on: small pieces share a
  // block, because the window counts their bytes only.
  bool Join(BytesView piece, bool last);
  // Nothing more comes: `why` is OK at the end of input. An error may follow OK; the first stays.
  void Close(const absl::Status& why);

  // What was taken since the last time, by Take alone.
  Unsettled Settle();

 private:
  std::deque<Piece> pieces_;
  std::optional<absl::Status> closed_;
  StreamReader reader_;
  uint64_t reader_number_ = 0;
  bool has_unsettled_ = false;
  Unsettled unsettled_;
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_STREAM_INBOX_H_
