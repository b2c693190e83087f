// FrameReader: the receiving half of RFC 6455: bytes in, whole messages and control frames out.
// Knows no socket. A message that comes in one frame is given where it arrived; only fragments are
// moved together.
//
// Belongs to one transport.
//
//   MutableBytes room = reader.Room();   // read into it
//   reader.Commit(n);
//   while ((frame = reader.Next()).kind != FrameReader::Kind::kNone) ...
#ifndef GRID_GRID_TRANSPORT_FRAME_READER_H_
#define GRID_GRID_TRANSPORT_FRAME_READER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "grid/transport/frame.h"
#include "grid/transport/receive_buffer.h"
#include "grid/transport/transport.h"
#include "serialization/bytes.h"

namespace grid::internal {

class FrameReader {
 public:
  enum class Kind : uint8_t {
    kNone,     // more bytes are needed
    kMessage,  // a whole binary message
    kPing,
    kPong,
    kClose,  // with no payload, or a code that may be sent and a reason, as the peer wrote it
    kBad,    // a rule was broken; nothing more is read
  };
  struct Frame {
    Kind kind = Kind::kNone;
    BytesView payload = {};  // not nil; valid until the next call
    // Of kBad: how to answer, and what to report.
    CloseCode code = CloseCode::kProtocolError;
    CloseCause cause = CloseCause::kBadFrame;
    std::string_view why = {};  // a sentence
  };

  // `from_client`: frames must be masked, otherwise they must not be.
  FrameReader(bool from_client, size_t max_message_bytes)
      : from_client_(from_client), max_message_bytes_(max_message_bytes) {}

  // Largest message from here on, all its fragments together.
  void set_max_message_bytes(size_t bytes) { max_message_bytes_ = bytes; }

  // Where the next bytes go; never empty. Throws std::bad_alloc.
  MutableBytes Room() { return buffer_.Room(); }
  void Commit(size_t size) { buffer_.Commit(size); }

  Frame Next();

  // Gives the memory back; nothing can be read any more.
  void Free() { buffer_.Free(); }

 private:
  Frame Bad(std::string_view why);
  Frame Check(const FrameHeader& header);
  Frame Control(const FrameHeader& header, MutableBytes payload);

  const bool from_client_;
  size_t max_message_bytes_;
  ReceiveBuffer buffer_;
  // The buffer begins with what is put together of a message in fragments, `assembled_` bytes, then
  // `dead_` bytes of headers and control frames that were between them, then the next frame.
  bool in_message_ = false;
  size_t assembled_ = 0;
  size_t dead_ = 0;
  size_t given_ = 0;  // bytes at the beginning that the last message had
  bool bad_ = false;
};

// Whether `code` may stand in a close frame: RFC 6455, section 7.4.
bool IsSendableCloseCode(uint16_t code);

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_FRAME_READER_H_
