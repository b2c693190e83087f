#include "grid/actor/isolated_pipe.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"

namespace grid::internal {

void SetStatus(const absl::Status& status, IsolatedFrame& frame) {
  frame.code = static_cast<int32_t>(status.raw_code());
  frame.text = std::string(status.message());
  frame.delivery = static_cast<uint8_t>(DeliveryOf(status));
}

absl::Status StatusOf(const IsolatedFrame& frame) {
  if (frame.code == 0) return absl::OkStatus();
  return WithDelivery(absl::Status(static_cast<absl::StatusCode>(frame.code), frame.text),
                      frame.delivery <= static_cast<uint8_t>(Delivery::kExecuted)
                          ? static_cast<Delivery>(frame.delivery)
                          : Delivery::kMaybeExecuted);
}

int64_t ToWire(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}
TimePoint FromWire(int64_t time) {
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(time)));
}

void SetCaller(const Caller& caller, IsolatedFrame& frame) {
  frame.host = caller.host;
  frame.client = caller.is_client;
  frame.address = caller.address;
  frame.tls_subject = caller.tls_subject;
}
Caller CallerOf(const IsolatedFrame& frame) {
  return {.host = frame.host,
          .is_client = frame.client,
          .address = frame.address,
          .tls_subject = frame.tls_subject};
}

IsolatedPipe::IsolatedPipe(asio::io_context& io, int fd, size_t max_frame_bytes)
    : socket_(io, asio::local::stream_protocol(), fd), max_frame_bytes_(max_frame_bytes) {}

void IsolatedPipe::Start(FrameFunction on_frame, EndFunction on_end) {
  on_frame_ = std::move(on_frame);
  on_end_ = std::move(on_end);
  ReadPrefix();
}

void IsolatedPipe::ReadPrefix() {
  asio::async_read(
      socket_, asio::buffer(prefix_),
      [self = shared_from_this()](boost::system::error_code error, size_t) {
        if (self->closed_) return;
        uint32_t sizes[2];
        std::memcpy(sizes, self->prefix_.data(), sizeof(sizes));
        if (error || sizes[0] < 4 || sizes[0] > self->max_frame_bytes_ || sizes[1] > sizes[0] - 4) {
          return self->End();
        }
        self->ReadRest(sizes[0] - 4, sizes[1]);
      });
}

void IsolatedPipe::ReadRest(size_t size, size_t header_size) {
  rest_ = Buffer::Unpooled(size);
  asio::async_read(
      socket_, asio::buffer(rest_.data(), rest_.size()),
      [self = shared_from_this(), header_size](boost::system::error_code error, size_t) {
        if (self->closed_) return;
        IsolatedFrame frame;
        if (error || !Decode(self->rest_.view().first(header_size), frame).ok()) {
          return self->End();
        }
        Buffer payload = Buffer::CopyOf(self->rest_.view().subspan(header_size));
        self->rest_ = Buffer();
        self->on_frame_(std::move(frame), std::move(payload));
        if (!self->closed_) self->ReadPrefix();
      });
}

absl::Status IsolatedPipe::Send(const IsolatedFrame& frame, BytesView payload) {
  if (closed_) return absl::OkStatus();  // whoever waits hears of the end
  Buffer header = Buffer::Empty();
  if (absl::Status status = Encode(frame, header); !status.ok()) return status;
  const size_t size = 4 + header.size() + payload.size();
  if (size > max_frame_bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a message of ", size, " bytes, more than max_frame_bytes, ", max_frame_bytes_,
                     ", to an actor in a process of its own"));
  }
  const uint32_t sizes[2] = {static_cast<uint32_t>(size), static_cast<uint32_t>(header.size())};
  Buffer bytes = Buffer::Unpooled(4 + size);
  std::memcpy(bytes.data(), sizes, kPrefix);
  std::memcpy(bytes.data() + kPrefix, header.data(), header.size());
  if (!payload.empty()) {
    std::memcpy(bytes.data() + kPrefix + header.size(), payload.data(), payload.size());
  }
  output_.push_back(std::move(bytes));
  if (output_.size() == 1) Write();
  return absl::OkStatus();
}

void IsolatedPipe::Write() {
  asio::async_write(socket_, asio::buffer(output_.front().data(), output_.front().size()),
                    [self = shared_from_this()](boost::system::error_code error, size_t) {
                      if (self->closed_) return;
                      // The reader finds out what is the matter.
                      if (error) return self->output_.clear();
                      self->output_.pop_front();
                      if (!self->output_.empty()) return self->Write();
                      if (self->when_sent_) std::exchange(self->when_sent_, nullptr)();
                    });
}

void IsolatedPipe::WhenSent(EndFunction function) {
  if (output_.empty() || closed_) return function();
  when_sent_ = std::move(function);
}

void IsolatedPipe::End() {
  auto on_end = std::exchange(on_end_, nullptr);
  Close();
  if (on_end) on_end();
}

void IsolatedPipe::Close() {
  if (std::exchange(closed_, true)) return;
  boost::system::error_code ignored;
  socket_.close(ignored);
  on_end_ = nullptr;
}

}  // namespace grid::internal
