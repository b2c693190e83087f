#include "grid/transport/beast_transport.h"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream_base.hpp>
#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/transport/loop_timer.h"
#include "grid/transport/receive_buffer.h"
#include "grid/transport/text.h"
#include "grid/transport/tls_context.h"

namespace grid::internal {
namespace {

namespace websocket = beast::websocket;

// Beast masks through a buffer of this size. Asio writes at most 64 KiB at once, so that a full
// buffer and a frame header (14 bytes at most) together are still one system call.
constexpr size_t kMaskingBytes = (size_t{64} << 10) - 16;

// The longest reason that fits into a close frame.
constexpr size_t kReasonBytes = 123;

// Cut to what a close frame takes, never inside a UTF-8 sequence.
std::string_view FitReason(std::string_view reason) {
  if (reason.size() <= kReasonBytes) return reason;
  size_t end = kReasonBytes;
  while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
  return reason.substr(0, end);
}

// The message that is being written, for Beast. It refers to the buffer through a place in the
// core: emptying that place takes the message away from a write that has not got to it yet.
struct OutgoingMessage {
  using value_type = asio::const_buffer;
  using const_iterator = const asio::const_buffer*;
  const asio::const_buffer* place;
  const_iterator begin() const { return place; }
  const_iterator end() const { return place + 1; }
};

std::string CodeText(uint16_t code) {
  return code == websocket::close_code::none ? "without a code" : absl::StrCat(code);
}

bool IsPeersEnd(const error_code& ec) {
  return ec == asio::error::eof || ec == asio::error::connection_reset ||
         ec == asio::error::broken_pipe || ec == asio::error::connection_aborted ||
         ec == asio::ssl::error::stream_truncated;
}

CloseCause CauseOf(const error_code& ec) {
  if (ec == websocket::error::closed || IsPeersEnd(ec)) return CloseCause::kPeerClosed;
  if (ec == websocket::error::message_too_big) return CloseCause::kMessageTooBig;
  if (ec == websocket::condition::protocol_violation) return CloseCause::kBadFrame;
  return CloseCause::kIoError;
}

}  // namespace

// The life of a connection:
//
//             Close, a text frame                       closing handshake, error
//   kOpen ───────────────────────────▶ kClosing ──────────or time-out──────────▶ kClosed
//     │                                   ▲                                         ▲
//     │ a close frame goes out or came in │                                         │
//     └───(Beast answers by itself)───────┴── read error, destruction ──────────────┘
//
// Every way out of kOpen that waits for the peer sets the timer first.
class TransportCore final : public std::enable_shared_from_this<TransportCore>,
                            public ChannelObserver {
 public:
  TransportCore(WebSocket ws, asio::io_context& io, std::shared_ptr<Clock> clock,
                const TransportLimits& limits)
      : io_(io),
        clock_(std::move(clock)),
        close_timeout_(limits.close_timeout),
        ws_(std::move(ws)) {}

  // Separate from the constructor, where there is no weak_from_this yet.
  void Init() {
    // Posted: destroying a transport from its own time-out must not destroy the timer that fires.
    timer_.emplace(io_, *clock_, [weak = weak_from_this(), &io = io_] {
      if (auto self = weak.lock()) asio::post(io, [self = std::move(self)] { self->OnTimeout(); });
    });
    ws_.next_layer().set_observer(this);
    // Frame type by frame type: Beast answers pings and closes itself. Here a close only sets the
    // timer, since the answer has to wait for a message that is being written.
    ws_.control_callback([this](websocket::frame_type type, beast::string_view) {
      if (type != websocket::frame_type::close) return;
      close_received_ = true;
      BoundClosing();
    });
  }

  void Start(TransportHandler* handler) {
    handler_ = handler;
    ReadSome();
  }

  void SetHandler(TransportHandler* handler) { handler_ = handler; }
  void SetMaxMessageBytes(size_t bytes) { ws_.read_message_max(bytes); }

  void Write(MutableBytes message) {
    assert(!writing_);
    if (phase_ != Phase::kOpen) return;
    writing_ = true;
    outgoing_ = asio::const_buffer(message.data(), message.size());
    ws_.async_write_some(
        true, OutgoingMessage{&outgoing_},
        [self = shared_from_this()](const error_code& ec, size_t) { self->OnWritten(ec); });
  }

  void Close(CloseCode code, std::string_view reason) {
    StartClosing(code, reason, CloseCause::kLocalClose, reason);
  }

  // The transport is gone: nothing may be called, and the message's bytes may not be looked at.
  void Abandon() {
    handler_ = nullptr;
    Shut();
  }

  WebSocket& ws() { return ws_; }

 private:
  enum class Phase : uint8_t { kOpen, kClosing, kClosed };

  // Outside a message of ours, what is written is a pong or a close frame of Beast's. Where the
  // latter answers a violation, this is the only place that tells.
  void OnWriteStarted() override {
    if (!ws_.is_open()) BoundClosing();
  }

  void ReadSome() {
    const MutableBytes room = received_.Room();
    ws_.async_read_some(
        asio::buffer(room.data(), room.size()),
        [self = shared_from_this()](const error_code& ec, size_t size) { self->OnRead(ec, size); });
    reading_ = true;
  }

  void OnRead(const error_code& ec, size_t size) {
    reading_ = false;
    if (phase_ == Phase::kClosed) return;
    if (ec) return OnReadFailed(ec);
    // While we close, async_close reads on and drops what comes.
    if (phase_ == Phase::kClosing) return;
    if (ws_.got_text()) {
      return StartClosing(CloseCode::kUnsupportedData, "text message", CloseCause::kTextFrame,
                          "a text message; every message must be binary");
    }
    received_.Commit(size);
    if (ws_.is_message_done()) {
      if (handler_ != nullptr) handler_->OnMessage(received_.contents());
      if (phase_ != Phase::kOpen) return;  // closed or destroyed by the callback
      received_.Clear();
    }
    ReadSome();
  }

  void OnReadFailed(const error_code& ec) {
    if (ec == asio::error::operation_aborted) {
      // Not the cause but a consequence: of a failed write, or of async_close, which then
      // completes.
      if (phase_ == Phase::kClosing && close_is_ours_) return;
      const error_code& cause = write_error_ ? write_error_ : ec;
      return Finish(CauseOf(cause), cause.message());
    }
    if (phase_ == Phase::kClosing && close_is_ours_) return Finish(cause_, detail_);
    if (ec == websocket::error::closed) {
      const websocket::close_reason& reason = ws_.reason();
      return Finish(
          CloseCause::kPeerClosed,
          absl::StrCat("close frame ", CodeText(reason.code), reason.reason.empty() ? "" : ": ",
                       Piece({reason.reason.data(), reason.reason.size()})));
    }
    // Text that is no UTF-8 ends inside Beast (with code 1007).
    if (ec == websocket::error::bad_frame_payload) {
      return Finish(CloseCause::kTextFrame, "a text message that is not UTF-8");
    }
    Finish(CauseOf(ec), ec.message());
  }

  void OnWritten(const error_code& ec) {
    writing_ = false;
    outgoing_ = {};
    if (phase_ == Phase::kClosed) return;
    if (!ec) {
      if (handler_ != nullptr) handler_->OnWritten();
      return;
    }
    if (!write_error_ && ec != asio::error::operation_aborted) write_error_ = ec;
    // The reader learns of it too, and often knows better why: a close frame may be waiting there.
    if (phase_ == Phase::kOpen) BoundClosing();
  }

  void StartClosing(CloseCode code, std::string_view reason, CloseCause cause,
                    std::string_view detail) {
    if (phase_ != Phase::kOpen) return;
    phase_ = Phase::kClosing;
    cause_ = cause;
    detail_ = std::string(detail);
    BoundClosing();
    const std::string_view fitting = FitReason(reason);
    ws_.async_close(websocket::close_reason(static_cast<websocket::close_code>(code),
                                            beast::string_view(fitting.data(), fitting.size())),
                    [self = shared_from_this()](const error_code& ec) { self->OnCloseDone(ec); });
  }

  void OnCloseDone(const error_code& ec) {
    if (phase_ == Phase::kClosed) return;
    // Beast was closing already, for a reason that the reader is about to report.
    if (ec == asio::error::operation_aborted && reading_) {
      close_is_ours_ = false;
      return;
    }
    Finish(cause_, detail_);
  }

  void BoundClosing() {
    if (closing_bounded_) return;
    closing_bounded_ = true;
    timer_->Set(clock_->Now() + close_timeout_);
  }

  void OnTimeout() {
    if (phase_ == Phase::kClosed) return;
    if (phase_ == Phase::kClosing && close_is_ours_) return Finish(cause_, detail_);
    if (close_received_) return Finish(CloseCause::kPeerClosed, "close frame; took no answer");
    if (write_error_) return Finish(CauseOf(write_error_), write_error_.message());
    // Beast was sending the close frame that answers a violation.
    Finish(CloseCause::kBadFrame, "RFC 6455 violated, and the close frame not taken");
  }

  void Shut() {
    phase_ = Phase::kClosed;
    outgoing_ = {};
    timer_->Clear();
    ws_.next_layer().Close();
  }

  void Finish(CloseCause cause, std::string_view detail) {
    // `detail` may be detail_, which stays: the handler may destroy the transport, not this object,
    // which the completion handler that called holds.
    Shut();
    if (TransportHandler* handler = std::exchange(handler_, nullptr); handler != nullptr) {
      handler->OnClosed(cause, detail);
    }
  }

  asio::io_context& io_;
  const std::shared_ptr<Clock> clock_;
  const Duration close_timeout_;
  WebSocket ws_;
  std::optional<LoopTimer> timer_;
  TransportHandler* handler_ = nullptr;

  Phase phase_ = Phase::kOpen;
  bool reading_ = false;
  bool writing_ = false;
  bool closing_bounded_ = false;
  bool close_received_ = false;
  bool close_is_ours_ = true;  // false: Beast was ending the connection when we began to
  CloseCause cause_ = CloseCause::kLocalClose;  // with kClosing
  std::string detail_;
  error_code write_error_;

  ReceiveBuffer received_;
  asio::const_buffer outgoing_;
};

void ConfigureWebSocket(WebSocket& ws, const TransportLimits& limits) {
  ws.set_option(websocket::stream_base::timeout{websocket::stream_base::none(),
                                                websocket::stream_base::none(), false});
  ws.binary(true);
  ws.auto_fragment(false);
  ws.write_buffer_bytes(kMaskingBytes);
  ws.read_message_max(limits.max_message_bytes);
  // Beast's strong generator for masking keys repeats each block of 16 keys 16 times (Boost 1.81),
  // so that whoever saw one cycle knows the next keys; the plain one, seeded from the system, does
  // not repeat. Masking protects proxies from what browsers are made to send; our dialers are no
  // browsers.
  ws.secure_prng(false);
}

BeastTransport::BeastTransport(WebSocket ws, asio::io_context& io, std::shared_ptr<Clock> clock,
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
  core_ = std::make_shared<TransportCore>(std::move(ws), io, std::move(clock), limits);
  core_->Init();
}

BeastTransport::~BeastTransport() { core_->Abandon(); }

void BeastTransport::Start(TransportHandler* handler) { core_->Start(handler); }
void BeastTransport::SetHandler(TransportHandler* handler) { core_->SetHandler(handler); }
void BeastTransport::SetMaxMessageBytes(size_t bytes) { core_->SetMaxMessageBytes(bytes); }
void BeastTransport::Write(MutableBytes message) { core_->Write(message); }
void BeastTransport::Close(CloseCode code, std::string_view reason) { core_->Close(code, reason); }
uint64_t BeastTransport::write_progress() const {
  return core_->ws().next_layer().writes_started();
}

}  // namespace grid::internal
