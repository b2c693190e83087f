// FrameWriter: the sending half of RFC 6455: what is to be written next, frame by frame. Knows no
// socket. Control frames go between messages, a close frame behind everything, as the last.
//
// Belongs to one transport.
//
//   writer.SetMessage(message);
//   while (!writer.pending().empty()) writer.Advance(Send(writer.pending()));
#ifndef GRID_GRID_TRANSPORT_FRAME_WRITER_H_
#define GRID_GRID_TRANSPORT_FRAME_WRITER_H_

#include <array>
#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "grid/transport/frame.h"
#include "grid/transport/transport.h"
#include "serialization/bytes.h"

namespace grid::internal {

// The payload of a ping, pong or close frame.
struct ControlPayload {
  std::array<uint8_t, kMaxControlPayload> bytes;
  size_t size = 0;
  MutableBytes view() { return {bytes.data(), size}; }
};

class FrameWriter {
 public:
  // For sendmsg: what is left of a header, and of its payload.
  using Buffers = std::array<boost::asio::const_buffer, 2>;

  // `to_server`: payloads are masked, in place, with keys of OpenSSL's generator.
  explicit FrameWriter(bool to_server) : to_server_(to_server) {}

  // One binary message, whose bytes stay where they are until has_message() is false. One at a
  // time.
  void SetMessage(MutableBytes message);
  bool has_message() const { return message_.has_value() || writing_ == Writing::kMessage; }
  // Takes back a message, of which nothing will be looked at any more; the frame that was begun
  // can't be ended then, so nothing else can be written.
  void Abandon();

  // A pong for a ping with `payload`; one that has not been begun is replaced (section 5.5.3).
  void SetPong(BytesView payload);
  // The first stays. No message can be set afterwards.
  void SetClose(CloseCode code, std::string_view reason);
  // Echoes the peer's.
  void SetClose(BytesView payload);
  // A close frame was wanted, and all that was to be written has been.
  bool closed() const { return writing_ == Writing::kClosed; }

  // What is to be written now; both empty when there is nothing.
  const Buffers& pending();
  bool empty() { return pending()[0].size() + pending()[1].size() == 0; }
  // `size` bytes of pending() have been written.
  void Advance(size_t size);

 private:
  enum class Writing : uint8_t { kNothing, kMessage, kPong, kClose, kClosed };

  void Begin(Writing what, Opcode opcode, MutableBytes payload);
  MaskingKey NextKey();

  const bool to_server_;
  Writing writing_ = Writing::kNothing;
  Buffers pending_;
  std::array<uint8_t, kMaxFrameHeader> header_;
  std::optional<MutableBytes> message_;
  std::optional<ControlPayload> pong_;
  std::optional<ControlPayload> close_;
  ControlPayload control_;  // that is being written

  std::array<MaskingKey, 64> keys_;
  size_t keys_used_ = 64;
};

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_FRAME_WRITER_H_
