#include "grid/transport/frame_writer.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

namespace grid::internal {
namespace {

// Cut to what a close frame takes, never inside a UTF-8 sequence.
std::string_view FitReason(std::string_view reason) {
  constexpr size_t kReasonBytes = kMaxControlPayload - 2;
  if (reason.size() <= kReasonBytes) return reason;
  size_t end = kReasonBytes;
  while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
  return reason.substr(0, end);
}

}  // namespace

void FrameWriter::SetMessage(MutableBytes message) {
  assert(!has_message());
  message_ = message;
}

void FrameWriter::Abandon() {
  writing_ = Writing::kClosed;
  pending_ = {};
  message_.reset();
  pong_.reset();
  close_.reset();
}

void FrameWriter::SetPong(BytesView payload) {
  pong_.emplace();
  pong_->size = std::min(payload.size(), kMaxControlPayload);
  std::copy_n(payload.data(), pong_->size, pong_->bytes.data());
}

void FrameWriter::SetClose(CloseCode code, std::string_view reason) {
  if (close_.has_value()) return;
  const std::string_view fitting = FitReason(reason);
  const auto value = static_cast<uint16_t>(code);
  close_.emplace();
  close_->bytes[0] = static_cast<uint8_t>(value >> 8);
  close_->bytes[1] = static_cast<uint8_t>(value);
  std::copy(fitting.begin(), fitting.end(), close_->bytes.data() + 2);
  close_->size = 2 + fitting.size();
}

void FrameWriter::SetClose(BytesView payload) {
  if (close_.has_value()) return;
  close_.emplace();
  close_->size = std::min(payload.size(), kMaxControlPayload);
  std::copy_n(payload.data(), close_->size, close_->bytes.data());
}

const FrameWriter::Buffers& FrameWriter::pending() {
  if (writing_ != Writing::kNothing) return pending_;
  if (pong_.has_value()) {
    control_ = *pong_;
    pong_.reset();
    Begin(Writing::kPong, Opcode::kPong, control_.view());
  } else if (message_.has_value()) {
    const MutableBytes message = *message_;
    message_.reset();
    Begin(Writing::kMessage, Opcode::kBinary, message);
  } else if (close_.has_value()) {
    control_ = *close_;
    Begin(Writing::kClose, Opcode::kClose, control_.view());
  }
  return pending_;
}

void FrameWriter::Begin(Writing what, Opcode opcode, MutableBytes payload) {
  writing_ = what;
  FrameHeader header{.opcode = opcode, .masked = to_server_, .length = payload.size()};
  if (to_server_) {
    header.key = NextKey();
    ApplyMask(header.key, payload);
  }
  pending_[0] = boost::asio::const_buffer(header_.data(), WriteFrameHeader(header, header_.data()));
  pending_[1] = boost::asio::const_buffer(payload.data(), payload.size());
}

void FrameWriter::Advance(size_t size) {
  const size_t of_header = std::min(size, pending_[0].size());
  pending_[0] += of_header;
  pending_[1] += size - of_header;
  if (pending_[0].size() + pending_[1].size() > 0) return;
  writing_ = writing_ == Writing::kClose ? Writing::kClosed : Writing::kNothing;
}

MaskingKey FrameWriter::NextKey() {
  // Section 5.3: not to be predicted. Many at once, as each call of the generator costs the same.
  if (keys_used_ == keys_.size()) {
    if (RAND_bytes(keys_[0].data(), sizeof(keys_)) != 1) throw std::bad_alloc();
    keys_used_ = 0;
  }
  return keys_[keys_used_++];
}

}  // namespace grid::internal
