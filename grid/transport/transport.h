// Transport: one established WebSocket connection, as whole binary messages. The edge where tests
// put a memory network in place of sockets.
//
// A Transport belongs to one I/O thread: every function is called there, every callback comes
// there, never from inside a call to it. Destroying it closes the socket at once and silences it.
#ifndef GRID_GRID_TRANSPORT_TRANSPORT_H_
#define GRID_GRID_TRANSPORT_TRANSPORT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "serialization/bytes.h"

namespace grid {

// Close codes of RFC 6455, section 7.4.1, that this library sends.
enum class CloseCode : uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kUnsupportedData = 1003,  // a text frame
  kPolicyViolation = 1008,
  kMessageTooBig = 1009,
  kInternalError = 1011,
};

// Why a connection ended; the label of the counters.
enum class CloseCause : uint8_t {
  kLocalClose,     // Close was called
  kPeerClosed,     // end of file, reset, or a close frame
  kTextFrame,      // a text message arrived
  kBadFrame,       // reserved bit or opcode, masking, fragmentation: RFC 6455 violated
  kMessageTooBig,  // a message above the limit
  kIoError,        // any other error of the socket or of TLS
};

class TransportHandler {
 public:
  virtual ~TransportHandler() = default;
  // One whole binary message, fragments put together. The bytes are valid during the call.
  virtual void OnMessage(BytesView message) = 0;
  // What one read brought has been given to OnMessage: a good moment to write what came of it.
  virtual void OnReadEnd() {}
  // The message given to Write has been handed to the kernel; its bytes may be reused.
  virtual void OnWritten() = 0;
  // The connection is over. Called at most once, and last; not called after the destructor began.
  virtual void OnClosed(CloseCause cause, std::string_view detail) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Starts reading; `handler` must outlive the Transport. Called once, before anything else.
  virtual void Start(TransportHandler* handler) = 0;
  // Replaces the handler; from inside a callback too.
  virtual void SetHandler(TransportHandler* handler) = 0;
  // Largest message to accept from here on; a larger one ends the connection (kMessageTooBig). What
  // the network was made with, until this is called.
  virtual void SetMaxMessageBytes(size_t bytes) = 0;

  // Sends one binary message. True: it has been handed to the kernel already, and OnWritten does
  // not follow. Otherwise the bytes must stay valid and untouched until OnWritten, OnClosed or
  // destruction, and the next message has to wait for it. The transport may change the bytes
  // (masking).
  virtual bool Write(MutableBytes message) = 0;

  // Sends a close frame after what is being written, waits for the peer's within a bound (1 s),
  // closes the socket and calls OnClosed(kLocalClose) unless the end had another cause. Messages
  // that still arrive are dropped.
  virtual void Close(CloseCode code, std::string_view reason) = 0;

  // Grows whenever the kernel takes bytes of a message that is being written: a write whose
  // progress stands still is stalled.
  virtual uint64_t write_progress() const = 0;

  virtual const std::string& remote_address() const = 0;  // "127.0.0.1:4711"
  virtual const std::string& tls_subject() const = 0;  // of the peer's certificate; empty without
};

}  // namespace grid

#endif  // GRID_GRID_TRANSPORT_TRANSPORT_H_
