#include "grid/transport/websocket_transport.h"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "grid/transport/frame_reader.h"
#include "grid/transport/frame_writer.h"
#include "grid/transport/loop_timer.h"
#include "grid/transport/text.h"
#include "grid/transport/tls_context.h"

namespace grid::internal {
namespace {

// "close frame 1001: bye"
std::string DescribeClose(BytesView payload) {
  if (payload.size() < 2) return "close frame without a code";
  const int code = payload[0] << 8 | payload[1];
  const std::string_view reason = AsText(payload.subspan(2));
  return absl::StrCat("close frame ", code, reason.empty() ? "" : ": ",
                      absl::Utf8SafeCEscape(Piece(reason)));
}

bool IsPeersEnd(const error_code& ec) {
  return ec == asio::error::eof || ec == asio::error::connection_reset ||
         ec == asio::error::broken_pipe || ec == asio::error::connection_aborted ||
         ec == asio::ssl::error::stream_truncated;
}

CloseCause CauseOf(const error_code& ec) {
  return IsPeersEnd(ec) ? CloseCause::kPeerClosed : CloseCause::kIoError;
}

}  // namespace

// The life of a connection:
//
//          Close, a broken rule, the peer's close frame      close frames exchanged, error
//   kOpen ───────────────────────────────────────▶ kClosing ─────────or time-out────────▶ kClosed
//     │                                                                                     ▲
//     └────────────── read error, destruction ───────────────────────────────────────────────┘
//
// kClosing remembers what began it; the timer bounds it.
class TransportCore final : public std::enable_shared_from_this<TransportCore> {
 public:
  TransportCore(WebSocket ws, WebSocketRole role, asio::io_context& io,
                std::shared_ptr<Clock> clock, const TransportLimits& limits)
      : io_(io),
        clock_(std::move(clock)),
        close_timeout_(limits.close_timeout),
        ws_(std::move(ws)),
        channel_(ws_.next_layer()),
        reader_(role == WebSocketRole::kServer, limits.max_message_bytes),
        writer_(role == WebSocketRole::kClient) {}

  // Separate from the constructor, where there is no weak_from_this yet.
  void Init() {
    // Posted: destroying a transport from its own time-out must not destroy the timer that fires.
    timer_.emplace(io_, *clock_, [weak = weak_from_this(), &io = io_] {
      if (auto self = weak.lock()) asio::post(io, [self = std::move(self)] { self->OnTimeout(); });
    });
    error_code ignored;
    channel_.socket().non_blocking(true, ignored);
  }

  void Start(TransportHandler* handler) {
    handler_ = handler;
    Read();
  }

  void SetHandler(TransportHandler* handler) { handler_ = handler; }
  void SetMaxMessageBytes(size_t bytes) { reader_.set_max_message_bytes(bytes); }

  bool Write(MutableBytes message) {
    if (phase_ != Phase::kOpen) return false;
    writer_.SetMessage(message);
    Pump();
    return !writer_.has_message();
  }

  void Close(CloseCode code, std::string_view reason) {
    if (phase_ != Phase::kOpen) return;
    StartClosing(CloseCause::kLocalClose, reason);
    writer_.SetClose(code, reason);
    Pump();
  }

  // The transport is gone: nothing may be called, and the message's bytes may not be looked at.
  void Abandon() {
    handler_ = nullptr;
    if (phase_ == Phase::kClosed) return;
    Shut();
  }

  Channel& channel() { return channel_; }
  uint64_t progress() const { return progress_; }

 private:
  enum class Phase : uint8_t { kOpen, kClosing, kClosed };

  // --- Reading ---

  void Read() {
    const MutableBytes room = reader_.Room();
    channel_.async_read_some(
        asio::buffer(room.data(), room.size()),
        [self = shared_from_this()](const error_code& ec, size_t size) { self->OnRead(ec, size); });
  }

  void OnRead(const error_code& ec, size_t size) {
    if (phase_ == Phase::kClosed) return;
    if (ec) return OnReadFailed(ec);
    reader_.Commit(size);
    for (;;) {
      const FrameReader::Frame frame = reader_.Next();
      if (frame.kind == FrameReader::Kind::kNone) break;
      OnFrame(frame);
      if (phase_ == Phase::kClosed) return;  // by the callback, or as all has been said
    }
    if (phase_ == Phase::kOpen && handler_ != nullptr) handler_->OnReadEnd();
    if (phase_ != Phase::kClosed) Read();
  }

  void OnFrame(const FrameReader::Frame& frame) {
    switch (frame.kind) {
      case FrameReader::Kind::kMessage:
        // What still arrives while we close is dropped.
        if (phase_ == Phase::kOpen && handler_ != nullptr) handler_->OnMessage(frame.payload);
        return;
      case FrameReader::Kind::kPing:
        if (phase_ != Phase::kOpen) return;
        writer_.SetPong(frame.payload);
        return Pump();
      case FrameReader::Kind::kClose:
        if (phase_ == Phase::kClosing) return Finish();
        StartClosing(CloseCause::kPeerClosed, DescribeClose(frame.payload));
        ends_with_close_ = true;
        writer_.SetClose(frame.payload);
        return Pump();
      case FrameReader::Kind::kBad:
        if (phase_ == Phase::kClosing) return Finish();
        StartClosing(frame.cause, frame.why);
        ends_with_close_ = true;
        writer_.SetClose(frame.code, frame.why);
        return Pump();
      case FrameReader::Kind::kPong:
      case FrameReader::Kind::kNone:
        return;
    }
  }

  void OnReadFailed(const error_code& ec) {
    if (phase_ == Phase::kOpen) {
      // Often only the consequence of a write that failed.
      const error_code& cause =
          ec == asio::error::operation_aborted && write_error_ ? write_error_ : ec;
      Note(CauseOf(cause), cause.message());
    }
    Finish();
  }

  // --- Writing ---

  // Writes what there is until the kernel takes no more.
  void Pump() {
    if (write_pending_ || phase_ == Phase::kClosed) return;
    error_code ec;
    while (!writer_.empty()) {
      const size_t size = channel_.TryWrite(writer_.pending(), ec);
      if (ec == asio::error::would_block || ec == asio::error::try_again) return WriteLater();
      if (ec) return OnWriteFailed(ec);
      Advance(size);
    }
    if (writer_.closed() && ends_with_close_) FinishLater();
  }

  void WriteLater() {
    write_pending_ = true;
    channel_.async_write_some(writer_.pending(),
                              [self = shared_from_this()](const error_code& ec, size_t size) {
                                self->OnWritten(ec, size);
                              });
  }

  void OnWritten(const error_code& ec, size_t size) {
    write_pending_ = false;
    if (phase_ == Phase::kClosed) return;
    if (ec) return OnWriteFailed(ec);
    const bool had_message = writer_.has_message();
    Advance(size);
    Pump();
    // Told last: the handler may destroy us, and may write the next.
    if (had_message && !writer_.has_message() && !write_error_ && handler_ != nullptr) {
      handler_->OnWritten();
    }
  }

  void Advance(size_t size) {
    writer_.Advance(size);
    if (size > 0) ++progress_;
  }

  // The reader learns of it too, and often knows better why: a close frame may be waiting there.
  void OnWriteFailed(const error_code& ec) {
    if (!write_error_ && ec != asio::error::operation_aborted) write_error_ = ec;
    writer_.Abandon();
    Bound();
  }

  // --- Closing ---

  void StartClosing(CloseCause cause, std::string_view detail) {
    phase_ = Phase::kClosing;
    Note(cause, detail);
    Bound();
  }

  void Note(CloseCause cause, std::string_view detail) {
    cause_ = cause;
    detail_ = std::string(detail);
  }

  void Bound() {
    if (bounded_) return;
    bounded_ = true;
    timer_->Set(clock_->Now() + close_timeout_);
  }

  void OnTimeout() {
    if (phase_ == Phase::kClosed) return;
    if (phase_ == Phase::kOpen) Note(CauseOf(write_error_), write_error_.message());
    Finish();
  }

  // Not from inside Close or Write, which call nothing.
  void FinishLater() {
    asio::post(io_, [self = shared_from_this()] {
      if (self->phase_ != Phase::kClosed) self->Finish();
    });
  }

  void Shut() {
    phase_ = Phase::kClosed;
    writer_.Abandon();
    timer_->Clear();
    channel_.Close();
  }

  void Finish() {
    Shut();
    // The handler may destroy the transport, not this object, which the completion handler that
    // called holds.
    if (TransportHandler* handler = std::exchange(handler_, nullptr); handler != nullptr) {
      handler->OnClosed(cause_, detail_);
    }
  }

  asio::io_context& io_;
  const std::shared_ptr<Clock> clock_;
  const Duration close_timeout_;
  WebSocket ws_;
  Channel& channel_;
  std::optional<LoopTimer> timer_;
  TransportHandler* handler_ = nullptr;

  FrameReader reader_;
  FrameWriter writer_;
  bool write_pending_ = false;
  uint64_t progress_ = 0;
  error_code write_error_;

  Phase phase_ = Phase::kOpen;
  bool bounded_ = false;
  bool ends_with_close_ = false;                // our close frame is the last word
  CloseCause cause_ = CloseCause::kLocalClose;  // from kClosing on
  std::string detail_;
};

WebSocketTransport::WebSocketTransport(WebSocket ws, WebSocketRole role, asio::io_context& io,
                                       std::shared_ptr<Clock> clock,
                                       const TransportLimits& limits) {
  Channel& channel = ws.next_layer();
  error_code ec;
  const asio::ip::tcp::endpoint remote = channel.socket().remote_endpoint(ec);
  if (!ec) {
    remote_address_ = remote.address().is_v6()
                          ? absl::StrCat("[", remote.address().to_string(), "]:", remote.port())
                          : absl::StrCat(remote.address().to_string(), ":", remote.port());
  }
  if (channel.tls() != nullptr) tls_subject_ = PeerSubject(channel.tls()->native_handle());
  core_ = std::make_shared<TransportCore>(std::move(ws), role, io, std::move(clock), limits);
  core_->Init();
}

WebSocketTransport::~WebSocketTransport() { core_->Abandon(); }

void WebSocketTransport::Start(TransportHandler* handler) { core_->Start(handler); }
void WebSocketTransport::SetHandler(TransportHandler* handler) { core_->SetHandler(handler); }
void WebSocketTransport::SetMaxMessageBytes(size_t bytes) { core_->SetMaxMessageBytes(bytes); }
bool WebSocketTransport::Write(MutableBytes message) { return core_->Write(message); }
void WebSocketTransport::Close(CloseCode code, std::string_view reason) {
  core_->Close(code, reason);
}
uint64_t WebSocketTransport::write_progress() const { return core_->progress(); }

}  // namespace grid::internal
